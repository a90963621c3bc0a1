#!/usr/bin/env bash
# Measures Keypoint R-CNN on a GPU beside torchvision's own call; needs no ROS. Reports go to out/.
#   python3 -m pip install -r requirements/runtime.txt -r requirements/torch.txt
#   tools/bench_gpu.sh [detectron2]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
estimator=${1:-keypoint_rcnn}
mkdir -p out

bench() {
  local name=$1; shift
  echo "== $name: $*"
  "${PYTHON:-python3}" -m poseflow_ros bench estimator --estimator "$estimator" --device cuda \
    --size 640x480 "$@" --report "out/$estimator-$name.json"
}

bench batch_1 --precision float16 --people 10 --batch 1
bench batch_4 --precision float16 --people 10 --batch 4
bench people_20 --precision float16 --people 20 --batch 1
bench float32 --precision float32 --people 10 --batch 1
bench compiled --precision float16 --people 10 --batch 1 --compile
