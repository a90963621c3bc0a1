"""The camera that looks at the simulated crowd."""

from dataclasses import dataclass, field

import numpy as np

from poseflow_ros.poses import FloatArray

# The picture of the sample video, in which this many people stand well apart.
_WIDTH_PX, _HEIGHT_PX, _PEOPLE = 768, 576, 20
_FOCAL_PX = 800.0
_ABOVE_GROUND_M = 4.0
_PITCH_RAD = 0.28  # downwards
_NEAR_M, _FAR_M = 6.0, 22.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera above a plane ground, x right, y up and z ahead of its foot, in metres.

    For more than 20 people it stands farther away with more pixels: the ground grows with the
    people, who stay as large in the picture and as close to each other.

    Attributes:
        people: how many shall be seen.
        size_px: (2,) width and height of the picture.
    """

    people: int
    scale: float = field(init=False)
    size_px: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        scale = max(1.0, (self.people / _PEOPLE) ** 0.5)
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "size_px", np.round([_WIDTH_PX * scale, _HEIGHT_PX * scale]))

    def project(self, points_m: FloatArray) -> FloatArray:
        """Return where (..., 3) points appear, (..., 2) pixels."""
        x, up, ahead = (points_m[..., i] for i in range(3))
        below = _ABOVE_GROUND_M * self.scale - up
        depth = ahead * np.cos(_PITCH_RAD) + below * np.sin(_PITCH_RAD)
        down = below * np.cos(_PITCH_RAD) - ahead * np.sin(_PITCH_RAD)
        ratio = np.stack([x, down], axis=-1) / np.maximum(depth, 0.1)[..., None]
        return self.size_px / 2 + _FOCAL_PX * self.scale * ratio

    def half_width_m(self, ahead_m: FloatArray) -> FloatArray:
        """Return how far the picture reaches to each side on the ground, `ahead_m` away."""
        height_m = _ABOVE_GROUND_M * self.scale
        depth = ahead_m * np.cos(_PITCH_RAD) + height_m * np.sin(_PITCH_RAD)
        half_width_m: FloatArray = self.size_px[0] / 2 * depth / (_FOCAL_PX * self.scale)
        return half_width_m

    def ground(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Return (n, 2) random places (x, z) on the ground in the picture."""
        ahead_m = self.scale * rng.uniform(_NEAR_M, _FAR_M, n)
        x_m = rng.uniform(-0.95, 0.95, n) * self.half_width_m(ahead_m)
        return np.stack([x_m, ahead_m], axis=1)


class CameraMotion:
    """How the picture pans slowly and shakes fast, the same at any rate of images.

    Sines whose speeds add up to less than 120 px/s: 12 px from image to image at 10 Hz.
    """

    # Pan, shake, faster shake; x and y.
    _AMPLITUDES_PX = np.array([[80.0, 40.0], [4.0, 3.0], [1.5, 0.8]])
    _RATES_HZ = np.array([[0.06, 0.05], [1.7, 1.9], [3.1, 2.7]])

    def __init__(self, rng: np.random.Generator) -> None:
        self._phases = rng.uniform(0, 2 * np.pi, self._RATES_HZ.shape)

    def shift_px(self, stamp_s: float) -> FloatArray:
        """Return by how much (x, y) the picture's content is shifted."""
        angles = 2 * np.pi * self._RATES_HZ * stamp_s + self._phases
        shift_px: FloatArray = (self._AMPLITUDES_PX * np.sin(angles)).sum(axis=0)
        return shift_px
