"""Camera motion from correspondences of the background."""

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray
from poseflow_ros.tracking.camera_motion import CameraMotion

_MIN_CORRESPONDENCES = 12
# Maximum residual of an inlier: in pixels, or relative to the median displacement, because a
# similarity transform only approximates a fast camera rotation.
_MAX_RESIDUAL_PX = 3.0
_MAX_RESIDUAL_SHARE = 0.2
# A motion with a larger median residual is rejected.
_MAX_MEDIAN_PX = 0.5
_MAX_MEDIAN_SHARE = 0.5
# Maximum change of scale from one image to the next.
_MAX_SCALE = 2.0


def estimate_camera_motion(correspondences: FloatArray, boxes: FloatArray) -> CameraMotion | None:
    """Return the similarity transform of the background between two images.

    It is found by OpenCV's RANSAC (Fischler and Bolles, Communications of the ACM 24, 1981).

    Args:
        correspondences: (C, 4) pixels, (x_prev, y_prev, x_now, y_now); rows that are not finite
            are ignored.
        boxes: (N, 4) pixels, x1 y1 x2 y2, of people; correspondences in them are ignored.

    Returns:
        None if too few correspondences agree.
    """
    usable = np.isfinite(correspondences).all(axis=1)
    usable &= ~_inside_any(boxes, correspondences[:, 2:])
    # OpenCV requires contiguous arrays.
    before, now = (np.ascontiguousarray(correspondences[usable, i : i + 2]) for i in (0, 2))
    if len(before) < _MIN_CORRESPONDENCES:
        return None
    moved_px = float(np.median(np.linalg.norm(now - before, axis=1)))
    max_residual_px = max(_MAX_RESIDUAL_PX, _MAX_RESIDUAL_SHARE * moved_px)
    affine, _ = cv2.estimateAffinePartial2D(before, now, ransacReprojThreshold=max_residual_px)
    if affine is None:
        return None
    linear, shift = affine[:, :2], affine[:, 2]
    scale = float(np.hypot(*linear[:, 0]))
    if not 1 / _MAX_SCALE <= scale <= _MAX_SCALE:  # nor NaN
        return None
    residuals = np.linalg.norm(before @ linear.T + shift - now, axis=1)
    if np.median(residuals) > max(_MAX_MEDIAN_PX, _MAX_MEDIAN_SHARE * moved_px):
        return None
    return CameraMotion(linear, shift)


def _inside_any(boxes: FloatArray, points: FloatArray) -> NDArray[np.bool_]:
    """Return (C,), true for (C, 2) points in any of the (N, 4) boxes."""
    x, y = points[:, 0], points[:, 1]
    x1, y1, x2, y2 = boxes.T[..., None]
    inside: NDArray[np.bool_] = ((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).any(axis=0)
    return inside
