"""The appearance model that a configuration asks for."""

from poseflow_ros.config import TrackerConfig
from poseflow_ros.imaging.appearance import AppearanceModel, NoAppearance
from poseflow_ros.imaging.color_histograms import ColorHistograms
from poseflow_ros.skeletons.skeleton import Skeleton


def make_appearance_model(config: TrackerConfig, skeleton: Skeleton) -> AppearanceModel:
    """Return the model whose vectors the configured association compares."""
    return ColorHistograms(skeleton) if config.association == "robust" else NoAppearance()
