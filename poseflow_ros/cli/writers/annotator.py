"""Drawing of tracked people, and of their behaviors, on the images of a command."""

from poseflow_ros.actions.behavior_labels import check_skeleton, track_labels
from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.config import MarkersConfig
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.poses import Image, TrackedPoses
from poseflow_ros.skeletons.skeleton import Skeleton


class Annotator:
    """Draws the people of consecutive images."""

    def __init__(self, skeleton: Skeleton, config: MarkersConfig) -> None:
        """Make an annotator.

        Raises:
            ConfigError: `markers.behaviors` is set and the skeleton has other keypoints.
        """
        self._skeleton = skeleton
        self._min_keypoint_score = config.min_keypoint_score
        self._recognizer = behavior_recognizer(skeleton, config)

    def __call__(self, image: Image, stamp_s: float, tracked: TrackedPoses) -> Image:
        """Return a copy of the image with all visible people drawn on it."""
        labels = None
        if self._recognizer:
            seen = PoseFrame.from_tracked(tracked, stamp_s, image.shape[:2])
            labels = track_labels(tracked.track_ids, self._recognizer.update(seen))
        return draw(image, tracked, self._skeleton, self._min_keypoint_score, labels)


def behavior_recognizer(skeleton: Skeleton, config: MarkersConfig) -> BehaviorRecognizer | None:
    """Return what recognizes behaviors; None unless `markers.behaviors` is set.

    Raises:
        ConfigError: the skeleton has other keypoints.
    """
    if not config.behaviors:
        return None
    check_skeleton(skeleton)
    return BehaviorRecognizer()
