"""The similarity of PoseFlow as published (Xiu et al., BMVC 2018, and the authors' program)."""

import numpy as np

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.tracking.similarity import (
    box_correspondence_iou,
    box_iou,
    pose_correspondence_iou,
    pose_iou,
)

# Weights of box correspondence IoU, box IoU, pose correspondence IoU and pose IoU. There are
# correspondences with the previous frame only, so older sights go by overlap alone.
PREVIOUS_FRAME_WEIGHTS = np.array([1.0, 2.0, 1.0, 2.0])
OLDER_WEIGHTS = np.array([0.0, 1.0, 0.0, 1.0])

_BOX_GROWTH = 1.2


def grade(
    tracks: Poses,
    in_previous: np.ndarray[tuple[int], np.dtype[np.bool_]],
    poses: Poses,
    matches: FloatArray,
    config: TrackerConfig,
) -> tuple[FloatArray, FloatArray]:
    """Return how well each pose continues each track.

    Args:
        tracks: the last pose seen of M tracks.
        in_previous: (M,) true for those seen in the previous frame.
        poses: N poses of this frame.
        matches: (C, 4) correspondences of the previous frame and this one.
        config: `num` and `mag`.

    Returns:
        (M, N) grades, and the (M, 1) greatest that each track can have.
    """
    weights = np.where(in_previous[:, None], PREVIOUS_FRAME_WEIGHTS, OLDER_WEIGHTS)
    boxes = pose_boxes(poses.keypoints)
    track_boxes = pose_boxes(tracks.keypoints)
    num, mag = config.num, config.mag
    grades = weights[:, 1:2] * box_iou(track_boxes, boxes)
    grades += weights[:, 3:4] * pose_iou(tracks.keypoints, poses.keypoints, num, mag)
    if len(matches) and in_previous.any():
        before = tracks.keypoints[in_previous]
        weight = PREVIOUS_FRAME_WEIGHTS
        grades[in_previous] += weight[0] * box_correspondence_iou(
            track_boxes[in_previous], boxes, matches
        ) + weight[2] * pose_correspondence_iou(before, poses.keypoints, matches, num, mag)
    return grades, weights.sum(axis=1, keepdims=True)


def pose_boxes(keypoints: FloatArray) -> FloatArray:
    """Return the (N, 4) boxes around (N, K, 2) keypoints with the authors' margin.

    The margin r on each side solves (w + r)(h + r) = 1.2 w h.
    """
    low, high = keypoints.min(axis=1), keypoints.max(axis=1)
    width, height = (high - low).T
    half = (width + height) / 2
    margin = np.sqrt(half**2 + (_BOX_GROWTH - 1) * width * height) - half
    return np.hstack([low - margin[:, None], high + margin[:, None]])
