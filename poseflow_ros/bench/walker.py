"""The body of a simulated person: COCO-17 keypoints that walk."""

import numpy as np

from poseflow_ros.poses import FloatArray

# Left and right keypoints of the standing body as shares of its height: aside, up, ahead.
_NOSE = (0.0, 0.915, 0.07)
_EYE, _EAR = (0.02, 0.94, 0.055), (0.042, 0.93, 0.0)
_SHOULDER, _HIP = (0.108, 0.82, 0.0), (0.06, 0.53, 0.0)
_UPPER_ARM, _FOREARM, _THIGH, _SHANK = 0.17, 0.15, 0.245, 0.245

_SWING_RAD_S_PER_M = 0.3  # of the thigh, per speed
_ARM_SWING = 0.8  # of the thigh's swing
_ELBOW_RAD, _KNEE_RAD = 0.35, 0.9
_SIDES = np.array([-1.0, 1.0])  # left is at -x of somebody who walks ahead

# What a box has around the keypoints, as shares of the body's height: hair, feet, clothes.
_MARGIN_TOP, _MARGIN_BOTTOM, _MARGIN_SIDE = 0.07, 0.05, 0.055


def keypoints_m(
    places_m: FloatArray,
    headings: FloatArray,
    phases: FloatArray,
    speeds: FloatArray,
    heights_m: FloatArray,
) -> FloatArray:
    """Return the (N, 17, 3) keypoints of walking people, x right, y up, z ahead, metres.

    Args:
        places_m: (N, 2) x and z on the ground.
        headings: (N, 2) unit vectors.
        phases: (N,) of the gait, radians; a stride is 2 pi.
        speeds: (N,) metres a second; 0 stands.
        heights_m: (N,) from the ground to the top of the head.
    """
    body = _body(phases, speeds) * heights_m[:, None, None]
    aside, up, ahead = (body[..., i] for i in range(3))
    dx, dz = headings[:, :1], headings[:, 1:]
    x = places_m[:, :1] + ahead * dx + aside * dz
    z = places_m[:, 1:] + ahead * dz - aside * dx
    return np.stack([x, up, z], axis=-1)


def boxes_px(keypoints_px: FloatArray) -> FloatArray:
    """Return the (N, 4) boxes of whole bodies around their (N, 17, 2) keypoints in a picture."""
    low, high = keypoints_px.min(axis=1), keypoints_px.max(axis=1)
    height = (high - low)[:, 1:]
    side, top, bottom = (height * m for m in (_MARGIN_SIDE, _MARGIN_TOP, _MARGIN_BOTTOM))
    return np.hstack([low - np.hstack([side, top]), high + np.hstack([side, bottom])])


def _body(phases: FloatArray, speeds: FloatArray) -> FloatArray:
    """Return (N, 17, 3) shares of the height: aside, up, ahead."""
    swing = np.sin(phases[:, None] + np.array([0.0, np.pi]))  # (N, 2): left, right
    stride = np.minimum(_SWING_RAD_S_PER_M * speeds, 0.6)[:, None]
    thigh = stride * swing
    # The knee of the leg that swings forward is bent most.
    forward = np.maximum(np.cos(phases[:, None] + np.array([0.0, np.pi])), 0)
    shank = thigh - _KNEE_RAD * forward * stride / 0.5
    arm = -_ARM_SWING * thigh
    elbow = arm + _ELBOW_RAD
    n = len(phases)
    hips, shoulders = _pair(_HIP, n), _pair(_SHOULDER, n)
    knees, elbows = _hang(hips, thigh, _THIGH), _hang(shoulders, arm, _UPPER_ARM)
    nose = np.broadcast_to(np.array(_NOSE), (n, 1, 3))
    parts = [nose, _pair(_EYE, n), _pair(_EAR, n), shoulders, elbows]
    parts += [_hang(elbows, elbow, _FOREARM), hips, knees, _hang(knees, shank, _SHANK)]
    return np.concatenate(parts, axis=1)


def _pair(right: tuple[float, float, float], n: int) -> FloatArray:
    """Return (N, 2, 3): a keypoint on the left and on the right."""
    sides = np.stack([_SIDES, np.ones(2), np.ones(2)], axis=1) * np.array(right)
    return np.broadcast_to(sides, (n, 2, 3))


def _hang(joints: FloatArray, angles: FloatArray, length: float) -> FloatArray:
    """Return the (N, 2, 3) ends of limbs that hang from joints, swung ahead by (N, 2) angles."""
    down, ahead = -length * np.cos(angles), length * np.sin(angles)
    return joints + np.stack([np.zeros_like(angles), down, ahead], axis=-1)
