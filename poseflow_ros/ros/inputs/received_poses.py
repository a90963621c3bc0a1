"""A message of tracked poses, as arrays and with behaviors."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray

from poseflow_ros.actions.behaviors import BehaviorFrame
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.poses import TrackState


@dataclass(frozen=True)
class ReceivedPoses:
    """The people of one message of tracked poses.

    Attributes:
        message: as received.
        frame: the same as arrays.
        behaviors: of the people observed.
        received_s: when the callback began, by `perf_counter`.
    """

    message: TrackedPoseArray
    frame: PoseFrame
    behaviors: BehaviorFrame
    received_s: float

    @cached_property
    def confirmed(self) -> NDArray[np.int64]:
        """(M,) the rows of the people who are confirmed and seen in this image."""
        return np.flatnonzero(self.frame.states == int(TrackState.CONFIRMED))

    @cached_property
    def located(self) -> NDArray[np.int64]:
        """(M,) those of the confirmed people whose 3D position is known."""
        rows = self.confirmed
        return rows[np.isfinite(self.frame.positions[rows]).all(axis=1)]

    @cached_property
    def behavior_rows(self) -> dict[int, int]:
        """Track id -> row of `behaviors`."""
        return self.behaviors.rows()

    @property
    def frame_3d(self) -> str:
        """The frame of the 3D values."""
        return self.message.frame_3d or self.message.header.frame_id

    def person(self, row: int) -> TrackedPose:
        """Return a person of the message."""
        return self.message.poses[row]
