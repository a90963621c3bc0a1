"""The body of a simulated person: COCO-17 keypoints walking, running, bending, sitting, etc."""

from enum import IntEnum

import numpy as np

from poseflow_ros.poses import FloatArray

# Left and right keypoints of the standing body as shares of its height: aside, up, forward.
_NOSE = (0.0, 0.915, 0.07)
_EYE, _EAR = (0.02, 0.94, 0.055), (0.042, 0.93, 0.0)
_SHOULDER, _HIP = (0.108, 0.82, 0.0), (0.06, 0.53, 0.0)
_UPPER_ARM, _FOREARM, _THIGH, _SHANK = 0.17, 0.15, 0.245, 0.245

_SWING_RAD_S_PER_M = 0.3  # of the thigh, per speed
_ARM_SWING = 0.8  # of the thigh's swing
_ELBOW_RAD, _KNEE_RAD = 0.35, 0.9

# Walking becomes running between these speeds; a run has larger amplitudes by these factors.
_WALK_M_S, _RUN_M_S = 1.9, 2.8
_RUN_STRIDE_RAD, _RUN_THIGH_RAD, _RUN_TRUNK_RAD, _RUN_ELBOW_RAD = 0.25, 0.2, 0.15, 1.2
_RUN_LAG_RAD = 0.6  # phase delay of the knee
_RUN_FLIGHT = 0.04  # rise of the body in the middle of a step, share of the height
_SIDES = np.array([-1.0, 1.0])  # the left side of a person who walks forward is at -x

# Margins of a box around the keypoints, as shares of the height: hair, feet, clothes.
_MARGIN_TOP, _MARGIN_BOTTOM, _MARGIN_SIDE = 0.07, 0.05, 0.055


class Posture(IntEnum):
    """Postures other than standing upright."""

    BEND = 0
    SIT = 1
    CROUCH = 2


# Forward rotation relative to standing, radians: thigh, shank, trunk, upper arm, elbow.
_POSTURE_RAD = np.array(
    [
        [0.45, -0.05, 1.35, 0.15, 0.0],
        [1.5, 0.0, 0.1, 0.5, 0.6],
        [1.8, -0.75, 0.55, 0.6, 0.4],
    ]
)


def keypoints_m(
    places_m: FloatArray,
    headings: FloatArray,
    phases: FloatArray,
    speeds: FloatArray,
    heights_m: FloatArray,
    postures: FloatArray | None = None,
) -> FloatArray:
    """Return the (N, 17, 3) keypoints of people, x right, y up, z forward, metres.

    Args:
        places_m: (N, 2) x and z on the ground, of the feet.
        headings: (N, 2) unit vectors.
        phases: (N,) of the gait, radians; a stride is 2 pi.
        speeds: (N,) metres per second; 0: standing, above 1.9 walking becomes running.
        heights_m: (N,) from the ground to the top of the head when standing.
        postures: (N, 3) in [0, 1], degree of each `Posture`; None: standing upright.
    """
    if postures is None:
        postures = np.zeros((len(phases), len(Posture)))
    body = _body(phases, speeds, postures) * heights_m[:, None, None]
    aside, up, ahead = (body[..., i] for i in range(3))
    dx, dz = headings[:, :1], headings[:, 1:]
    x = places_m[:, :1] + ahead * dx + aside * dz
    z = places_m[:, 1:] + ahead * dz - aside * dx
    return np.stack([x, up, z], axis=-1)


def boxes_px(keypoints_px: FloatArray) -> FloatArray:
    """Return the (N, 4) boxes of whole bodies around their (N, 17, 2) keypoints in an image."""
    low, high = keypoints_px.min(axis=1), keypoints_px.max(axis=1)
    height = (high - low)[:, 1:]
    side, top, bottom = (height * m for m in (_MARGIN_SIDE, _MARGIN_TOP, _MARGIN_BOTTOM))
    return np.hstack([low - np.hstack([side, top]), high + np.hstack([side, bottom])])


def running(speeds: FloatArray) -> FloatArray:
    """Return (N,) in [0, 1], degree of running at these speeds (m/s)."""
    return eased((speeds - _WALK_M_S) / (_RUN_M_S - _WALK_M_S))


