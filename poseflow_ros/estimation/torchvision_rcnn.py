"""Keypoint R-CNN of torchvision, a ResNet with a feature pyramid network."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.libraries import require
from poseflow_ros.estimation.sources import WebAddress
from poseflow_ros.estimation.weights import (
    CHECKPOINT_SUFFIXES,
    ModelFile,
    expand_home,
    find,
    is_intact,
)

_URL = "https://download.pytorch.org/models/keypointrcnn_resnet50_fpn_coco-fc266e95.pth"
# torchvision's file names end with the beginning of the SHA-256.
_DIGEST = "fc266e95"


def require_library() -> None:
    """Import torchvision.

    Raises:
        EstimatorError: it cannot be imported; the message describes the installation.
    """
    require("torchvision", "to install it: python3 -m pip install torch torchvision")


def published() -> tuple[ModelFile, ...]:
    """Return the weights that torchvision publishes, kept in torch's own cache."""
    return (
        ModelFile(
            title="keypoint_rcnn",
            name=_URL.rpartition("/")[2],
            source=WebAddress(_URL),
            digest=_DIGEST,
            folder=_torch_cache(),
        ),
    )


def _torch_cache() -> Path:
    """Return the folder of torch.hub's files, as torch does."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return expand_home(Path(home)) / "hub" / "checkpoints"


def make(config: Config) -> PoseEstimator:
    """Return the estimator, its weights loaded.

    Raises:
        EstimatorError: a parameter, the device, torchvision or the weights cannot be used.
    """
    require_library()
    from poseflow_ros.estimation.keypoint_rcnn import KeypointRCNN

    return KeypointRCNN(config.estimator, partial(_load, config.estimator))


def export(config: Config, size: tuple[int, int], files: Sequence[Path]) -> None:
    """Write the network with its weights to ONNX files, for images of one size.

    Args:
        config: the weights, the sides of the input and the maximum number of people.
        size: height and width of the images, pixels.
        files: where to write, in the order of `onnx_parts.parts`.

    Raises:
        EstimatorError: the package onnx, torchvision or the weights are missing or cannot be used,
            or torch cannot export the network.
        OSError: a file cannot be written.
    """
    require_library()
    require("onnx", "to install it: python3 -m pip install onnx")
    import torch

    from poseflow_ros.estimation.onnx_export import export_parts

    network = _load(config.estimator, torch.device("cpu"), torch.float32)
    export_parts(network, size, files)


def _load(config: EstimatorConfig, device: Any, precision: Any) -> Any:
    """Return the network with the weights of the configuration, on a device."""
    from poseflow_ros.estimation.torchvision_network import TorchvisionNetwork

    model = read_model(find(config.weights, published()[0]))
    return TorchvisionNetwork(model, config, device, precision)


def verify(path: Path, config: Config) -> str | None:
    """Load a file of weights; return the network's name, None if it is of another network.

    Raises:
        EstimatorError: the file is damaged or torchvision is missing.
    """
    if path.suffix not in CHECKPOINT_SUFFIXES:
        return None
    require_library()
    from poseflow_ros.estimation.checkpoints import read_checkpoint

    if not any(name.startswith("backbone.body.") for name in read_checkpoint(path)):
        return None
    read_model(path)
    return "torchvision's Keypoint R-CNN"


def read_model(path: Path) -> Any:
    """Return torchvision's model in evaluation mode with the weights of a file.

    The file holds a state dictionary, as `torch.save(model.state_dict(), path)` writes it, or a
    checkpoint with one under `model`.

    Raises:
        EstimatorError: the file cannot be read, or its weights are of another network.
    """
    from poseflow_ros.estimation.torchvision_network import build_model

    # torchvision trained its own weights with norms that divide by the variance alone.
    return build_model(path, norm_eps=0.0 if is_intact(published()[0], path) else None)
