"""Correspondences between the previous image and the present one."""

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import ClassicConfig
from poseflow_ros.poses import FloatArray, Image, Poses

NO_CORRESPONDENCES: FloatArray = np.zeros((0, 4))

# Lowe's ratio test: maximum ratio of the distances of the nearest and second nearest descriptor.
_MAX_RATIO = 0.8
# ORB detects nothing this close to the border, and fails on very small images.
_BORDER_PX = 31

# Background corners are tracked in an image reduced to about this longer side. The corners have
# this minimum distance. The pyramid allows displacements larger than the window.
_SMALL_SIDE_PX = 256
_CORNERS = 100
_CORNER_QUALITY = 0.01
_CORNER_DISTANCE_PX = 8
_WINDOW_PX = 15
_PYRAMID_LEVELS = 3


class BackgroundMatcher:
    """Tracks corners outside people (pyramidal Lucas-Kanade: Bouguet, 2001).

    Only a small gray copy of the previous image is kept.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Discard the previous image."""
        self._grey: NDArray[np.uint8] | None = None
        self._corners: NDArray[np.float32] | None = None

    def match(self, image: Image, poses: Poses) -> FloatArray:
        """Return the correspondences between the previous image and this one.

        Args:
            image: (H, W, 3) RGB, of the same size as the previous one.
            poses: the people in it; no corners are detected in their boxes.

        Returns:
            (C, 4) pixels, (x_prev, y_prev, x_now, y_now); (0, 4) if there are none.
        """
        reduction = max(1, round(max(image.shape[:2]) / _SMALL_SIDE_PX))
        height, width = (max(1, side // reduction) for side in image.shape[:2])
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        scale = np.array([image.shape[1] / width, image.shape[0] / height])
        before, previous = self._corners, self._grey
        self._grey, self._corners = grey, _corners(grey, poses.boxes / np.tile(scale, 2))
        if before is None or previous is None:
            return NO_CORRESPONDENCES
        now, found, _ = cv2.calcOpticalFlowPyrLK(
            previous, grey, before, None, winSize=(_WINDOW_PX,) * 2, maxLevel=_PYRAMID_LEVELS
        )
        followed = found[:, 0] > 0
        # The centre of the first pixel is (0, 0) in both sizes.
        pairs = np.stack([before[followed, 0], now[followed, 0]], axis=1)
        return ((pairs + 0.5) * scale - 0.5).reshape(-1, 4)


def _corners(grey: NDArray[np.uint8], boxes: FloatArray) -> NDArray[np.float32] | None:
    """Return (C, 1, 2) corners outside the (N, 4) boxes (Shi and Tomasi, CVPR 1994), or None."""
    if min(grey.shape) < 2 * _WINDOW_PX:
        return None
    mask = np.full(grey.shape, 255, np.uint8)
    limit = max(grey.shape)
    for x1, y1, x2, y2 in np.nan_to_num(boxes, nan=-1).clip(0, limit).astype(int):
        mask[y1 : y2 + 1, x1 : x2 + 1] = 0
    return cv2.goodFeaturesToTrack(grey, _CORNERS, _CORNER_QUALITY, _CORNER_DISTANCE_PX, mask=mask)


class OrbMatcher:
    """Matches ORB features of consecutive images (Rublee et al., ICCV 2011).

    Images without people are skipped: there are no poses to match. Only the features of the
    previous image are kept, not the image.
    """

    def __init__(self, config: ClassicConfig) -> None:
        self._orb = None
        if config.orb_features:
            self._orb = cv2.ORB_create(nfeatures=config.orb_features, scoreType=cv2.ORB_FAST_SCORE)
        self._brute_force = cv2.BFMatcher(cv2.NORM_HAMMING)
        self.reset()

    def reset(self) -> None:
        """Discard the previous image."""
        self._points: FloatArray = np.zeros((0, 2))
        self._descriptors: NDArray[np.uint8] | None = None

    def match(self, image: Image, poses: Poses) -> FloatArray:
        """Return the correspondences between the previous image and this one.

        Args:
            image: (H, W, 3) RGB.
            poses: the people in it.

        Returns:
            (C, 4) pixels, (x_prev, y_prev, x_now, y_now); (0, 4) if there are none.
        """
        previous_points, previous_descriptors = self._points, self._descriptors
        self.reset()
        if len(poses):
            self._points, self._descriptors = self._detect(image)
        if previous_descriptors is None or self._descriptors is None:
            return NO_CORRESPONDENCES
        pairs = self._nearest(previous_descriptors, self._descriptors)
        return np.hstack([previous_points[pairs[:, 0]], self._points[pairs[:, 1]]])

    def _detect(self, image: Image) -> tuple[FloatArray, NDArray[np.uint8] | None]:
        if self._orb is None or min(image.shape[:2]) <= 2 * _BORDER_PX:
            return self._points, None
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        keypoints, descriptors = self._orb.detectAndCompute(grey, None)
        return np.array([k.pt for k in keypoints], float).reshape(-1, 2), descriptors

    def _nearest(self, previous: NDArray[np.uint8], now: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return (C, 2) indices of matching descriptors."""
        pairs = [
            (best[0].queryIdx, best[0].trainIdx)
            for best in self._brute_force.knnMatch(previous, now, k=2)
            if len(best) == 2 and best[0].distance < _MAX_RATIO * best[1].distance
        ]
        return np.array(pairs, np.int64).reshape(-1, 2)
