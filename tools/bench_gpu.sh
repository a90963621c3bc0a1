#!/usr/bin/env bash
# Measures Keypoint R-CNN on a GPU beside its library's own call; needs no ROS. Prints card, driver
# and versions, and one table; continues after a failure. Reports and logs go to out/ (OUT=folder).
#   python3 -m pip install numpy scipy tqdm PyYAML opencv-python torch torchvision
#   tools/bench_gpu.sh [detectron2]          # DEVICE=cpu SECONDS_EACH=0 BENCH_ARGS=... for a dry run
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
estimator=${1:-keypoint_rcnn}
device=${DEVICE:-cuda}
out=${OUT:-out}
python=${PYTHON:-python3}
mkdir -p "$out"
failed=0

bench() {
  local name=$1; shift
  local log="$out/$estimator-$name.txt" report="$out/$estimator-$name.json"
  rm -f "$report"
  echo "== $name: $*"
  # shellcheck disable=SC2086
  if ! "$python" -m poseflow_ros bench estimator --estimator "$estimator" --device "$device" \
      --size 640x480 --seconds "${SECONDS_EACH:-10}" "$@" ${BENCH_ARGS:-} --report "$report" \
      >"$log" 2>&1; then
    failed=1
    echo "failed:"
    tail -n 3 "$log"
  fi
}

{
  nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm \
    --format=csv,noheader || echo "no nvidia-smi"
  "$python" -c 'import platform, torch, torchvision
print(f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}, "
      f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")'
} 2>/dev/null | tee "$out/$estimator-machine.txt"

bench batch_1 --precision float16 --people 10 --batch 1
bench batch_4 --precision float16 --people 10 --batch 4
bench people_20 --precision float16 --people 20 --batch 1
bench eager --precision float16 --people 10 --batch 1 --cuda-graphs false
bench float32 --precision float32 --people 10 --batch 1
bench compiled --precision float16 --people 10 --batch 1 --compile

"$python" tools/bench_table.py "$out/$estimator"-*.json | tee "$out/$estimator-table.txt"
exit "$failed"
