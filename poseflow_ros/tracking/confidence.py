"""The confidence of a detection."""

from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton


def confidences(poses: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (N,) in [0, 1]: the mean of the person score and the mean body keypoint score.

    Detectors differ in which of the two separates people from false positives; the mean works for
    all of them.
    """
    return (poses.scores + poses.keypoint_scores[:, : skeleton.n_body].mean(axis=1)) / 2
