"""Creation of the configured estimator."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, cast

import cv2

from poseflow_ros.config import Config
from poseflow_ros.estimation.cuda_driver import driver_problem
from poseflow_ros.estimation.errors import EstimatorError, first_line
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.libraries import import_problem
from poseflow_ros.estimation.weights import ModelFile

NETWORKS = {
    "movenet": "movenet",
    "keypoint_rcnn": "torchvision_rcnn",
    "detectron2": "detectron2_rcnn",
    "onnx": "onnx_estimator",
}
"""The module of each network in this package. A new network needs its file and a line here."""

ESTIMATORS = ("auto", *NETWORKS)
"""Allowed values of the parameter `estimator.name`."""


class NetworkModule(Protocol):
    """The functions of a network's module; importing it does not import the network's library."""

    def make(self, config: Config) -> PoseEstimator:
        """Return the estimator, its weights loaded.

        Raises:
            EstimatorError: the library or the weights are missing or cannot be used.
        """
        ...

    def published(self) -> Sequence[ModelFile]:
        """Return the published files of weights, without importing the library."""
        ...

    def verify(self, path: Path, config: Config) -> str | None:
        """Load a file of weights; return the network's name, None if it is of another network.

        Raises:
            EstimatorError: the file is damaged or the library is missing.
        """
        ...


def network(name: str) -> NetworkModule:
    """Return the module of a network.

    Raises:
        EstimatorError: there is no network of this name.
    """
    if name not in NETWORKS:
        raise EstimatorError(f"estimator.name is {name!r}, must be one of {', '.join(ESTIMATORS)}")
    return cast(NetworkModule, importlib.import_module(f"{__package__}.{NETWORKS[name]}"))


def make_estimator(config: Config, log: Callable[[str], None] = lambda _: None) -> PoseEstimator:
    """Return the estimator that the configuration names, its weights loaded.

    Args:
        config: the estimator and its settings.
        log: called with one line that says what `auto` selects and why.

    Raises:
        EstimatorError: the name is unknown, or a library or the weights are missing or cannot be
            used.
    """
    name = config.estimator.name
    if name == "auto":
        name, reason = _select(config.estimator.device)
        log(f"estimator.name auto selects {name}: {reason}")
    try:
        return network(name).make(config)
    except EstimatorError:
        raise
    except (MemoryError, RuntimeError, cv2.error) as error:
        # The libraries report exhausted memory by many errors, and not always by that name.
        raise EstimatorError(
            f"estimator {name} cannot be made, probably for lack of memory: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error


def _select(device: str) -> tuple[str, str]:
    """Return the best estimator that can run here, and the reason."""
    if problem := _device_problem(device):
        return "movenet", problem
    missing = import_problem("torchvision")
    if not missing and (problem := _operators_problem(device)):
        return "movenet", problem
    if not (problem := import_problem("detectron2.modeling")):
        return "detectron2", "detectron2 can be imported and a CUDA device is available"
    if not missing:
        return "keypoint_rcnn", f"a CUDA device is available, and {problem}"
    return "movenet", f"{problem}, and {missing}"


def _device_problem(device: str) -> str:
    """Return why no GPU can be used; empty if one can be used."""
    if device == "cpu":
        return "estimator.device is cpu"
    if problem := driver_problem():
        return problem
    if problem := import_problem("torch"):
        return problem
    from poseflow_ros.estimation.torch_device import cuda_problem

    return cuda_problem(_cuda(device))


def _operators_problem(device: str) -> str:
    """Return why torchvision cannot compute on the GPU; empty where it can."""
    from poseflow_ros.estimation.torch_device import operators_problem

    return operators_problem(_cuda(device))


def _cuda(device: str) -> str:
    return "cuda" if device == "auto" else device
