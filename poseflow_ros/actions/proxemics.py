"""Distances between a person and the origin of the 3D frame."""

import numpy as np

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.body import dot
from poseflow_ros.actions.kinds import Zone
from poseflow_ros.poses import FloatArray, IntArray

_UNKNOWN, _INTIMATE = int(Zone.UNKNOWN), int(Zone.INTIMATE)


def distances(
    positions: FloatArray, velocities: FloatArray, up: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return (N,) horizontal distances, metres, and (N,) speeds towards the origin, m/s.

    Args:
        positions: (N, 3) metres; NaN where unknown.
        velocities: (N, 3) metres a second; NaN where unknown.
        up: (3,) unit vector.
    """
    flat = positions - (positions @ up)[:, None] * up
    length = np.sqrt(dot(flat, flat))
    return length, -dot(velocities, flat) / np.maximum(length, 1e-6)


def zones(distances_m: FloatArray, current: IntArray, config: BehaviorsConfig) -> IntArray:
    """Return (N,) Zone, by the distances of Hall, The Hidden Dimension, 1966.

    A person changes the zone when they are `zone_margin_m` beyond its limit.

    Args:
        distances_m: (N,) NaN where unknown.
        current: (N,) the zones so far.
        config: the limits.
    """
    margin = config.zone_margin_m
    limits = [config.personal_m, config.social_m, config.public_m]
    shifted = distances_m + np.array([[-margin], [0.0], [margin]])
    nearest, zone, farthest = np.searchsorted(limits, shifted, side="right") + _INTIMATE
    kept = np.minimum(np.maximum(current, nearest), farthest)
    zone = np.where(current == _UNKNOWN, zone, kept)
    return np.where(np.isnan(distances_m), _UNKNOWN, zone)
