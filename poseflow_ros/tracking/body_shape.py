"""Offsets of a person's keypoints from the tracked position."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton

# Weights of keypoints in the position of the body; limbs swing and have lower weights.
_OFF_TORSO_WEIGHT = 0.3
# Time constants with which a stored offset is replaced by new ones, and with which the score of a
# keypoint that is not visible decays.
_OFFSET_MEMORY_S = 0.1
_SCORE_MEMORY_S = 1.0


@dataclass(slots=True, eq=False)
class BodyShape:
    """The keypoints of M tracks, relative to their positions.

    A position is measured with the keypoints that are visible in both the track and the pose, so
    it does not jump when keypoints appear or disappear.

    Attributes:
        offsets: (M, K, 2) pixels, of the K body keypoints.
        scores: (M, K) in [0, 1], of the keypoint when last visible, decaying since then.
    """

    offsets: FloatArray
    scores: FloatArray

    @classmethod
    def starting(cls, poses: Poses, anchors: FloatArray) -> "BodyShape":
        """Return the shapes of N new tracks from their poses and (N, 2) anchors."""
        return cls(poses.keypoints - anchors[:, None], poses.keypoint_scores.copy())

    def measure(self, rows: IntArray, poses: Poses, skeleton: Skeleton) -> FloatArray:
        """Return (P, 2) pixels, the position of track `i` measured with pose `i` of P poses."""
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
        """Update tracks with one pose each.

        Args:
            rows: (P,) tracks.
            poses: P of them.
            positions: (P, 2) pixels, from `measure`.
            elapsed_s: (P,) seconds since the last pose.
            skeleton: of the poses.

        Returns:
            (P, 2) pixels, the shift that keeps the positions at the centre of the torso.
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
    """Return (K,), the weight of each body keypoint in the position."""
    weights = np.full(skeleton.n_body, _OFF_TORSO_WEIGHT)
    weights[skeleton.torso_indices] = 1.0
    return weights


def torso_centers(keypoints: FloatArray, scores: FloatArray, skeleton: Skeleton) -> FloatArray:
    """Return (N, 2), the weighted mean of the torso keypoints of (N, K, 2), weights (N, K)."""
    torso = skeleton.torso_indices
    return _weighted_mean(keypoints[:, torso], scores[:, torso] + 1e-3)


def _weighted_mean(points: FloatArray, weights: FloatArray) -> FloatArray:
    mean: FloatArray = (weights[:, None] @ points)[:, 0] / weights.sum(axis=1, keepdims=True)
    return mean
