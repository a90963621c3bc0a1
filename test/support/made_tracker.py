"""The tracker of most tests."""

from poseflow_ros.config import TrackerConfig
from poseflow_ros.imaging.color_histograms import ColorHistograms
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.tracker import PoseFlowTracker


def make_tracker(**config):
    """Return a tracker that compares appearances as if they were color histograms."""
    return PoseFlowTracker(TrackerConfig(**config), COCO_17, appearance=ColorHistograms.likelihood)
