"""An array interface of the tracker, for programs that compare trackers."""

from collections.abc import Callable

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.tracker import PoseFlowTracker

Track = Callable[
    [FloatArray, FloatArray, FloatArray, FloatArray, float], tuple[IntArray, FloatArray]
]
"""From keypoints (N, 17, 2), keypoint_scores (N, 17), boxes (N, 4), scores (N,) and stamp_s."""


def make_tracker(association: str) -> Track:
    """Return a function that tracks one sequence without images, frame by frame.

    It returns the ids (K,) and boxes (K, 4) of the confirmed, visible people.

    Args:
        association: `robust` or `classic`.

    Raises:
        ConfigError: there is no such association.
    """
    tracker = PoseFlowTracker(TrackerConfig(association=association), COCO_17)

    def track(
        keypoints: FloatArray,
        keypoint_scores: FloatArray,
        boxes: FloatArray,
        scores: FloatArray,
        stamp_s: float,
    ) -> tuple[IntArray, FloatArray]:
        tracked = tracker.update(Poses(keypoints, keypoint_scores, boxes, scores), None, stamp_s)
        visible = tracked[tracked.visible]
        return visible.track_ids, visible.poses.boxes

    return track
