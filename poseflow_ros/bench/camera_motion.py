"""Motions of the simulated camera: still, shaking or rotating."""

from typing import Protocol

import numpy as np

from poseflow_ros.bench.camera import AT_REST, Camera, ViewOffset
from poseflow_ros.poses import FloatArray


class CameraMotion(Protocol):
    """A motion that does not depend on the image rate and stores no history."""

    def at(self, stamp_s: float) -> ViewOffset:
        """Return the offset at a time, which must not be before that of the last call."""


class Still:
    """A camera at rest."""

    def at(self, stamp_s: float) -> ViewOffset:
        """Return the offset at rest."""
        return AT_REST


class Shake:
    """A slow drift and a fast shake in the image plane, without rotation.

    The sum of the sines moves by less than 120 px/s: 12 px per image at 10 Hz.
    """

    # Drift, shake, faster shake; x and y.
    _AMPLITUDES_PX = np.array([[80.0, 40.0], [4.0, 3.0], [1.5, 0.8]])
    _RATES_HZ = np.array([[0.06, 0.05], [1.7, 1.9], [3.1, 2.7]])

    def __init__(self, rng: np.random.Generator) -> None:
        self._phases = rng.uniform(0, 2 * np.pi, self._RATES_HZ.shape)

    def at(self, stamp_s: float) -> ViewOffset:
        """Return the shift in the image plane."""
        angles = 2 * np.pi * self._RATES_HZ * stamp_s + self._phases
        shift_px: FloatArray = (self._AMPLITUDES_PX * np.sin(angles)).sum(axis=0)
        return ViewOffset(shift_px=shift_px)


class Rotation:
    """Pans from one side to the other, rests, and pans back, with roll and tilt.

    A pan starts and ends smoothly. Its peak rate is between 50 and 100 % of the maximum.
    """

    _SIDE_RAD = np.radians([8.0, 25.0])  # angle from the centre at which a pan ends
    _REST_S = (0.2, 2.0)
    _PEAK = 1.875  # ratio of peak and mean rate of a pan: 30 t^2 (1 - t)^2 at its middle
    # Tilt and roll; at most 4 deg/s and 8 deg/s.
    _AMPLITUDES_RAD = np.radians([1.5, 3.0])
    _RATES_HZ = np.array([0.41, 0.37])

    def __init__(self, camera: Camera, rng: np.random.Generator, rate_deg_s: float) -> None:
        """Start at rest; `rate_deg_s` is the maximum pan rate."""
        self._camera, self._rng, self._rate_rad_s = camera, rng, np.radians(rate_deg_s)
        self._phases = rng.uniform(0, 2 * np.pi, 2)
        self._from_rad, self._to_rad = 0.0, 0.0
        self._start_s, self._duration_s, self._end_s = 0.0, 1.0, 0.0

    def at(self, stamp_s: float) -> ViewOffset:
        """Return the rotation."""
        while stamp_s >= self._end_s:
            self._plan()
        t = np.clip((stamp_s - self._start_s) / self._duration_s, 0, 1)
        pan_rad = self._from_rad + (self._to_rad - self._from_rad) * t**3 * (
            10 - 15 * t + 6 * t**2
        )
        angles = 2 * np.pi * self._RATES_HZ * stamp_s + self._phases
        tilt_rad, roll_rad = self._AMPLITUDES_RAD * np.sin(angles)
        return ViewOffset(self._camera.rotation(pan_rad, tilt_rad, roll_rad))

    def _plan(self) -> None:
        """Plan the next pan, to the other side, and the following rest."""
        side_rad = self._rng.uniform(*self._SIDE_RAD)
        self._from_rad = self._to_rad
        self._to_rad = -side_rad if self._from_rad > 0 else side_rad
        peak_rad_s = self._rate_rad_s * self._rng.uniform(0.5, 1.0)
        self._start_s = self._end_s
        self._duration_s = self._PEAK * abs(self._to_rad - self._from_rad) / peak_rad_s
        self._end_s = self._start_s + self._duration_s + self._rng.uniform(*self._REST_S)


def camera_motion(
    name: str, camera: Camera, rng: np.random.Generator, rate_deg_s: float
) -> CameraMotion:
    """Return the motion named `name`, one of `CAMERA_MOTIONS`."""
    if name == "rotate":
        return Rotation(camera, rng, rate_deg_s)
    return Shake(rng) if name == "shake" else Still()


CAMERA_MOTIONS = ("still", "shake", "rotate")