def eased(shares: FloatArray) -> FloatArray:
    """Return values limited to [0, 1], with a smooth start and end."""
    shares = np.clip(shares, 0, 1)
    smooth: FloatArray = shares**2 * (3 - 2 * shares)
    return smooth


def _body(phases: FloatArray, speeds: FloatArray, postures: FloatArray) -> FloatArray:
    """Return (N, 17, 3) shares of the height: aside, up, forward."""
    n, run = len(phases), running(speeds)[:, None]
    posture = (postures @ _POSTURE_RAD)[:, :, None]  # (N, 5, 1)
    swing, thigh, shank = _gait(phases, speeds, run)
    arm = -_ARM_SWING * swing + posture[:, 3]
    elbow = arm + _ELBOW_RAD + _RUN_ELBOW_RAD * run + posture[:, 4]
    trunk = _RUN_TRUNK_RAD * run + posture[:, 2]
    nose = np.broadcast_to(np.array(_NOSE), (n, 1, 3))
    upper = np.concatenate([nose, _pair(_EYE, n), _pair(_EAR, n), _pair(_SHOULDER, n)], axis=1)
    upper = _leaned(upper, trunk)
    hips, shoulders = _pair(_HIP, n), upper[:, -2:]
    elbows = _hang(shoulders, arm, _UPPER_ARM)
    knees = _hang(hips, thigh + posture[:, 0], _THIGH)
    parts = [upper, elbows, _hang(elbows, elbow, _FOREARM), hips, knees]
    body = np.concatenate([*parts, _hang(knees, shank + posture[:, 1], _SHANK)], axis=1)
    return body + _hip_offset(phases, run[:, 0], posture[:, :2, 0])[:, None]


def _gait(
    phases: FloatArray, speeds: FloatArray, run: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (N, 2) angles, left and right: the swing, the thighs and the shanks."""
    legs = phases[:, None] + np.array([0.0, np.pi])
    stride = np.minimum(_SWING_RAD_S_PER_M * speeds, 0.6)[:, None] + _RUN_STRIDE_RAD * run
    swing = stride * np.sin(legs)
    # The knee of the leg that swings forward is bent most.
    forward = np.maximum(np.cos(legs - _RUN_LAG_RAD * run), 0)
    thigh = swing + _RUN_THIGH_RAD * run
    return swing, thigh, thigh - _KNEE_RAD * forward * stride / 0.5


def _leaned(points: FloatArray, angles: FloatArray) -> FloatArray:
    """Return (N, K, 3) points of the upper body, bent forward at the hips by (N, 1) angles."""
    up, ahead = points[..., 1] - _HIP[1], points[..., 2]
    less, sin = np.cos(angles) - 1, np.sin(angles)
    turned = [np.zeros_like(up), less * up - sin * ahead, sin * up + less * ahead]
    return points + np.stack(turned, axis=-1)


def _hip_offset(phases: FloatArray, run: FloatArray, legs: FloatArray) -> FloatArray:
    """Return (N, 3), the displacement of the hips by running and by bent legs.

    Args:
        phases: (N,) of the gait, radians.
        run: (N,) in [0, 1].
        legs: (N, 2) radians of thighs and shanks.
    """
    lengths = np.array([_THIGH, _SHANK])
    lift = _RUN_FLIGHT * run * np.sin(phases) ** 2
    drop, back = (1 - np.cos(legs)) @ lengths, np.sin(legs) @ lengths
    return np.stack([np.zeros_like(lift), lift - drop, -back], axis=-1)


def _pair(right: tuple[float, float, float], n: int) -> FloatArray:
    """Return (N, 2, 3): the left and the right keypoint."""
    sides = np.stack([_SIDES, np.ones(2), np.ones(2)], axis=1) * np.array(right)
    return np.broadcast_to(sides, (n, 2, 3))


def _hang(joints: FloatArray, angles: FloatArray, length: float) -> FloatArray:
    """Return the (N, 2, 3) ends of limbs that hang from joints, rotated by (N, 2) angles."""
    down, ahead = -length * np.cos(angles), length * np.sin(angles)
    return joints + np.stack([np.zeros_like(angles), down, ahead], axis=-1)
