"""Detections of overlapping tiles become one detection for each person."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.similarity import box_iou, oks, oks_variances

# A box that comes this near to a tile's border inside the image is cut, in shares of the tile.
_BORDER = 0.01
# Keypoints of at least this score are visible.
_VISIBLE = 0.3
# Of two detections of a person, so many more visible keypoints make the better one.
_MANY_MORE = 4
# Two detections are one person where their boxes overlap this much; or where so much of the lesser
# one's box lies in the other's and their keypoints are this similar (OKS), all of them or those
# that are visible in the lesser one.
_SAME_IOU = 0.4
_CONTAINED = 0.5
_SAME_OKS = 0.3
_SAME_PART_OKS = 0.5


def merge_tiles(
    detections: Sequence[Poses], regions: IntArray, image: IntArray, skeleton: Skeleton
) -> Poses:
    """Return the people of an image, each once.

    People cut by the border of a tile are left out: they are complete in another tile or in the
    whole image. Of several detections of a person, that with many more visible keypoints or,
    failing that, the higher score is kept.

    Args:
        detections: the poses found in each region, in pixels of the image.
        regions: (R, 4) x1 y1 x2 y2 pixels.
        image: (4,) the region of the whole image.
        skeleton: of the poses.
    """
    complete = [
        poses[~_cut(poses, region, image)]
        for poses, region in zip(detections, regions, strict=True)
    ]
    poses = Poses.joined([Poses.empty(skeleton.n_keypoints), *complete])
    n_visible = (poses.keypoint_scores >= _VISIBLE).sum(axis=1)
    poses = poses[np.lexsort([-poses.scores, -np.round(n_visible / _MANY_MORE)])]
    same = _same_person(poses, skeleton)
    kept: list[int] = []
    for index in range(len(poses)):
        if not same[kept, index].any():
            kept.append(index)
    return poses[np.array(kept, np.int64)]


def _cut(poses: Poses, region: IntArray, image: IntArray) -> NDArray[np.bool_]:
    """Return (N,), whether a border of the region inside the image cuts the person."""
    margin = _BORDER * (region[2:] - region[:2]).max()
    low = (poses.boxes[:, :2] < region[:2] + margin) & (region[:2] > image[:2])
    high = (poses.boxes[:, 2:] > region[2:] - margin) & (region[2:] < image[2:])
    return (low | high).any(axis=1)


def _same_person(poses: Poses, skeleton: Skeleton) -> NDArray[np.bool_]:
    """Return (N, N), whether row and column are one person, of which the row is seen better."""
    same = box_iou(poses.boxes, poses.boxes) > _SAME_IOU
    rows, columns = np.nonzero(_containment(poses.boxes) > _CONTAINED)
    similarity, of_part = _similarities(poses[rows], poses[columns], skeleton)
    same[rows, columns] |= (similarity > _SAME_OKS) | (of_part > _SAME_PART_OKS)
    return same


def _containment(boxes: FloatArray) -> FloatArray:
    """Return (N, N), the share of each column's box that lies in the row's."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-9)
    return np.maximum(high - low, 0).prod(axis=2) / areas


def _similarities(a: Poses, b: Poses, skeleton: Skeleton) -> tuple[FloatArray, FloatArray]:
    """Return (P,) OKS of pairs: by all keypoints, and by those that are visible in b.

    The higher of two: a network may take left for right in one of two tiles.
    """
    variances = oks_variances(np.maximum(a.heights, b.heights), np.array(skeleton.oks_sigmas))
    visible = b.keypoint_scores * (b.keypoint_scores >= _VISIBLE)
    mirrored = np.arange(skeleton.n_keypoints)
    for left, right in skeleton.flip_pairs:
        mirrored[[left, right]] = right, left

    def similarity(scores: FloatArray) -> FloatArray:
        both = [
            oks(a.keypoints[:, i], a.keypoint_scores[:, i], b.keypoints, scores, variances)
            for i in (slice(None), mirrored)
        ]
        return np.maximum(*both)

    return similarity(b.keypoint_scores), similarity(visible)
