"""Bodies of people in 3D whose limbs can be moved, and their images.

A body is (17, 3) metres in the axes of a camera's optical frame (x right, y down, z forward), COCO
order. It faces the camera, so its left is at positive x; the feet are at y = 0.
"""

import numpy as np

FOCAL_PX, CENTER_PX = 500.0, (320.0, 240.0)
LEFT, RIGHT = 0, 1
SHOULDERS, ELBOWS, WRISTS, HIPS, KNEES, ANKLES = (
    np.arange(5 + 2 * i, 7 + 2 * i) for i in range(6)
)
SIDES = np.array([1.0, -1.0])
UPPER_ARM_M, FOREARM_M, THIGH_M, SHANK_M = 0.30, 0.26, 0.42, 0.41


def standing():
    """Return a person of 1.7 m who stands with hanging arms."""
    body = np.zeros((17, 3))
    body[:5] = [
        *((0.0, -1.6, -0.1), (0.03, -1.63, -0.08), (-0.03, -1.63, -0.08)),
        *((0.07, -1.61, 0.0), (-0.07, -1.61, 0.0)),
    ]
    for joints, x, y in ((SHOULDERS, 0.19, 1.42), (HIPS, 0.11, 0.85)):
        body[joints] = np.column_stack([x * SIDES, [-y, -y], [0.0, 0.0]])
    body[KNEES] = body[HIPS] + (0.0, THIGH_M, 0.0)
    body[ANKLES] = body[KNEES] + (0.0, SHANK_M, 0.0)
    for side in (LEFT, RIGHT):
        body = with_arm(body, side, (0.0, 1.0, 0.0), (0.0, 1.0, 0.0))
    return body


def with_arm(body, side, upper_arm, forearm):
    """Return the body with an arm in these directions."""
    body = body.copy()
    shoulder, elbow, wrist = SHOULDERS[side], ELBOWS[side], WRISTS[side]
    body[elbow] = body[shoulder] + UPPER_ARM_M * _unit(upper_arm)
    body[wrist] = body[elbow] + FOREARM_M * _unit(forearm)
    return body


def raised_arm(body, side):
    """Return the body with the hand straight up."""
    return with_arm(body, side, (0.0, -1.0, 0.0), (0.0, -1.0, 0.0))


def waving_arm(body, side, angle_rad):
    """Return the body with a raised forearm at an angle from the vertical."""
    forearm = (np.sin(angle_rad), -np.cos(angle_rad), 0.0)
    return with_arm(body, side, (SIDES[side], 0.2, 0.0), forearm)


def sitting():
    """Return a person on a chair: thighs level, towards the camera."""
    body = standing()
    body[:13, 1] += SHANK_M
    body[KNEES] = body[HIPS] + (0.0, 0.0, -THIGH_M)
    body[ANKLES] = body[KNEES] + (0.0, SHANK_M, 0.0)
    body[:, 1] -= body[ANKLES[0], 1]
    return body


def crouching():
    """Return a person in a squat, the torso bent forward by 45 degrees."""
    body = _bent(standing(), 45.0)
    body[KNEES] = body[HIPS] + THIGH_M * _unit((0.0, 0.5, -0.87))
    body[ANKLES] = body[KNEES] + SHANK_M * _unit((0.0, 0.9, 0.43))
    body[:, 1] -= body[ANKLES[0], 1]
    return body


def lying():
    """Return a person on the back, the head to the right."""
    x, y, z = standing().T
    return np.column_stack([-y, x - 0.2, z])


def turned(body, yaw_deg):
    """Return the body turned about its vertical axis; at 180 degrees it faces away."""
    c, s = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    return body @ np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def image_of(body, position=(0.0, 1.0, 4.0)):
    """Return (17, 3) pixels and a score of 0.9: the body with its feet at a position, metres."""
    points = body + np.asarray(position)
    pixels = FOCAL_PX * points[:, :2] / points[:, 2:] + CENTER_PX
    return np.column_stack([pixels, np.full(17, 0.9)])


def _bent(body, degrees):
    """Return the body bent forward at the hips."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    hips = body[HIPS].mean(axis=0)
    body = body.copy()
    body[:11] = hips + (body[:11] - hips) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    return body


def _unit(vector):
    return np.asarray(vector) / np.linalg.norm(vector)
