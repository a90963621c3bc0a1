"""Keypoints in the order of another data set."""

from collections.abc import Sequence

import numpy as np

from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton


def keypoints_named(poses: Poses, skeleton: Skeleton, names: Sequence[str]) -> FloatArray:
    """Return (N, len(names), 3): x, y in pixels and score; zeros where a name is unknown.

    Args:
        poses: of N people.
        skeleton: of the poses.
        names: in the order wanted.
    """
    rows = np.zeros((len(poses), len(names), 3))
    known = {name: index for index, name in enumerate(skeleton.keypoint_names)}
    for column, name in enumerate(names):
        if name in known:
            rows[:, column, :2] = poses.keypoints[:, known[name]]
            rows[:, column, 2] = poses.keypoint_scores[:, known[name]]
    return rows


def corner_and_size(poses: Poses) -> FloatArray:
    """Return (N, 4) boxes: left, top, width, height, pixels."""
    boxes: FloatArray = poses.boxes.copy()
    boxes[:, 2:] -= boxes[:, :2]
    return boxes
