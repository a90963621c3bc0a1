#!/usr/bin/env bash
# Measures Keypoint R-CNN on a GPU; needs no ROS. Prints card, driver and versions; continues after a
# failure. Reports and logs go to out/ (OUT=folder).
#   python3 -m pip install numpy scipy tqdm PyYAML opencv-python torch torchvision    # tests: pytest
#   tools/bench_gpu.sh [keypoint_rcnn|detectron2] [PART ...]     # default: keypoint_rcnn speed device
# Parts: speed, beside the library's own call, one table; device: first images, memory, a failure of
# the device; tests: those that need a GPU. DEVICE=cpu SECONDS_EACH=0 BENCH_ARGS=... for a dry run.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
estimator=${1:-keypoint_rcnn}
parts=${*:2}
device=${DEVICE:-cuda}
out=${OUT:-out}
python=${PYTHON:-python3}
mkdir -p "$out"
failed=0

attempt() {  # NAME COMMAND...: the output goes to a log; a failure is printed
  local log="$out/$estimator-$1.txt"
  if ! "${@:2}" >"$log" 2>&1; then
    failed=1
    echo "failed:"
    tail -n 3 "$log"
  fi
}

bench() {
  local name=$1; shift
  local report="$out/$estimator-$name.json"
  rm -f "$report"
  echo "== $name: $*"
  # shellcheck disable=SC2086
  attempt "$name" "$python" -m poseflow_ros bench estimator --estimator "$estimator" \
    --device "$device" --size 640x480 --seconds "${SECONDS_EACH:-10}" "$@" ${BENCH_ARGS:-} \
    --report "$report"
}

speed() {
  bench batch_1 --precision float16 --people 10 --batch 1
  bench batch_4 --precision float16 --people 10 --batch 4
  bench people_20 --precision float16 --people 20 --batch 1
  bench eager --precision float16 --people 10 --batch 1 --cuda-graphs false
  bench float32 --precision float32 --people 10 --batch 1
  bench compiled --precision float16 --people 10 --batch 1 --compile
  "$python" tools/bench_table.py "$out/$estimator"-*.json | tee "$out/$estimator-table.txt"
}

device() {
  echo "== device"
  # shellcheck disable=SC2086
  attempt device "$python" -m poseflow_ros bench device --estimator "$estimator" --device "$device" \
    --size 640x480 --people 10 ${BENCH_ARGS:-}
  cat "$out/$estimator-device.txt"
}

tests() {
  echo "== tests"
  attempt tests "$python" -m pytest -q test/estimation -k OnGpu
  tail -n 1 "$out/$estimator-tests.txt"
}

{
  nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm \
    --format=csv,noheader || echo "no nvidia-smi"
  "$python" -c 'import platform, torch, torchvision
print(f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}, "
      f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")'
} 2>/dev/null | tee "$out/$estimator-machine.txt"

for part in ${parts:-speed device}; do
  case "$part" in
    speed|device|tests) "$part" ;;
    *) echo "part is $part, must be speed, device or tests" >&2; exit 2 ;;
  esac
done
exit "$failed"
