"""Camera calibration: from pixels to rays."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from poseflow_ros.poses import FloatArray

# The allowed numbers of coefficients. No coefficients are zeros (sensor_msgs/CameraInfo).
_COEFFICIENTS = {
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (0, 8, 12, 14),
    "equidistant": (0, 4),
}
# The iteration that removes distortion may fail or diverge far outside the calibrated image. A
# ray is valid if it projects back this close to its pixel.
_MAX_RESIDUAL_PX = 0.1
# No lens transmits steeper rays: 0.2 seconds of arc from the image plane.
_MAX_SLOPE = 1e6
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)


@dataclass(frozen=True, slots=True)
class Lens:
    """The calibration of a camera, from K and D of sensor_msgs/CameraInfo.

    Attributes:
        fx: focal length, pixels, above 0.
        fy: likewise, for the rows.
        cx: column of the principal point, pixels; the centre of the first pixel is 0.
        cy: row of the principal point, likewise.
        distortion: coefficients in CameraInfo's order: none, 4 or 5 (plumb_bob), none, 8, 12 or
            14 (rational_polynomial), none or 4 (equidistant).
        model: "plumb_bob", "rational_polynomial" or "equidistant". Without distortion the first
            two models are a pinhole camera; the third is always a fisheye lens.

    Raises:
        ValueError: a number is not finite, a focal length is not above 0, the model is unknown,
            or the number of coefficients does not fit the model.
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
        """Return a pinhole camera with a horizontal field of view of 53 degrees."""
        return cls(float(width), float(width), (width - 1) / 2, (height - 1) / 2)

    def on_plane(self, pixels: FloatArray, depth_m: float) -> FloatArray:
        """Return (..., 3) metres in the optical frame for (..., 2) pixels at the depth `depth_m`.

        NaN where `rays` is NaN.
        """
        rays = self.rays(pixels)
        return np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) * depth_m

    def rays(self, pixels: FloatArray) -> FloatArray:
        """Return (..., 2) metres (x, y) at a depth of 1 m for (..., 2) pixels (x, y).

        x points right and y down, as in the optical frame of REP 103. NaN where the pixel is not
        finite, or so far outside the image that no ray of this lens reaches it.
        """
        rays = self._all_rays(pixels)
        return np.where(np.abs(rays) <= _MAX_SLOPE, rays, np.nan)

    def _all_rays(self, pixels: FloatArray) -> FloatArray:
        """Return the rays of any slope; see `rays`."""
        centre, focal = np.array([self.cx, self.cy]), np.array([self.fx, self.fy])
        fisheye = self.model == "equidistant"
        if not pixels.size or not (fisheye or any(self.distortion)):
            with np.errstate(over="ignore"):
                return (np.where(np.isfinite(pixels), pixels, np.nan) - centre) / focal
        known = np.isfinite(pixels).all(axis=-1, keepdims=True)
        given = np.where(known, pixels, centre).reshape(-1, 1, 2)
        rays = self._undistorted(given)
        residuals = np.abs(self._distorted(rays) - given).max(axis=-1, keepdims=True)
        rays = np.where(residuals <= _MAX_RESIDUAL_PX, rays, np.nan)
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
        # OpenCV 4 takes the criteria in a separate function, OpenCV 5 in undistortPoints.
        if hasattr(cv2, "undistortPointsIter"):
            return cv2.undistortPointsIter(pixels, matrix, coefficients, None, None, _CRITERIA)
        return cv2.undistortPoints(pixels, matrix, coefficients, criteria=_CRITERIA)

    def _distorted(self, rays: FloatArray) -> FloatArray:
        matrix, coefficients, still = self._matrix, self._coefficients, np.zeros(3)
        points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
        project = cv2.fisheye.projectPoints if self.model == "equidistant" else cv2.projectPoints
        return project(points, still, still, matrix, coefficients)[0].reshape(rays.shape)
