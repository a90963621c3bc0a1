"""The coordinate frames of bodies, from their 3D keypoints."""

import numpy as np
from scipy.spatial.transform import Rotation

from poseflow_ros.poses import FloatArray
from poseflow_ros.skeletons.coco17 import COCO_17

_SHOULDERS = [COCO_17.keypoint_names.index(f"{side}_shoulder") for side in ("left", "right")]
_HIPS = [COCO_17.keypoint_names.index(f"{side}_hip") for side in ("left", "right")]
# Two directions closer than this to each other do not define axes, as the sine of their angle.
_LEAST_SINE = 0.05


def body_axes(
    points: FloatArray, positions: FloatArray, up: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return origins (N, 3) metres and orientations (N, 4) as quaternions x y z w.

    The origin is between the hips, x points out of the chest, y to the person's left and z to the
    head (REP 155). Where hips or shoulders are unknown, the origin is the person's position, z
    points up and x to the sensor.

    Args:
        points: (N, K, 3) metres, the keypoints in COCO's order; NaN where unknown.
        positions: (N, 3) metres, of the people.
        up: (3,) unit vector, upwards.
    """
    if not len(points):  # then K is 0
        return np.zeros((0, 3)), np.zeros((0, 4))
    hips, shoulders = points[:, _HIPS], points[:, _SHOULDERS]
    left = (hips[:, 0] - hips[:, 1]) + (shoulders[:, 0] - shoulders[:, 1])
    to_head = _units(shoulders.mean(axis=1) - hips.mean(axis=1))
    chest = np.cross(left, to_head)
    # False where a keypoint is NaN.
    known = np.linalg.norm(np.cross(_units(left), to_head), axis=1) > _LEAST_SINE
    x = np.where(known[:, None], chest, _to_sensor(positions, up))
    z = np.where(known[:, None], to_head, up)
    origins = np.where(known[:, None], hips.mean(axis=1), positions)
    return origins, _orientations(x, z)


def _to_sensor(positions: FloatArray, up: FloatArray) -> FloatArray:
    """Return (N, 3) horizontal vectors from people to the origin, not 0."""
    vectors = (positions @ up)[:, None] * up - positions
    above = np.linalg.norm(vectors, axis=1) < _LEAST_SINE
    vectors[above] = np.cross(up, [1.0, 0.0, 0.0])
    return vectors


def _orientations(x: FloatArray, z: FloatArray) -> FloatArray:
    """Return (N, 4) quaternions of unit vectors z, and of x made perpendicular to them."""
    y = _units(np.cross(z, x))
    axes = np.stack([np.cross(y, z), y, z], axis=2)
    return np.asarray(Rotation.from_matrix(axes).as_quat())


def _units(vectors: FloatArray) -> FloatArray:
    """Return (N, 3) unit vectors; 0 where a vector is 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)
