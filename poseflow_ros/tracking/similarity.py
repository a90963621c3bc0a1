"""Similarity of all pairs of two sets of poses; every function returns (M, N) in [0, 1].

Shapes: M tracks and N detections, K keypoints, C correspondences. Boxes are x1 y1 x2 y2 in
pixels; `matches` is (C, 4) pixels, (x_prev, y_prev, x_now, y_now). The comparisons of x and y are
separate because broadcasting over a trailing axis of two is several times slower.
"""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray

# Area of a standing person's box, relative to the square of its height.
_AREA_OF_HEIGHT = 0.35


def box_iou(boxes_a: FloatArray, boxes_b: FloatArray) -> FloatArray:
    """Return the intersection over union of (..., M, 4) and (..., N, 4) boxes as (..., M, N)."""
    ax1, ay1, ax2, ay2 = (boxes_a[..., :, None, i] for i in range(4))
    bx1, by1, bx2, by2 = (boxes_b[..., None, :, i] for i in range(4))
    width = np.minimum(ax2, bx2) - np.maximum(ax1, bx1)
    height = np.minimum(ay2, by2) - np.maximum(ay1, by1)
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - intersection
    return _ratio(intersection, union)


def pose_iou(keypoints_a: FloatArray, keypoints_b: FloatArray, num: int, mag: float) -> FloatArray:
    """Return the mean IoU of the boxes around the `num` keypoints that overlap best.

    Args:
        keypoints_a: (M, K, 2) pixels.
        keypoints_b: (N, K, 2) pixels.
        num: number of the K keypoints that are used.
        mag: half the side of the box around a keypoint, pixels.
    """
    # The overlap of boxes of equal size depends only on the distance of their centres.
    side = 2 * mag
    width = side - np.abs(keypoints_a[:, None, :, 0] - keypoints_b[None, :, :, 0])
    height = side - np.abs(keypoints_a[:, None, :, 1] - keypoints_b[None, :, :, 1])
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    return _top_mean(intersection / (2 * side * side - intersection), num)


def oks(
    keypoints_a: FloatArray,
    scores_a: FloatArray,
    keypoints_b: FloatArray,
    scores_b: FloatArray,
    variances: FloatArray,
) -> FloatArray:
    """Return the object keypoint similarity (...,) of poses that broadcast against each other.

    As in COCO's keypoint evaluation it is the mean over the keypoints of exp(-d^2 / 2 v), here
    weighted by the scores of the keypoint in both poses.

    Args:
        keypoints_a: (..., K, 2) pixels.
        scores_a: (..., K) in [0, 1].
        keypoints_b: (..., K, 2) pixels.
        scores_b: (..., K) in [0, 1].
        variances: (..., K) pixels^2, `oks_variances`, larger if the position is uncertain.
    """
    dx = keypoints_a[..., 0] - keypoints_b[..., 0]
    dy = keypoints_a[..., 1] - keypoints_b[..., 1]
    weights = np.sqrt(scores_a * scores_b)
    alike = weights * np.exp(-(dx * dx + dy * dy) / (2 * variances))
    return _ratio(alike.sum(axis=-1), weights.sum(axis=-1))


def oks_variances(heights: FloatArray, sigmas: FloatArray) -> FloatArray:
    """Return (..., K) pixels^2, the variances of OKS for people of (...) `heights`, pixels.

    As in COCO, the standard deviation is 2 `sigmas` (K,) times the square root of the area.
    """
    area = _AREA_OF_HEIGHT * heights**2
    return area[..., None] * (2 * sigmas) ** 2


def box_correspondence_iou(
    boxes_a: FloatArray, boxes_b: FloatArray, matches: FloatArray
) -> FloatArray:
    """Return the share of correspondences that lead from box a to box b.

    It is the share of those starting in `boxes_a` (M, 4) or ending in `boxes_b` (N, 4) that do
    both; 0 if there are none.
    """
    starts = _inside(boxes_a, matches[:, 0], matches[:, 1])
    ends = _inside(boxes_b, matches[:, 2], matches[:, 3])
    return _shared(starts, ends.T)


def pose_correspondence_iou(
    keypoints_a: FloatArray, keypoints_b: FloatArray, matches: FloatArray, num: int, mag: float
) -> FloatArray:
    """Return the share of correspondences that lead from keypoint to keypoint.

    As `box_correspondence_iou`, with boxes of half side `mag` pixels around the same keypoint of
    `keypoints_a` (M, K, 2) and `keypoints_b` (N, K, 2); the mean of the `num` best keypoints.
    """
    starts = _inside(_keypoint_boxes(keypoints_a, mag), matches[:, 0], matches[:, 1])
    ends = _inside(_keypoint_boxes(keypoints_b, mag), matches[:, 2], matches[:, 3])
    # (M, K, C) and (N, K, C) -> (K, M, C) @ (K, C, N): one product counts every pair.
    shared = _shared(starts.transpose(1, 0, 2), ends.transpose(1, 2, 0))
    return _top_mean(shared.transpose(1, 2, 0), num)


def _keypoint_boxes(keypoints: FloatArray, mag: float) -> FloatArray:
    return np.concatenate([keypoints - mag, keypoints + mag], axis=-1)


def _inside(boxes: FloatArray, x: FloatArray, y: FloatArray) -> NDArray[np.float32]:
    """Return (..., C), 1 if the point lies in the (..., 4) box, as floats for matrix products."""
    x1, y1, x2, y2 = (boxes[..., i, None] for i in range(4))
    return ((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).astype(np.float32)


def _shared(starts: NDArray[np.float32], ends: NDArray[np.float32]) -> FloatArray:
    """Return intersection over union of (..., M, C) starts and (..., C, N) ends."""
    both = starts @ ends
    either = starts.sum(-1)[..., :, None] + ends.sum(-2)[..., None, :] - both
    return _ratio(both, either)


def _ratio(part: NDArray[np.floating], whole: NDArray[np.floating]) -> FloatArray:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def _top_mean(values: FloatArray, num: int) -> FloatArray:
    """Return the mean of the `num` largest values along the last axis, or of all if fewer."""
    num = min(num, values.shape[-1])
    return np.partition(values, -num, axis=-1)[..., -num:].mean(axis=-1)
