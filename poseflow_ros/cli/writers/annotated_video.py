"""The images with the people drawn on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from poseflow_ros.cli.writers.annotator import Annotator
from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.config import MarkersConfig
from poseflow_ros.imaging.video import VideoWriter
from poseflow_ros.poses import TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton


class AnnotatedVideoWriter(VideoWriter):
    """Writes the images with the people drawn on them; the stamps of the images are kept."""

    def __init__(
        self, path: Path, rate_hz: float, skeleton: Skeleton, config: MarkersConfig
    ) -> None:
        super().__init__(path, rate_hz)
        self._annotate = Annotator(skeleton, config)

    def __call__(self, result: TrackedImage) -> None:
        """Write one image."""
        image = self._annotate(result.image, result.stamp_s, everybody(result.people))
        self.write(image, result.stamp_s)


def everybody(people: TrackedPoses) -> TrackedPoses:
    """Return people as confirmed, so that tentative ones are drawn too."""
    return replace(people, states=np.full(len(people), int(TrackState.CONFIRMED)))
