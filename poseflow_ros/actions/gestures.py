"""Conditions of single images: raised hands, pointing, facing the camera."""

import numpy as np

from poseflow_ros.actions.body import ELBOWS, EYES, NOSE, SHOULDERS, WRISTS, degrees, dot
from poseflow_ros.poses import FloatArray


def hand_heights(heights: FloatArray, scales: FloatArray) -> FloatArray:
    """Return (N, 2) how far the left and right wrist are above their shoulders, in scales."""
    return (heights[:, WRISTS] - heights[:, SHOULDERS]) / scales[:, None]


def facing_widths(keypoints: FloatArray, scales: FloatArray) -> FloatArray:
    """Return (N,) how far the left shoulder is to the right of the right one, in scales.

    It is about 0.7 for people who face the camera and negative for those who turn their back; it
    is negative infinity where nose and eyes are not visible, NaN where a shoulder is unknown.

    Args:
        keypoints: (N, 17, 2) pixels; NaN where unknown.
        scales: (N,) pixels.
    """
    x = keypoints[..., 0]
    face = np.isfinite(x[:, NOSE]) & np.isfinite(x[:, EYES]).any(axis=1)
    left, right = x[:, SHOULDERS].T
    widths = (left - right) / scales
    return np.where(face, widths, -np.inf)


def pointing(points: FloatArray, up: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what tells whether the arms point, and where to.

    The ray from the shoulder through the wrist of a straight arm: Nickel and Stiefelhagen, Visual
    recognition of pointing gestures, Image and Vision Computing 2007, compare it with others.

    Args:
        points: (N, 17, 3) metres; NaN where unknown.
        up: (3,) unit vector.

    Returns:
        (N, 2) angle at the elbow, degrees, 180 for a straight arm.
        (N, 2) angle between the arm and downwards, degrees, 0 for an arm that hangs.
        (N, 2, 3) unit vectors from shoulder to wrist.
    """
    shoulders, elbows, wrists = points[:, SHOULDERS], points[:, ELBOWS], points[:, WRISTS]
    upper_arms, forearms, arms = shoulders - elbows, wrists - elbows, wrists - shoulders
    lengths = np.sqrt(dot(upper_arms, upper_arms) * dot(forearms, forearms))
    elbow_deg = degrees(dot(upper_arms, forearms) / lengths)
    directions = arms / np.sqrt(dot(arms, arms))[..., None]
    return elbow_deg, degrees(-directions @ up), directions
