"""Measures of people's bodies, in the image or in 3D, relative to the body's own size."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.poses import FloatArray

# COCO-17, which the larger skeletons begin with.
NOSE = 0
# Slices, because indexing with lists copies.
EYES = slice(1, 3)
SHOULDERS, ELBOWS, WRISTS = slice(5, 7), slice(7, 9), slice(9, 11)
N_KEYPOINTS = 17
_HIPS_AND_KNEES, _KNEES_AND_ANKLES = slice(11, 15), slice(13, 17)
_TORSO = [5, 6, 11, 12]

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
        stance: (N,) distance between the knees or the ankles, the smaller one, in scales.
    """

    scale: FloatArray
    rise: FloatArray
    reach: FloatArray
    drop: FloatArray
    lean_deg: FloatArray
    stance: FloatArray

    @classmethod
    def of(cls, points: FloatArray, heights: FloatArray) -> "Body":
        """Return the measures.

        Args:
            points: (N, 17, 2 or 3) pixels or metres; NaN where unknown.
            heights: (N, 17) of the same points, upwards, in the same unit.
        """
        shoulders, hips = _middles(points[:, _TORSO])
        torso = shoulders - hips
        length = np.sqrt(dot(torso, torso))
        scale = np.fmax(length, _scale_of_legs(points))
        shoulder_heights, hip_heights = _middles(heights[:, _TORSO])
        rise = shoulder_heights - hip_heights
        ends = heights[:, _KNEES_AND_ANKLES]
        knee, ankle = np.fmin(ends[:, ::2], ends[:, 1::2]).T
        return cls(
            scale=scale,
            rise=rise / scale,
            reach=(hip_heights - ankle) / scale,
            drop=(hip_heights - knee) / scale,
            lean_deg=degrees(rise / length),
            stance=_stance(points) / scale,
        )

    def replaced_where_known(self, other: "Body") -> "Body":
        """Return the measures of `other` for the people whose torso it knows."""
        known = np.isfinite(other.rise)
        return Body(
            *(np.where(known, getattr(other, n), getattr(self, n)) for n in self.__slots__)
        )


def _middles(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (N, ...) the means of two pairs of keypoints, or the one of a pair that is known.

    Args:
        values: (N, 4, ...) left and right keypoint of each pair.
    """
    left, right = values[:, ::2], values[:, 1::2]
    means = 0.5 * (np.where(np.isnan(left), right, left) + np.where(np.isnan(right), left, right))
    return means[:, 0], means[:, 1]


def _scale_of_legs(points: FloatArray) -> FloatArray:
    """Return (N,) the length of the torso that the longest thigh and shank correspond to."""
    limbs = points[:, _HIPS_AND_KNEES] - points[:, _KNEES_AND_ANKLES]
    squares = dot(limbs, limbs)
    longest = np.sqrt(np.fmax(squares[:, ::2], squares[:, 1::2]))
    return np.fmax(*(longest / (_THIGH, _SHANK)).T)


def _stance(points: FloatArray) -> FloatArray:
    """Return (N,) the distance between the knees or the ankles, the smaller one."""
    ends = points[:, _KNEES_AND_ANKLES]
    across = ends[:, ::2] - ends[:, 1::2]
    return np.sqrt(np.minimum(*dot(across, across).T))


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (...,) the scalar products of (..., D) vectors."""
    products: FloatArray = np.einsum("...i,...i->...", a, b)
    return products


def degrees(cosines: FloatArray) -> FloatArray:
    """Return the angles of these cosines, degrees."""
    # np.clip takes twice as long for few values.
    angles: FloatArray = np.degrees(np.arccos(np.minimum(np.maximum(cosines, -1.0), 1.0)))
    return angles
