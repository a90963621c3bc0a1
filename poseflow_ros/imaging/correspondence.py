"""Which point of the previous image is which point of this one."""

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import MatcherConfig
from poseflow_ros.poses import FloatArray, Image, Poses

# Lowe's ratio test: the nearest descriptor counts where it is clearly nearer than the second.
_MAX_RATIO = 0.8
# ORB looks for nothing this near to the border, and fails on images of a few pixels.
_BORDER_PX = 31


class CorrespondenceMatcher:
    """Matches ORB features of consecutive images (Rublee et al., ICCV 2011).

    Only the features of the previous image are kept, never an image.
    """

    def __init__(self, config: MatcherConfig) -> None:
        self._orb = None
        if config.orb_features:
            self._orb = cv2.ORB_create(nfeatures=config.orb_features, scoreType=cv2.ORB_FAST_SCORE)
        self._brute_force = cv2.BFMatcher(cv2.NORM_HAMMING)
        self.reset()

    def reset(self) -> None:
        """Forget the previous image."""
        self._points: FloatArray = np.zeros((0, 2))
        self._descriptors: NDArray[np.uint8] | None = None

    def match(self, image: Image, poses: Poses) -> FloatArray:
        """Return the correspondences of the previous image and this one.

        Args:
            image: (H, W, 3) RGB.
            poses: the people in it; an image without people is not looked at, as nobody can
                come from it or lead to it.

        Returns:
            (C, 4) pixels, (x_prev, y_prev, x_now, y_now); (0, 4) where nothing corresponds.
        """
        previous_points, previous_descriptors = self._points, self._descriptors
        self.reset()
        if len(poses):
            self._points, self._descriptors = self._detect(image)
        if previous_descriptors is None or self._descriptors is None:
            return np.zeros((0, 4))
        pairs = self._nearest(previous_descriptors, self._descriptors)
        return np.hstack([previous_points[pairs[:, 0]], self._points[pairs[:, 1]]])

    def _detect(self, image: Image) -> tuple[FloatArray, NDArray[np.uint8] | None]:
        if self._orb is None or min(image.shape[:2]) <= 2 * _BORDER_PX:
            return self._points, None
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        keypoints, descriptors = self._orb.detectAndCompute(grey, None)
        return np.array([k.pt for k in keypoints], float).reshape(-1, 2), descriptors

    def _nearest(self, previous: NDArray[np.uint8], now: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return (C, 2) indices of the descriptors that belong together."""
        pairs = [
            (best[0].queryIdx, best[0].trainIdx)
            for best in self._brute_force.knnMatch(previous, now, k=2)
            if len(best) == 2 and best[0].distance < _MAX_RATIO * best[1].distance
        ]
        return np.array(pairs, np.int64).reshape(-1, 2)
