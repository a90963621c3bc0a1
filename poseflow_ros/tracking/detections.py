"""The poses of one frame, and what association asks of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.body_scale import body_scales
from poseflow_ros.tracking.body_shape import torso_centers
from poseflow_ros.tracking.confidence import confidences
from poseflow_ros.tracking.pose_flow import SAME_PERSON, pose_distances
from poseflow_ros.tracking.similarity import box_iou, oks, oks_variances

# A detection speaks for a person by how far its confidence exceeds this.
_NO_EVIDENCE = 0.25
# Appearance is learned where boxes overlap less than this.
_ISOLATED_IOU = 0.2
# Two detections of one frame are one person found twice where boxes or poses are this alike.
# Two people who embrace share most of a box, but not the pose.
_DUPLICATE_IOU = 0.7
_DUPLICATE_OKS = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N poses of one frame.

    Attributes:
        poses: with all keypoints of the skeleton.
        body: the same with the body keypoints alone.
        skeleton: of the poses.
        anchors: (N, 2) pixels, the torso's middle.
        scales: (N,) pixels, body scales.
        confidences: (N,) in [0, 1].
        appearances: (N, D) unit vectors, 0 where unknown.
        overlaps: (N, N) IoU of the boxes, 0 with itself.
        coincident: (N, N) whether the keypoints of two coincide.
        duplicates: (N, N) whether two are likely one person.
    """

    poses: Poses
    body: Poses
    skeleton: Skeleton
    anchors: FloatArray
    scales: FloatArray
    confidences: FloatArray
    appearances: FloatArray
    overlaps: FloatArray
    coincident: NDArray[np.bool_]
    duplicates: NDArray[np.bool_]

    @classmethod
    def of(cls, poses: Poses, appearances: FloatArray, skeleton: Skeleton) -> "Detections":
        """Return the detections of these N poses with (N, D) appearances."""
        body, scales = poses.first_keypoints(skeleton.n_body), body_scales(poses, skeleton)
        overlaps = box_iou(poses.boxes, poses.boxes)
        np.fill_diagonal(overlaps, 0.0)
        return cls(
            poses,
            body,
            skeleton,
            torso_centers(body.keypoints, body.keypoint_scores, skeleton),
            scales,
            confidences(poses, skeleton),
            appearances,
            overlaps,
            *_coincident_and_duplicates(body, scales, overlaps, skeleton),
        )

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def existence_gains(self) -> FloatArray:
        """(N,) how much each detection speaks for there being a person."""
        return np.maximum(self.confidences - _NO_EVIDENCE, 0.0)

    @property
    def isolated(self) -> NDArray[np.bool_]:
        """(N,) true for those whose box overlaps no other much."""
        return self.overlaps.max(axis=1, initial=0.0) < _ISOLATED_IOU


def _coincident_and_duplicates(
    body: Poses, scales: FloatArray, overlaps: FloatArray, skeleton: Skeleton
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (N, N), by the keypoints that coincide; and by box, all keypoints, or those."""
    coincident, duplicates = np.zeros(overlaps.shape, bool), overlaps > _DUPLICATE_IOU
    i, j = np.nonzero(np.triu(overlaps))
    if len(i):
        first, second = body[i], body[j]
        similarity = oks(
            first.keypoints,
            first.keypoint_scores,
            second.keypoints,
            second.keypoint_scores,
            oks_variances(np.maximum(scales[i], scales[j]), skeleton.body_sigmas),
        )
        same = pose_distances(first, second, skeleton) < SAME_PERSON
        coincident[i, j] = coincident[j, i] = same
        alike = same | (similarity > _DUPLICATE_OKS) | duplicates[i, j]
        duplicates[i, j] = duplicates[j, i] = alike
    return coincident, duplicates
