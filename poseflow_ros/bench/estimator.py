"""Speed and memory of an estimator."""

from typing import Any

from poseflow_ros.bench.memory import PeakMemory
from poseflow_ros.bench.repetition import figures, in_turns, peak_mib
from poseflow_ros.bench.workload import Workload
from poseflow_ros.config import Config
from poseflow_ros.estimation import detectron2_rcnn, torchvision_rcnn
from poseflow_ros.estimation.factory import make_estimator

# Networks that are compared with the plain call of their library.
_LIBRARIES = {"keypoint_rcnn": torchvision_rcnn, "detectron2": detectron2_rcnn}


def measure(config: Config, workload: Workload) -> dict[str, Any]:
    """Return the results of an estimator, and of its library's plain call if there is one.

    Raises:
        BenchError, EstimatorError: the estimator cannot run here.
    """
    if config.estimator.name not in _LIBRARIES:
        return _measure_alone(config, workload)
    _LIBRARIES[config.estimator.name].require_library()
    from poseflow_ros.bench.keypoint_rcnn import measure_beside_library

    return measure_beside_library(config, workload)


def _measure_alone(config: Config, workload: Workload) -> dict[str, Any]:
    """Return the results of an estimator with its published weights."""
    images = workload.images()
    memory = PeakMemory()
    estimator = make_estimator(config)
    mib = peak_mib(memory, lambda: estimator.estimate_batch(images))
    (times_s,) = in_turns(workload.seconds, lambda: estimator.estimate_batch(images))
    estimator.close()
    return {
        "estimator": estimator.description,
        "size": f"{workload.width}x{workload.height}",
        "batch": workload.batch,
        "rounds": len(times_s),
        **figures("", times_s, workload.batch, mib),
    }
