"""What the formats of the bridge node have in common."""

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray

from poseflow_ros.actions.behaviors import BehaviorFrame
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.poses import TrackState


class BridgeError(RuntimeError):
    """A format cannot be published; the text says what is missing."""


@dataclass(frozen=True)
class TrackedImage:
    """The people of one image.

    Attributes:
        message: as received.
        frame: the same as arrays.
        behaviors: of the people observed.
    """

    message: TrackedPoseArray
    frame: PoseFrame
    behaviors: BehaviorFrame

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
        return {int(track_id): row for row, track_id in enumerate(self.behaviors.track_ids)}

    @property
    def frame_3d(self) -> str:
        """The frame of the 3D values."""
        return self.message.frame_3d or self.message.header.frame_id

    def person(self, row: int) -> TrackedPose:
        """Return a person of the message."""
        return self.message.poses[row]


class Bridge:
    """Publishes tracked people in one format; called by the executor's thread."""

    def publish(self, image: TrackedImage) -> None:
        """Publish the people of an image."""
        raise NotImplementedError

    def silence(self, camera: str) -> None:
        """Publish that a camera has stopped, if the format can express it."""

    def forget(self, camera: str) -> None:
        """End the people of a camera: its next image begins a new epoch or a new stream."""

    def close(self) -> None:
        """End everybody and destroy the publishers that were made after `set_up`."""


def import_messages(package: str) -> Any:
    """Return the module of a package's messages.

    Raises:
        BridgeError: the package is not installed.
    """
    try:
        return importlib.import_module(f"{package}.msg")
    except ImportError as error:
        name = f"ros-$ROS_DISTRO-{package.replace('_', '-')}"
        raise BridgeError(
            f"{package} is not installed ({error}); to install it: apt install {name}"
        ) from error
