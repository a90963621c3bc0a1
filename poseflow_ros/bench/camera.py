"""The camera of the simulation."""

from dataclasses import dataclass, field

import numpy as np

from poseflow_ros.bench.scene import STREET, Scene
from poseflow_ros.poses import FloatArray

# Size of the sample video; in an image of this size, this many people do not crowd together.
_WIDTH_PX, _HEIGHT_PX, _PEOPLE = 768, 576, 20
_NEAREST_M = 0.1  # minimum depth for the projection


@dataclass(frozen=True, slots=True, eq=False)
class ViewOffset:
    """Offset of the camera from its rest pose.

    Attributes:
        rotation: (3, 3) from coordinates of the camera at rest to those of the moved camera.
        shift_px: (2,) shift of the image content, pixels.
    """

    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    shift_px: FloatArray = field(default_factory=lambda: np.zeros(2))


AT_REST = ViewOffset()


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera above a ground plane; x right, y up, z forward from its foot, metres.

    For more than 20 people the camera is farther away and has more pixels: the visible area grows,
    while the size of people in the image and their density stay the same.

    Attributes:
        people: number of people.
        scene: defines the position and pitch of the camera.
        size_px: (2,) width and height of the image.
        focal_px: focal length.
    """

    people: int
    scene: Scene = STREET
    scale: float = field(init=False)
    size_px: FloatArray = field(init=False)
    focal_px: float = field(init=False)

    def __post_init__(self) -> None:
        scale = max(1.0, (self.people / _PEOPLE) ** 0.5)
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "size_px", np.round([_WIDTH_PX * scale, _HEIGHT_PX * scale]))
        object.__setattr__(self, "focal_px", self.scene.focal_px * scale)

    def project(self, points_m: FloatArray, offset: ViewOffset = AT_REST) -> FloatArray:
        """Return the (..., 2) pixels of (..., 3) points."""
        x, up, ahead = (points_m[..., i] for i in range(3))
        below = self.scene.above_ground_m * self.scale - up
        cos, sin = np.cos(self.scene.pitch_rad), np.sin(self.scene.pitch_rad)
        rays = np.stack([x, below * cos - ahead * sin, ahead * cos + below * sin], axis=-1)
        return self._pixels(rays @ offset.rotation.T) + offset.shift_px

    def move(self, points_px: FloatArray, before: ViewOffset, now: ViewOffset) -> FloatArray:
        """Return the (..., 2) background points of one camera offset at another offset."""
        if not np.array_equal(before.rotation, now.rotation):
            ratio = (points_px - before.shift_px - self.size_px / 2) / self.focal_px
            rays = np.concatenate([ratio, np.ones_like(ratio[..., :1])], axis=-1)
            rays = rays @ (now.rotation @ before.rotation.T).T
            return self._pixels(rays) + now.shift_px
        return points_px + now.shift_px - before.shift_px

    def rotation(self, pan_rad: float, tilt_rad: float, roll_rad: float) -> FloatArray:
        """Return the (3, 3) `ViewOffset.rotation` of a camera that panned, tilted and rolled.

        Positive angles pan about the vertical to the right, tilt down, and roll clockwise.
        """
        level = _turn(0, self.scene.pitch_rad)
        pan = level @ _turn(1, -pan_rad) @ level.T
        return _turn(2, -roll_rad) @ _turn(0, tilt_rad) @ pan

    def half_width_m(self, ahead_m: FloatArray) -> FloatArray:
        """Return half the width of the visible ground at the distance `ahead_m`."""
        pitch_rad, height_m = self.scene.pitch_rad, self.scene.above_ground_m * self.scale
        depth = ahead_m * np.cos(pitch_rad) + height_m * np.sin(pitch_rad)
        half_width_m: FloatArray = self.size_px[0] / 2 * depth / self.focal_px
        return half_width_m

    def ground(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Return (n, 2) random positions (x, z) on the visible ground."""
        ahead_m = self.scale * rng.uniform(*self.scene.ahead_m, n)
        x_m = rng.uniform(-0.95, 0.95, n) * self.half_width_m(ahead_m)
        return np.stack([x_m, ahead_m], axis=1)

    def _pixels(self, rays: FloatArray) -> FloatArray:
        """Return the (..., 2) pixels of (..., 3) camera coordinates: right, down, depth."""
        ratio = rays[..., :2] / np.maximum(rays[..., 2:], _NEAREST_M)
        pixels: FloatArray = self.size_px / 2 + self.focal_px * ratio
        return pixels


def _turn(axis: int, angle_rad: float) -> FloatArray:
    """Return the (3, 3) right-handed rotation about an axis."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[[i, j], [i, j]] = np.cos(angle_rad)
    turn[j, i] = np.sin(angle_rad)
    turn[i, j] = -np.sin(angle_rad)
    return turn
