"""What the outputs of `track` are written from."""

from collections.abc import Callable
from dataclasses import dataclass

from poseflow_ros.imaging.source import ImageHeader
from poseflow_ros.poses import Image, TrackedPoses


@dataclass(frozen=True, slots=True, eq=False)
class TrackedImage:
    """An image and the people in it.

    Attributes:
        image: (H, W, 3) RGB, as received.
        stamp_s: when it was taken, seconds.
        index: from 0.
        epoch: of the tracking; track ids of different epochs are unrelated.
        tracked: all tracks, in pixels of the image.
        people: those who are visible, and tentative ones where they are written.
        header: of an image in a bag, otherwise None.
    """

    image: Image
    stamp_s: float
    index: int
    epoch: int
    tracked: TrackedPoses
    people: TrackedPoses
    header: ImageHeader | None

    @property
    def stamp_ns(self) -> int:
        """When it was taken, nanoseconds; exact for an image in a bag."""
        return self.header.stamp_ns if self.header else round(self.stamp_s * 1e9)


ImageWriter = Callable[[TrackedImage], None]
"""Writes one image and its people to an output."""
