"""How a camera's pixels and the rays of light behind them belong together."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from poseflow_ros.poses import FloatArray

# How many coefficients each model may have. None at all: zeros, by sensor_msgs/CameraInfo.
_COEFFICIENTS = {
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (0, 8, 12, 14),
    "equidistant": (0, 4),
}
# Distortion is undone by iteration, which far outside the calibrated picture finds nothing or
# something else: a ray that does not lead back to its pixel, pixels, is none.
_LARGEST_RESIDUAL_PX = 0.1
# Steeper than this nothing comes through a lens: 0.2 seconds of arc from the image plane.
_STEEPEST = 1e6
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)


@dataclass(frozen=True, slots=True)
class Lens:
    """The calibration of a camera, as sensor_msgs/CameraInfo has it in K and D.

    Attributes:
        fx: focal length, pixels, above 0.
        fy: likewise, of the rows.
        cx: column of the principal point, pixels; the centre of the first pixel is 0.
        cy: row of the principal point, likewise.
        distortion: coefficients in CameraInfo's order: none, 4 or 5 (plumb_bob), none, 8, 12 or
            14 (rational_polynomial), none or 4 (equidistant).
        model: "plumb_bob", "rational_polynomial" or "equidistant". Without distortion the first
            two are a pinhole camera; the third is a fisheye's whatever its coefficients.

    Raises:
        ValueError: a number is not finite, a focal length is not above 0, or the model is not
            known or has another number of coefficients.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = field(default=())
    model: str = "plumb_bob"

    def __post_init__(self) -> None:
        object.__setattr__(self, "distortion", tuple(float(d) for d in self.distortion))
        for name in ("fx", "fy"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be finite and above 0, got {value}")
        for name in ("cx", "cy", "distortion"):
            value = getattr(self, name)
            if not np.isfinite(value).all():
                raise ValueError(f"{name} must be finite, got {value}")
        if self.model not in _COEFFICIENTS:
            raise ValueError(f"model must be one of {', '.join(_COEFFICIENTS)}, got {self.model}")
        wanted, given = _COEFFICIENTS[self.model], len(self.distortion)
        if given not in wanted:
            numbers = ", ".join(map(str, wanted[:-1])) + f" or {wanted[-1]}"
            raise ValueError(f"{self.model} has {numbers} coefficients, got {given}")

    @classmethod
    def assumed(cls, width: int, height: int) -> "Lens":
        """Return a common camera's: 53 degrees across."""
        return cls(float(width), float(width), (width - 1) / 2, (height - 1) / 2)

    def on_plane(self, pixels: FloatArray, depth_m: float) -> FloatArray:
        """Return (..., 3) metres in the optical frame, `depth_m` away, for (..., 2) pixels.

        NaN as of `rays`.
        """
        rays = self.rays(pixels)
        return np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) * depth_m

    def rays(self, pixels: FloatArray) -> FloatArray:
        """Return (..., 2) metres (x, y) at a depth of 1 m for (..., 2) pixels (x, y).

        x points right and y down, as in the optical frame of REP 103. NaN where the pixel is not
        finite, or so far out that no ray leads to it through this lens.
        """
        rays = self._undone(pixels)
        return np.where(np.abs(rays) <= _STEEPEST, rays, np.nan)

    def _undone(self, pixels: FloatArray) -> FloatArray:
        """Return what `rays` does, however steep."""
        centre, focal = np.array([self.cx, self.cy]), np.array([self.fx, self.fy])
        fisheye = self.model == "equidistant"
        if not pixels.size or not (fisheye or any(self.distortion)):
            with np.errstate(over="ignore"):
                return (np.where(np.isfinite(pixels), pixels, np.nan) - centre) / focal
        known = np.isfinite(pixels).all(axis=-1, keepdims=True)
        given = np.where(known, pixels, centre).reshape(-1, 1, 2)
        rays = self._undistorted(given)
        residuals = np.abs(self._distorted(rays) - given).max(axis=-1, keepdims=True)
        rays = np.where(residuals <= _LARGEST_RESIDUAL_PX, rays, np.nan)
        return np.where(known, rays.reshape(pixels.shape), np.nan)

    @property
    def _matrix(self) -> FloatArray:
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], float)

    @property
    def _coefficients(self) -> FloatArray:
        return np.array(self.distortion or (0.0,) * 4)

    def _undistorted(self, pixels: FloatArray) -> FloatArray:
        matrix, coefficients = self._matrix, self._coefficients
        if self.model == "equidistant":
            return cv2.fisheye.undistortPoints(pixels, matrix, coefficients)
        # OpenCV 4 has the criteria in a function of its own, OpenCV 5 in the one.
        if hasattr(cv2, "undistortPointsIter"):
            return cv2.undistortPointsIter(pixels, matrix, coefficients, None, None, _CRITERIA)
        return cv2.undistortPoints(pixels, matrix, coefficients, criteria=_CRITERIA)

    def _distorted(self, rays: FloatArray) -> FloatArray:
        matrix, coefficients, still = self._matrix, self._coefficients, np.zeros(3)
        points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
        project = cv2.fisheye.projectPoints if self.model == "equidistant" else cv2.projectPoints
        return project(points, still, still, matrix, coefficients)[0].reshape(rays.shape)
