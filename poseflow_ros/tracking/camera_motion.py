"""How the picture moved because the camera did, from correspondences outside people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray

_MIN_MATCHES = 12
_MIN_INLIERS = 0.4
_ROUNDS = 4
# Correspondences this much farther off than most are not of the background.
_OUTLIER_SPREADS = 3.0
_LEAST_SPREAD_PX = 0.5


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

    Fitted by least squares, again and again without the correspondences that lie farther off
    than most: those of things that move by themselves.

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
    before, now = matches[:, :2], matches[:, 2:]
    moved = now - before
    motion = CameraMotion(np.eye(2), np.median(moved, axis=0))
    inliers = np.ones(len(matches), bool)
    for _ in range(_ROUNDS):
        residuals = np.abs(before @ motion.linear.T + motion.shift - now).max(axis=1)
        spread = max(1.4826 * float(np.median(residuals)), _LEAST_SPREAD_PX)
        inliers = residuals < _OUTLIER_SPREADS * spread
        motion = _fit(before[inliers], now[inliers])
    return motion if inliers.mean() >= _MIN_INLIERS else None


def _fit(before: FloatArray, now: FloatArray) -> CameraMotion:
    """Return the least-squares similarity transform (Umeyama, PAMI 1991, in complex numbers)."""
    p, q = before[:, 0] + 1j * before[:, 1], now[:, 0] + 1j * now[:, 1]
    p_mean, q_mean = p.mean(), q.mean()
    spread = float((np.abs(p - p_mean) ** 2).sum())
    turn = complex(((q - q_mean) * (p - p_mean).conj()).sum() / spread) if spread > 0 else 1 + 0j
    shift = q_mean - turn * p_mean
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return CameraMotion(linear, np.array([shift.real, shift.imag]))


def _inside_any(boxes: FloatArray, points: FloatArray) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    x1, y1, x2, y2 = boxes.T[..., None]
    return ((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).any(axis=0)
