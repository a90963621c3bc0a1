"""Appearance model based on the colors of torso and legs."""

from collections.abc import Sequence

import cv2
import numpy as np

from poseflow_ros.poses import FloatArray, Image, Poses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.appearance_likelihood import AppearanceLikelihood

# The used keypoints, and their indices in this order.
_USED = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "hip", "knee", "ankle")
    for side in ("left", "right")
)
_LEFT_SHOULDER, _RIGHT_SHOULDER, _LEFT_HIP, _RIGHT_HIP = range(4)
_LEG_BONES = np.array([(2, 4), (4, 6), (3, 5), (5, 7)])

# Sample positions on the torso: across its width, and down from shoulders to hips. Seen from the
# side, left and right keypoints coincide, so the width has a minimum relative to the length.
_ACROSS = np.linspace(-0.8, 0.8, 6)
_DOWN = np.linspace(0.05, 0.95, 8)
_LEAST_WIDTH = 0.45
# Sample positions along the leg bones, and to either side, relative to the torso length.
_ALONG = np.linspace(0.15, 0.9, 6)
_BESIDE = np.array([-0.06, 0.06])

# Histograms over L, a and b of CIELAB as OpenCV scales it to 8 bits: range and bins.
_CHANNELS = ((0, 255, 16), (100, 156, 12), (100, 156, 12))
_DIMENSIONS = 2 * sum(bins for _, _, bins in _CHANNELS)
# A body part is unknown if less than this share of its samples is inside the image.
_LEAST_INSIDE = 0.5
# Coordinates are clipped to this, pixels: larger squares would overflow.
_FAR_PX = 1e6


class ColorHistograms:
    """Describes people by color histograms of torso and legs.

    The dot product of two vectors is the Bhattacharyya coefficient of the histograms.
    """

    likelihood = AppearanceLikelihood(
        weight=2.5,
        max_ratio=3.0,
        min_hits=3.0,
        typical_distance=0.11,
        prior_people=3,
        max_distinctiveness=1.35,
    )

    def __init__(self, skeleton: Skeleton) -> None:
        self._used = [skeleton.keypoint_names.index(name) for name in _USED]
        # OpenCV computes its tables during the first conversion, which takes 0.1 s.
        cv2.cvtColor(np.zeros((1, 1, 3), np.uint8), cv2.COLOR_RGB2LAB)

    def describe(self, images: Sequence[Image], poses: Sequence[Poses]) -> list[FloatArray]:
        """See AppearanceModel; returns (N, 80) unit vectors for each image."""
        return [self._describe(*pair) for pair in zip(images, poses, strict=True)]

    def _describe(self, image: Image, poses: Poses) -> FloatArray:
        if not len(poses):
            return np.zeros((0, _DIMENSIONS))
        keypoints = poses.keypoints[:, self._used].clip(-_FAR_PX, _FAR_PX)
        torso, legs = _torso_points(keypoints), _leg_points(keypoints)
        points = np.concatenate([torso, legs], axis=1)
        far = max(image.shape)
        points = np.nan_to_num(points, nan=far).clip(-far, far)
        x, y = np.rint(points).astype(int).transpose(2, 0, 1)
        height, width = image.shape[:2]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        pixels = image[y.clip(0, height - 1), x.clip(0, width - 1)]
        lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
        n = torso.shape[1]
        torso_known, legs_known = (
            part.mean(axis=1, keepdims=True) >= _LEAST_INSIDE
            for part in (inside[:, :n], inside[:, n:])
        )
        of_torso, of_legs = (
            _histograms(lab[:, :n], inside[:, :n]),
            _histograms(lab[:, n:], inside[:, n:]),
        )
        # The legs of near people are often below the image; the torso is used instead.
        of_legs = np.where(legs_known, of_legs, of_torso)
        return np.hstack([of_torso, of_legs]) / np.sqrt(2) * torso_known


def _torso_points(keypoints: FloatArray) -> FloatArray:
    """Return (N, S, 2) pixels, distributed evenly over the torsos."""
    left, right = keypoints[:, _LEFT_SHOULDER], keypoints[:, _RIGHT_SHOULDER]
    left_hip, right_hip = keypoints[:, _LEFT_HIP], keypoints[:, _RIGHT_HIP]
    top = (left + right) / 2
    axis = (left_hip + right_hip) / 2 - top
    length = np.linalg.norm(axis, axis=1)
    width = np.maximum(
        np.linalg.norm(left - right, axis=1), np.linalg.norm(left_hip - right_hip, axis=1)
    )
    half = np.maximum(width, _LEAST_WIDTH * length) / 2
    aside = _perpendicular(axis) * half[:, None]
    points = (
        top[:, None, None]
        + _DOWN[:, None, None] * axis[:, None, None]
        + _ACROSS[:, None] * aside[:, None, None]
    )
    return points.reshape(len(keypoints), -1, 2)


def _leg_points(keypoints: FloatArray) -> FloatArray:
    """Return (N, S, 2) pixels along the legs."""
    ends = keypoints[:, _LEG_BONES]
    start, bone = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]
    shoulders = keypoints[:, [_LEFT_SHOULDER, _RIGHT_SHOULDER]].mean(axis=1)
    axis = keypoints[:, [_LEFT_HIP, _RIGHT_HIP]].mean(axis=1) - shoulders
    aside = _perpendicular(axis) * np.linalg.norm(axis, axis=1)[:, None]
    points = (
        start[:, :, None, None]
        + _ALONG[:, None, None] * bone[:, :, None, None]
        + _BESIDE[:, None] * aside[:, None, None, None]
    )
    return points.reshape(len(keypoints), -1, 2)


def _perpendicular(vectors: FloatArray) -> FloatArray:
    """Return (N, 2) perpendicular unit vectors; 0 for zero vectors."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    turned = np.stack([-vectors[:, 1], vectors[:, 0]], axis=1)
    return np.divide(turned, length, out=np.zeros_like(turned), where=length > 0)


def _histograms(lab: Image, inside: FloatArray) -> FloatArray:
    """Return (N, B) square roots of histograms, unit vectors, of (N, S, 3) colors.

    Each color is distributed linearly over the two nearest bins.
    """
    people = np.arange(len(lab))[:, None]
    weights = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1e-9)
    histograms = []
    for channel, (low, high, bins) in enumerate(_CHANNELS):
        place = ((lab[..., channel] - float(low)) * ((bins - 1) / (high - low))).clip(0, bins - 1)
        lower = np.minimum(place.astype(int), bins - 2)
        share = place - lower
        index = (people * bins + lower).ravel()
        size = len(lab) * bins
        histogram = np.bincount(index, (weights * (1 - share)).ravel(), size)
        histogram += np.bincount(index + 1, (weights * share).ravel(), size)
        histograms.append(histogram.reshape(-1, bins))
    return np.sqrt(np.hstack(histograms) / len(_CHANNELS))
