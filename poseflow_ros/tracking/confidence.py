"""How sure it is that a pose is a person's."""

from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton


def confidences(poses: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (N,) in [0, 1]: half the person's score, half the mean of the body keypoints'.

    Detectors differ in which of the two tells people from false positives; the sum does in all.
    """
    return (poses.scores + poses.keypoint_scores[:, : skeleton.n_body].mean(axis=1)) / 2
