"""How the picture moved because the camera did, from correspondences outside people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray

_MIN_MATCHES = 12
_GUESSES = 32
_ROUNDS = 4
# A motion that leaves more than this share of how far most points moved is none.
_MOST_LEFT = 0.5
# Correspondences this much farther off than most are not of the background.
_OUTLIER_SPREADS = 3.0
_LEAST_SPREAD_PX = 0.5

Points = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """Where the points of the last image are in this one: p -> linear @ p + shift.

    Attributes:
        linear: (2, 2) rotation times scale.
        shift: (2,) pixels.
    """

    linear: FloatArray
    shift: FloatArray


def estimate_camera_motion(matches: FloatArray, boxes: FloatArray) -> CameraMotion | None:
    """Return the similarity transform that most of the background follows.

    Of the motions that pairs of correspondences have, the one with the least median residual
    (Rousseeuw, JASA 79, 1984); then fitted by least squares, again and again without the
    correspondences that lie farther off than most: those of things that move by themselves.

    Args:
        matches: (C, 4) pixels, (x_prev, y_prev, x_now, y_now).
        boxes: (N, 4) people, where they are now or are expected to be: they move by themselves.

    Returns:
        None where too few correspondences agree.
    """
    usable = np.isfinite(matches).all(axis=1) & ~_inside_any(boxes, matches[:, 2:])
    matches = matches[usable]
    if len(matches) < _MIN_MATCHES:
        return None
    # As complex numbers, a similarity transform is a product and a sum.
    p, q = matches[:, 0] + 1j * matches[:, 1], matches[:, 2] + 1j * matches[:, 3]
    turn, shift = _guess(p, q)
    for _ in range(_ROUNDS):
        residuals = np.abs(turn * p + shift - q)
        spread = max(1.4826 * float(np.median(residuals)), _LEAST_SPREAD_PX)
        inliers = residuals < _OUTLIER_SPREADS * spread
        turn, shift = _fit(p[inliers], q[inliers])
    left = np.median(np.abs(turn * p + shift - q))
    if left > max(_LEAST_SPREAD_PX, _MOST_LEFT * np.median(np.abs(q - p))):
        return None
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return CameraMotion(linear, np.array([shift.real, shift.imag]))


def _guess(p: Points, q: Points) -> tuple[complex, complex]:
    """Return the turn and shift, of those that pairs of points have, that suit most points."""
    i, j = np.random.default_rng(0).integers(0, len(p), (2, _GUESSES))
    apart = p[i] - p[j]
    turns = np.divide(q[i] - q[j], apart, out=np.ones_like(apart), where=apart != 0)
    shifts = q[i] - turns * p[i]
    residuals = np.abs(turns[:, None] * p + shifts[:, None] - q)
    best = np.median(residuals, axis=1).argmin()
    return complex(turns[best]), complex(shifts[best])


def _fit(p: Points, q: Points) -> tuple[complex, complex]:
    """Return the turn and shift of least squares (Umeyama, PAMI 13, 1991)."""
    p_mean, q_mean = complex(p.mean()), complex(q.mean())
    spread = float((np.abs(p - p_mean) ** 2).sum())
    turn = complex(((q - q_mean) * (p - p_mean).conj()).sum() / spread) if spread > 0 else 1 + 0j
    return turn, q_mean - turn * p_mean


def _inside_any(boxes: FloatArray, points: FloatArray) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    x1, y1, x2, y2 = boxes.T[..., None]
    return ((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).any(axis=0)
