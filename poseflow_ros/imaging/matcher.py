"""Extraction of the cues that the configured association uses."""

from poseflow_ros.config import Config
from poseflow_ros.imaging.camera_motion import estimate_camera_motion
from poseflow_ros.imaging.correspondence import (
    NO_CORRESPONDENCES,
    BackgroundMatcher,
    OrbMatcher,
)
from poseflow_ros.poses import FloatArray, Image, Poses
from poseflow_ros.tracking.camera_motion import CameraMotion
from poseflow_ros.tracking.cues import Cues


class ImageMatcher:
    """Extracts from the images of one camera the cues that the association uses.

    `classic`: ORB correspondences. `robust`: background correspondences and camera motion, unless
    `camera_motion` is false. Appearances are passed through.
    """

    def __init__(self, config: Config) -> None:
        robust = config.tracker.association == "robust"
        self._background = BackgroundMatcher() if robust and config.tracker.camera_motion else None
        self._orb = None if robust else OrbMatcher(config.classic)

    def reset(self) -> None:
        """Discard the previous image."""
        for matcher in (self._background, self._orb):
            if matcher is not None:
                matcher.reset()

    def match(self, image: Image, poses: Poses, appearances: FloatArray) -> Cues:
        """Return the cues of an image.

        Args:
            image: (H, W, 3) RGB, of the same size as the previous one.
            poses: the N people in it.
            appearances: (N, D) of these people, from an AppearanceModel.
        """
        camera_motion, correspondences = self._motion(image, poses)
        return Cues(camera_motion, correspondences, appearances)

    def _motion(self, image: Image, poses: Poses) -> tuple[CameraMotion | None, FloatArray]:
        if self._background is not None:
            correspondences = self._background.match(image, poses)
            return estimate_camera_motion(correspondences, poses.boxes), correspondences
        if self._orb is not None:
            return None, self._orb.match(image, poses)
        return None, NO_CORRESPONDENCES
