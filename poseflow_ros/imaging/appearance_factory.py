"""Creation of the configured appearance model."""

from poseflow_ros.config import TrackerConfig
from poseflow_ros.imaging.appearance import AppearanceModel, NoAppearance
from poseflow_ros.imaging.color_histograms import ColorHistograms
from poseflow_ros.skeletons.skeleton import Skeleton


def make_appearance_model(config: TrackerConfig, skeleton: Skeleton) -> AppearanceModel:
    """Return the appearance model for the configured association."""
    return ColorHistograms(skeleton) if config.association == "robust" else NoAppearance()
