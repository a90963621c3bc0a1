"""People of capsules before a wall, cast ray by ray: depth images whose truth is known."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from poseflow_ros.poses import Poses

WIDTH, HEIGHT, FOCAL = 640, 480, 525.0
CX, CY = 319.5, 239.5
SIZE = (HEIGHT, WIDTH)

# Shoulder to hip on both sides and between, arms, legs: keypoints and radius, metres.
_LIMBS = (
    *((5, 11, 0.1), (6, 12, 0.1), (5, 12, 0.1), (6, 11, 0.1), (5, 6, 0.06)),
    *((5, 7, 0.045), (7, 9, 0.035), (6, 8, 0.045), (8, 10, 0.035)),
    *((11, 13, 0.07), (13, 15, 0.05), (12, 14, 0.07), (14, 16, 0.05)),
)
_HEAD = np.array([0, -0.68, 0])
_HEAD_RADIUS = 0.11
# A person's keypoints, metres, y down from a metre above the floor, looking at the camera.
_STANDING = np.array(
    [
        *([0, -0.67, -0.11], [0.035, -0.71, -0.1], [-0.035, -0.71, -0.1]),
        *([0.09, -0.7, -0.02], [-0.09, -0.7, -0.02]),
        *([0.18, -0.42, 0], [-0.18, -0.42, 0], [0.28, -0.14, 0], [-0.28, -0.14, 0]),
        *([0.36, 0.1, 0], [-0.36, 0.1, 0], [0.12, 0.1, 0], [-0.12, 0.1, 0]),
        *([0.13, 0.52, 0], [-0.13, 0.52, 0], [0.14, 0.92, 0], [-0.14, 0.92, 0]),
    ]
)


@dataclass
class Person:
    """Joints (17, 3) and the head's centre (3,), metres in the optical frame."""

    joints: np.ndarray
    head: np.ndarray

    def capsules(self):
        """Return (ends a, ends b, radius) of everything this person is made of."""
        joints = self.joints
        limbs = [(joints[a], joints[b], radius) for a, b, radius in _LIMBS]
        return [*limbs, (self.head, self.head, _HEAD_RADIUS)]

    def pixels(self):
        """Return (17, 2) pixels, by the pinhole's formula."""
        x, y, z = self.joints.T
        return np.stack([FOCAL * x / z + CX, FOCAL * y / z + CY], axis=1)

    def seen(self):
        """Return (17, 3) metres: where the keypoints' rays meet this person."""
        directions = rays(*self.pixels().T)
        z = np.min([hit(directions, *capsule) for capsule in self.capsules()], axis=0)
        return directions * z[:, None]


def standing(x, z, yaw=0.0):
    """Return a person who stands at (x, z) metres, turned by radians."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    return Person(_STANDING @ turn + [x, 0, z], _HEAD @ turn + [x, 0, z])


def moving(x, z, random):
    """Return a person with arms, legs and direction at random."""
    joints = _STANDING.copy()
    for chain, lengths in (((5, 7, 9), (0.3, 0.26)), ((6, 8, 10), (0.3, 0.26))):
        _swing(joints, chain, lengths, random, 0.8)
    for chain, lengths in (((11, 13, 15), (0.42, 0.4)), ((12, 14, 16), (0.42, 0.4))):
        _swing(joints, chain, lengths, random, 0.25)
    yaw = random.uniform(-np.pi, np.pi)
    turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    return Person(joints @ turn + [x, 0, z], _HEAD @ turn + [x, 0, z])


def _swing(joints, chain, lengths, random, amount):
    for (a, b), length in zip(pairwise(chain), lengths, strict=True):
        direction = np.array([0, 1, 0]) + random.normal(0, amount, 3)
        joints[b] = joints[a] + length * direction / np.linalg.norm(direction)


def rays(columns, rows):
    """Return (..., 3) directions with z = 1, so that a ray's length in them is its depth."""
    x, y = (np.asarray(columns) - CX) / FOCAL, (np.asarray(rows) - CY) / FOCAL
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def hit(directions, a, b, radius):
    """Return (...) the depths at which rays from the origin meet a capsule, inf where not.

    Of a cylinder between two spheres: each one's nearer root of a quadratic equation.
    """
    depths = [_hit_sphere(directions, a, radius), _hit_sphere(directions, b, radius)]
    length = np.linalg.norm(b - a)
    if length > 0:
        axis = (b - a) / length
        across = directions - (directions @ axis)[..., None] * axis
        offset = a - (a @ axis) * axis
        t = _nearer_root((across**2).sum(-1), across @ offset, offset @ offset - radius**2)
        along = (directions @ axis) * t - a @ axis
        depths.append(np.where((along >= 0) & (along <= length), t, np.inf))
    return np.min(depths, axis=0)


def _hit_sphere(directions, centre, radius):
    return _nearer_root((directions**2).sum(-1), directions @ centre, centre @ centre - radius**2)


def _nearer_root(a, half_b, c):
    """Return the smaller t of a t**2 - 2 half_b t + c = 0, inf where there is none."""
    inside = half_b**2 - a * c
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(inside >= 0, (half_b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)


def render(people, wall_m):
    """Return (H, W) metres: whatever a pixel's ray meets first."""
    depth = np.full(SIZE, float(wall_m))
    for person in people:
        for a, b, radius in person.capsules():
            rows, columns = _window(a, b, radius)
            directions = rays(*np.meshgrid(columns, rows))
            window = np.ix_(rows, columns)
            depth[window] = np.minimum(depth[window], hit(directions, a, b, radius))
    return depth.astype(np.float32)


def _window(a, b, radius):
    """Return the rows and columns a capsule may be seen in."""
    ends = np.stack([a, b])
    z = ends[:, 2:].min() - radius
    corners = np.concatenate([ends[:, :2] - radius, ends[:, :2] + radius])
    edges = np.concatenate([corners / z, corners / (ends[:, 2:].max() + radius)])
    columns, rows = FOCAL * edges.T + [[CX], [CY]]
    return _span(rows, HEIGHT), _span(columns, WIDTH)


def _span(values, size):
    first, last = np.clip([values.min() - 1, values.max() + 2], 0, size).astype(int)
    return np.arange(first, last)


def poses_of(people):
    """Return the poses a perfect estimator finds: the box around the keypoints."""
    keypoints = np.array([person.pixels() for person in people]).reshape(-1, 17, 2)
    boxes = np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1)
    return Poses(keypoints, np.ones(keypoints.shape[:2]), boxes, np.ones(len(people)))
