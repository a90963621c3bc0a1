"""Keypoint R-CNN of detectron2: any keypoint configuration of its model zoo."""

import os
import re
from pathlib import Path
from typing import Any

from poseflow_ros.config import Config
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.libraries import require
from poseflow_ros.estimation.sources import WebAddress
from poseflow_ros.estimation.weights import CHECKPOINT_SUFFIXES, ModelFile, expand_home, find

_URL = "https://dl.fbaipublicfiles.com"
# The keypoint configurations of the model zoo; a file name ends with the beginning of the MD5.
_FILES = {
    "COCO-Keypoints/keypoint_rcnn_R_50_FPN_1x": "137261548/model_final_04e291.pkl",
    "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x": "137849621/model_final_a6e10b.pkl",
    "COCO-Keypoints/keypoint_rcnn_R_101_FPN_3x": "138363331/model_final_997cc7.pkl",
    "COCO-Keypoints/keypoint_rcnn_X_101_32x8d_FPN_3x": "139686956/model_final_5ad38f.pkl",
    "Detectron1-Comparisons/keypoint_rcnn_R_50_FPN_1x": "137781195/model_final_cce136.pkl",
}


def require_library() -> None:
    """Import detectron2.

    Raises:
        EstimatorError: it cannot be imported; the text says how to install it.
    """
    require("detectron2.modeling", "to install it from its main branch: see docs/models.md")


def published() -> tuple[ModelFile, ...]:
    """Return the weights that detectron2 publishes, kept in its own cache."""
    return tuple(_model_file(name) for name in _FILES)


def published_for(config: str) -> ModelFile | None:
    """Return the published weights of a configuration, .yaml or .py; None if there are none."""
    name = re.sub(r"\.(yaml|py)$", "", config)
    return _model_file(name) if name in _FILES else None


def _model_file(name: str) -> ModelFile:
    path = Path("detectron2", name, _FILES[name])
    # The folder of iopath, with which detectron2 downloads.
    cache = expand_home(Path(os.environ.get("FVCORE_CACHE", "~/.torch/iopath_cache")))
    return ModelFile(
        title=f"{name}.yaml",
        name=path.name,
        source=WebAddress(f"{_URL}/{path}"),
        digest=path.stem.rpartition("_")[2],
        algorithm="md5",
        folder=cache / path.parent,
    )


def make(config: Config) -> PoseEstimator:
    """Return the estimator, its weights loaded.

    Raises:
        EstimatorError: a parameter, the device, detectron2 or the weights cannot be used.
    """
    require_library()
    from poseflow_ros.estimation.detectron2_network import Detectron2Network, read_model
    from poseflow_ros.estimation.keypoint_rcnn import KeypointRCNN

    def load(device: Any, precision: Any) -> Detectron2Network:
        name = config.estimator.detectron2_config
        model = read_model(name, find(config.estimator.weights, published_for(name)))
        return Detectron2Network(model, config.estimator, device, precision)

    return KeypointRCNN(config.estimator, load)


def verify(path: Path, config: Config) -> str | None:
    """Load a file of weights for `detectron2_config`; return the network's name.

    Returns None if the file is of another network.

    Raises:
        EstimatorError: the file is damaged or does not fit the configuration, or detectron2 is
            missing.
    """
    if path.suffix not in CHECKPOINT_SUFFIXES:
        return None
    require("torch", "to install it: python3 -m pip install torch")
    from poseflow_ros.estimation.checkpoints import read_checkpoint

    if not any(name.startswith("proposal_generator.") for name in read_checkpoint(path)):
        return None
    require_library()
    from poseflow_ros.estimation.detectron2_network import read_model

    read_model(config.estimator.detectron2_config, path)
    return f"detectron2's {config.estimator.detectron2_config}"
