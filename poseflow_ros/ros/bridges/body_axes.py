"""The coordinate frame of a body, from its 3D keypoints."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from poseflow_ros.poses import FloatArray
from poseflow_ros.skeletons.coco17 import COCO_17

_SHOULDERS = [COCO_17.keypoint_names.index(f"{side}_shoulder") for side in ("left", "right")]
_HIPS = [COCO_17.keypoint_names.index(f"{side}_hip") for side in ("left", "right")]
# Two directions closer than this to each other do not define axes, as the sine of their angle.
_LEAST_SINE = 0.05


def body_axes(
    points: FloatArray, position: FloatArray, up: FloatArray
) -> tuple[FloatArray, NDArray[np.float64]]:
    """Return origin (3,) metres and orientation (4,) as a quaternion x y z w.

    The origin is between the hips, x points out of the chest, y to the person's left and z to the
    head (REP 155). Where hips or shoulders are unknown, the origin is the person's position, z
    points up and x to the sensor.

    Args:
        points: (K, 3) metres, the keypoints in COCO's order; NaN where unknown.
        position: (3,) metres, of the person.
        up: (3,) unit vector, upwards.
    """
    hips, shoulders = points[_HIPS], points[_SHOULDERS]
    if np.isfinite(hips).all() and np.isfinite(shoulders).all():
        left = (hips[0] - hips[1]) + (shoulders[0] - shoulders[1])
        z = _unit(shoulders.mean(axis=0) - hips.mean(axis=0))
        if np.linalg.norm(np.cross(_unit(left), z)) > _LEAST_SINE:
            return hips.mean(axis=0), _orientation(np.cross(left, z), z)
    towards = -position - up * (-position @ up)
    if np.linalg.norm(towards) < _LEAST_SINE:  # the sensor is above or below the person
        towards = np.cross(up, [1.0, 0.0, 0.0])
    return position, _orientation(towards, up)


def _orientation(x: FloatArray, z: FloatArray) -> NDArray[np.float64]:
    """Return the quaternion of axes z, and x made perpendicular to it."""
    z = _unit(z)
    y = _unit(np.cross(z, x))
    axes = np.stack([np.cross(y, z), y, z], axis=1)
    return np.asarray(Rotation.from_matrix(axes).as_quat())


def _unit(vector: FloatArray) -> FloatArray:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
