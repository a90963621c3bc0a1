"""What an estimator is, and how the one in the configuration is made."""

import importlib
import os
from collections.abc import Callable, Sequence
from typing import Protocol

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeleton import Skeleton


class EstimatorError(RuntimeError):
    """An estimator that cannot be made; the text names the parameter and says what to do."""


class OutOfMemoryError(RuntimeError):
    """Images that the device had no memory for; the next ones may find some."""


class DeviceLostError(RuntimeError):
    """A device that does not come back by itself; the text says how it failed."""


class PoseEstimator(Protocol):
    """Finds the people in an image."""

    skeleton: Skeleton
    description: str
    """The network, its input and its device, for logs and diagnostics."""
    batches: bool
    """Whether several images at once take less time than one after the other."""

    @property
    def device_bytes(self) -> int:
        """Memory that the network takes on a device of its own; 0 on a CPU."""
        ...

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) RGB image, every score in [0, 1].

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        ...

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each of several images, which may differ in size."""
        ...

    def close(self) -> None:
        """Give back the memory and threads of the network."""
        ...


def make_estimator(
    config: EstimatorConfig, say: Callable[[str], None] = lambda _: None
) -> PoseEstimator:
    """Return the estimator that the configuration names, its model loaded.

    Args:
        config: which, and how.
        say: told in one line what `auto` takes and why.

    Raises:
        EstimatorError: a library or the model is missing or cannot be used.
    """
    name = config.estimator
    if name == "auto":
        name, reason = _choose(config.device)
        say(f"estimator auto takes {name}: {reason}")
    match name:
        case "movenet":
            from poseflow_ros.estimation.movenet import MoveNet

            return MoveNet(config)
        case "keypoint_rcnn":
            require("torchvision")
            from poseflow_ros.estimation.keypoint_rcnn import KeypointRCNN
            from poseflow_ros.estimation.torchvision_rcnn import TorchvisionNetwork

            return KeypointRCNN(config, TorchvisionNetwork)
        case "detectron2":
            require("detectron2")
            from poseflow_ros.estimation.detectron2_rcnn import Detectron2Network
            from poseflow_ros.estimation.keypoint_rcnn import KeypointRCNN

            return KeypointRCNN(config, Detectron2Network)
        case unknown:
            raise EstimatorError(f"estimator is {unknown!r}, which nothing here implements")


def require(library: str) -> None:
    """Import torchvision or detectron2.

    Raises:
        EstimatorError: it does not import; the text says how to install it.
    """
    if trouble := _import_trouble(library):
        raise EstimatorError(f"{trouble}; {_ADVICE[library]}")


def cpu_threads(config: EstimatorConfig) -> int:
    """Return how many threads a network on the CPU takes."""
    return config.threads or min(4, len(os.sched_getaffinity(0)))


_ADVICE = {
    "torchvision": "to install it: python3 -m pip install torch torchvision",
    "detectron2": "to install it from its main branch: see README.md",
}
# The part of a library that imports all that is needed of it.
_PARTS = {"detectron2": "detectron2.modeling"}


def _choose(device: str) -> tuple[str, str]:
    """Return the best estimator that can run here, and why it is that."""
    if trouble := _device_trouble(device):
        return "movenet", trouble
    if not (trouble := _import_trouble("detectron2")):
        return "detectron2", "it imports and a CUDA device answers"
    if not (missing := _import_trouble("torchvision")):
        return "keypoint_rcnn", f"a CUDA device answers, and {trouble}"
    return "movenet", f"{trouble}, and {missing}"


def _device_trouble(device: str) -> str:
    """Return why no GPU can be used; empty where one answers."""
    if device == "cpu":
        return "device is cpu"
    if trouble := _import_trouble("torch"):
        return trouble
    from poseflow_ros.estimation.torch_device import cuda_trouble

    return cuda_trouble("cuda" if device == "auto" else device)


def _import_trouble(library: str) -> str:
    """Return why a library does not import; empty where it does."""
    try:
        importlib.import_module(_PARTS.get(library, library))
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    except Exception as error:
        # torch, torchvision and detectron2 that do not fit each other raise all sorts of things.
        lines = str(error).splitlines()
        return f"{library} does not import: {lines[0] if lines else type(error).__name__}"
    return ""
