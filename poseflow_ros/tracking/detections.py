"""The detections of one frame, with the values that association needs."""

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

# The existence score of a track grows by the confidence of its detections above this.
_NO_EVIDENCE = 0.25
# Maximum overlap of boxes at which the appearance of a track is updated.
_ISOLATED_IOU = 0.2
# Two detections of one frame are duplicates if boxes or poses are at least this similar. Two
# people who embrace have similar boxes, but not similar poses.
_DUPLICATE_IOU = 0.7
_DUPLICATE_OKS = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N poses of one frame.

    Attributes:
        poses: with all keypoints of the skeleton.
        body: the poses with the body keypoints only.
        skeleton: of the poses.
        anchors: (N, 2) pixels, centre of the torso.
        scales: (N,) pixels, body scales.
        confidences: (N,) in [0, 1].
        appearances: (N, D) unit vectors, 0 where unknown.
        overlaps: (N, N) IoU of the boxes, 0 on the diagonal.
        coincident: (N, N) true for pairs whose keypoints coincide.
        duplicates: (N, N) true for pairs that are likely the same person.
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
        """(N,) contribution of each detection to the existence score."""
        return np.maximum(self.confidences - _NO_EVIDENCE, 0.0)

    @property
    def isolated(self) -> NDArray[np.bool_]:
        """(N,) true for detections whose box has little overlap with others."""
        return self.overlaps.max(axis=1, initial=0.0) < _ISOLATED_IOU


def _coincident_and_duplicates(
    body: Poses, scales: FloatArray, overlaps: FloatArray, skeleton: Skeleton
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (N, N) coincident pairs, and (N, N) duplicates by boxes, OKS or coincidence."""
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
