"""Where a person's keypoints are around the tracked position."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton

# How much a keypoint counts for the position of the body: limbs swing.
_OFF_TORSO_WEIGHT = 0.3
# A remembered offset weighs less than a new one after this time, and a keypoint that is not
# visible is forgotten over the second.
_OFFSET_MEMORY_S = 0.1
_SCORE_MEMORY_S = 1.0


@dataclass(slots=True, eq=False)
class BodyShape:
    """The keypoints of M tracks, relative to their positions.

    The position is measured with the keypoints that are visible now and were before, so it does
    not jump when others appear or disappear.

    Attributes:
        offsets: (M, K, 2) pixels, of the K body keypoints.
        scores: (M, K) in [0, 1], of the keypoint when last visible, fading since.
    """

    offsets: FloatArray
    scores: FloatArray

    @classmethod
    def starting(cls, poses: Poses, anchors: FloatArray) -> "BodyShape":
        """Return the shapes of people first observed in N poses with (N, 2) anchors."""
        return cls(poses.keypoints - anchors[:, None], poses.keypoint_scores.copy())

    def measure(self, rows: IntArray, poses: Poses, skeleton: Skeleton) -> FloatArray:
        """Return (P, 2) pixels, where these tracks are if the P poses are theirs, row by row."""
        weights = _position_weights(skeleton) * self.scores[rows] * poses.keypoint_scores + 1e-6
        return _weighted_mean(poses.keypoints - self.offsets[rows], weights)

    def update(
        self,
        rows: IntArray,
        poses: Poses,
        positions: FloatArray,
        elapsed_s: FloatArray,
        skeleton: Skeleton,
    ) -> FloatArray:
        """Update these tracks with a pose each.

        Args:
            rows: (P,) tracks.
            poses: P of them.
            positions: (P, 2) pixels, as `measure` gave them.
            elapsed_s: (P,) seconds since the last pose.
            skeleton: of the poses.

        Returns:
            (P, 2) pixels by which the positions have to move so that they stay the torso's middle.
        """
        fading = np.exp(-elapsed_s / _SCORE_MEMORY_S)[:, None] * self.scores[rows]
        remembered = np.exp(-elapsed_s / _OFFSET_MEMORY_S)[:, None] * self.scores[rows]
        gains = poses.keypoint_scores / (poses.keypoint_scores + remembered + 1e-9)
        offsets = self.offsets[rows]
        offsets += gains[..., None] * (poses.keypoints - positions[:, None] - offsets)
        scores = np.maximum(poses.keypoint_scores, fading)
        shift = torso_centers(offsets, scores, skeleton)
        self.offsets[rows] = offsets - shift[:, None]
        self.scores[rows] = scores
        return shift


@cache
def _position_weights(skeleton: Skeleton) -> FloatArray:
    """Return (K,), how much each body keypoint counts for the position."""
    weights = np.full(skeleton.n_body, _OFF_TORSO_WEIGHT)
    weights[skeleton.torso_indices] = 1.0
    return weights


def torso_centers(keypoints: FloatArray, scores: FloatArray, skeleton: Skeleton) -> FloatArray:
    """Return (N, 2), the middle of the torso's keypoints of (N, K, 2), weighted by (N, K)."""
    torso = skeleton.torso_indices
    return _weighted_mean(keypoints[:, torso], scores[:, torso] + 1e-3)


def _weighted_mean(points: FloatArray, weights: FloatArray) -> FloatArray:
    mean: FloatArray = (weights[:, None] @ points)[:, 0] / weights.sum(axis=1, keepdims=True)
    return mean
