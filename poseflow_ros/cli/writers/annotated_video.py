"""The images with the people drawn on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.imaging.video import VideoWriter
from poseflow_ros.poses import TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton


class AnnotatedVideoWriter(VideoWriter):
    """Writes the images with the people drawn on them; the stamps of the images are kept."""

    def __init__(
        self, path: Path, rate_hz: float, skeleton: Skeleton, min_keypoint_score: float
    ) -> None:
        super().__init__(path, rate_hz)
        self._skeleton = skeleton
        self._min_keypoint_score = min_keypoint_score

    def __call__(self, result: TrackedImage) -> None:
        """Write one image."""
        people = everybody(result.people)
        labels = result.labels(people.track_ids)
        image = draw(result.image, people, self._skeleton, self._min_keypoint_score, labels)
        self.write(image, result.stamp_s)


def everybody(people: TrackedPoses) -> TrackedPoses:
    """Return people as confirmed, so that tentative ones are drawn too."""
    return replace(people, states=np.full(len(people), int(TrackState.CONFIRMED)))
