"""Images of cameras that are mounted sideways or upside down."""

from dataclasses import replace

import cv2
import numpy as np

from poseflow_ros.poses import FloatArray, Image, Poses, TrackedPoses

_CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
# From the axes of the upright image to those of the image as received; x right, y down.
_MATRICES = {
    0: [[1, 0], [0, 1]],
    90: [[0, 1], [-1, 0]],
    180: [[-1, 0], [0, -1]],
    270: [[0, -1], [1, 0]],
}


class Rotation:
    """Makes the images of one camera upright, and takes people back to the image as received."""

    def __init__(self, degrees: int) -> None:
        """Make a rotation.

        Args:
            degrees: 0, 90, 180 or 270, clockwise, from the image as received to the upright one.
        """
        self.degrees = degrees
        self._matrix = np.array(_MATRICES[degrees], float)

    @property
    def up(self) -> FloatArray:
        """(2,) the upward direction in the image as received, pixels (x, y)."""
        return self._matrix @ (0.0, -1.0)

    @property
    def up_optical(self) -> FloatArray:
        """(3,) the same direction in the camera's optical frame (REP 103)."""
        return np.append(self.up, 0.0)

    def upright(self, image: Image) -> Image:
        """Return the (H, W, 3) image rotated; itself without rotation."""
        if not self.degrees:
            return image
        return np.asarray(cv2.rotate(np.ascontiguousarray(image), _CODES[self.degrees]), np.uint8)

    def received(self, upright: Image) -> Image:
        """Return a view of an upright image as it was received."""
        return np.rot90(upright, self.degrees // 90)

    def received_people(self, tracked: TrackedPoses, size: tuple[int, int]) -> TrackedPoses:
        """Return people in pixels of the image as received.

        Args:
            tracked: people in pixels of the upright image.
            size: (height, width) of the upright image, pixels.
        """
        if not self.degrees:
            return tracked
        poses, last = tracked.poses, np.array(size[::-1], float) - 1
        # The pixel that comes to lie at the origin.
        offset = np.maximum(-(self._matrix @ last), 0)
        corners = poses.boxes.reshape(-1, 2, 2) @ self._matrix.T + offset
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        keypoints = poses.keypoints @ self._matrix.T + offset
        restored = Poses(keypoints, poses.keypoint_scores, boxes, poses.scores)
        return replace(tracked, poses=restored, velocities=tracked.velocities @ self._matrix.T)
