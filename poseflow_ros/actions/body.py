"""Measures of people's bodies, in the image or in 3D, relative to the body's own size."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.poses import FloatArray

# COCO-17, which the larger skeletons begin with.
NOSE = 0
EYES = [1, 2]
SHOULDERS, ELBOWS, WRISTS = [5, 6], [7, 8], [9, 10]
HIPS, KNEES, ANKLES = [11, 12], [13, 14], [15, 16]
N_KEYPOINTS = 17

_THIGH, _SHANK = 0.72, 0.70
"""Lengths relative to the torso, from shoulders to hips, of people who stand upright: the medians
of the first half of the class Stand of pose-classification-kit."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Measures of N people; NaN where a keypoint that they need is unknown.

    `scale` is the length of the torso, or what the thighs or shanks say it is where that is more:
    a limb that points to the camera looks shorter, never longer.

    Attributes:
        scale: (N,) pixels or metres.
        rise: (N,) how far the shoulders are above the hips, in scales: 1 upright, 0 lying.
        reach: (N,) how far the lower ankle is below the hips, in scales: 1.2 to 1.4 standing.
        drop: (N,) how far the lower knee is below the hips, in scales: 0.6 to 0.75 standing.
        lean_deg: (N,) angle of the torso from the vertical, degrees.
    """

    scale: FloatArray
    rise: FloatArray
    reach: FloatArray
    drop: FloatArray
    lean_deg: FloatArray

    @classmethod
    def of(cls, points: FloatArray, heights: FloatArray) -> "Body":
        """Return the measures.

        Args:
            points: (N, 17, 2 or 3) pixels or metres; NaN where unknown.
            heights: (N, 17) of the same points, upwards, in the same unit.
        """
        torso = middle(points, SHOULDERS) - middle(points, HIPS)
        length = np.sqrt(dot(torso, torso))
        thighs = _longest(points, HIPS, KNEES)
        shanks = _longest(points, KNEES, ANKLES)
        scale = np.fmax(length, np.fmax(thighs / _THIGH, shanks / _SHANK))
        hips = middle(heights, HIPS)
        rise = middle(heights, SHOULDERS) - hips
        knee, ankle = (np.fmin(*heights[:, pair].T) for pair in (KNEES, ANKLES))
        return cls(
            scale=scale,
            rise=rise / scale,
            reach=(hips - ankle) / scale,
            drop=(hips - knee) / scale,
            lean_deg=np.degrees(np.arccos(np.clip(rise / length, -1.0, 1.0))),
        )

    def replaced_where_known(self, other: "Body") -> "Body":
        """Return the measures of `other` for the people whose torso it knows."""
        known = np.isfinite(other.rise)
        return Body(
            *(np.where(known, getattr(other, n), getattr(self, n)) for n in self.__slots__)
        )


def middle(values: FloatArray, pair: list[int]) -> FloatArray:
    """Return the mean of two keypoints, or the one that is known.

    Args:
        values: (N, K, ...).
        pair: two indices of the second axis.
    """
    left, right = values[:, pair[0]], values[:, pair[1]]
    return 0.5 * (np.where(np.isnan(left), right, left) + np.where(np.isnan(right), left, right))


def _longest(points: FloatArray, starts: list[int], ends: list[int]) -> FloatArray:
    """Return (N,) the longer of two limbs."""
    limbs = points[:, starts] - points[:, ends]
    return np.sqrt(np.fmax(*dot(limbs, limbs).T))


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (...,) the scalar products of (..., D) vectors."""
    products: FloatArray = np.einsum("...i,...i->...", a, b)
    return products
