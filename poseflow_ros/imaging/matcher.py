"""What an image says about who is who, beyond the poses in it."""

import numpy as np

from poseflow_ros.config import Config
from poseflow_ros.imaging.appearance import ColourAppearance
from poseflow_ros.imaging.correspondence import NO_MATCHES, BackgroundMatcher, OrbMatcher
from poseflow_ros.poses import FloatArray, Image, Poses


class ImageMatcher:
    """Finds what the configured association looks at.

    `classic`: ORB correspondences. `robust`: correspondences of the background, where
    `camera_motion` asks for them, and appearances.
    """

    def __init__(self, config: Config) -> None:
        robust = config.tracker.association == "robust"
        self._appearance = ColourAppearance() if robust else None
        self._correspondences: BackgroundMatcher | OrbMatcher | None = None
        if not robust:
            self._correspondences = OrbMatcher(config.classic)
        elif config.tracker.camera_motion:
            self._correspondences = BackgroundMatcher()

    def reset(self) -> None:
        """Forget the previous image."""
        if self._correspondences is not None:
            self._correspondences.reset()

    def match(self, image: Image, poses: Poses) -> tuple[FloatArray, FloatArray]:
        """Return correspondences and appearances.

        Args:
            image: (H, W, 3) RGB, as large as the one before.
            poses: the N people in it.

        Returns:
            (C, 4) pixels, (x_prev, y_prev, x_now, y_now); (N, D) unit vectors, 0 where unknown.
        """
        matches, appearances = NO_MATCHES, np.zeros((len(poses), 0))
        if self._correspondences is not None:
            matches = self._correspondences.match(image, poses)
        if self._appearance is not None:
            appearances = self._appearance.describe(image, poses)
        return matches, appearances
