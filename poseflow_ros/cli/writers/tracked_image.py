"""What the outputs of `track` are written from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from poseflow_ros.actions.behavior_labels import track_labels
from poseflow_ros.actions.behaviors import BehaviorFrame
from poseflow_ros.imaging.source import ImageHeader
from poseflow_ros.poses import FloatArray, Image, IntArray, TrackedPoses
from poseflow_ros.ros_data.depth import People3D
from poseflow_ros.spatial.lens import Lens


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
        published: those who are in the messages of the node.
        located: the 3D positions of those; None without depth.
        behaviors: of those; None unless `markers.behaviors` is set and an output shows them.
        lens: of the camera, an assumed one without calibration.
        header: of an image in a bag, otherwise None.
    """

    image: Image
    stamp_s: float
    index: int
    epoch: int
    tracked: TrackedPoses
    people: TrackedPoses
    published: TrackedPoses
    located: People3D | None
    behaviors: BehaviorFrame | None
    lens: Lens
    header: ImageHeader | None

    @property
    def stamp_ns(self) -> int:
        """When it was taken, nanoseconds; exact for an image in a bag."""
        return self.header.stamp_ns if self.header else round(self.stamp_s * 1e9)

    def labels(self, track_ids: IntArray) -> list[str]:
        """Return the label of each track: its id, and its behaviors where they are recognized."""
        return track_labels(track_ids, self.behaviors or BehaviorFrame.empty())

    def in_3d(self) -> FloatArray:
        """Return what is known of `people` in 3D, NaN where it is unknown.

        (N, 6 + 4 K): position and velocity (x, y, z), then x, y, z and the standard deviation of
        each keypoint; metres and metres per second in `located.frame`.
        """
        n, n_keypoints = self.people.poses.keypoint_scores.shape
        values = np.full((n, 6 + 4 * n_keypoints), np.nan)
        if self.located is not None:
            points = self.located.points
            keypoints = np.dstack([points.points, points.stddevs]).reshape(len(self.published), -1)
            known = np.hstack([points.positions, self.located.velocities, keypoints])
            # A tentative person in the last image is written, but not published.
            ids = self.people.track_ids
            _, rows, published_rows = np.intersect1d(
                ids, self.published.track_ids, return_indices=True
            )
            values[rows] = known[published_rows]
        return values


ImageWriter = Callable[[TrackedImage], None]
"""Writes one image and its people to an output."""
