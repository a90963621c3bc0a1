"""Transforms from a camera's frame to the frame of the 3D positions."""

from collections.abc import Callable
from typing import Protocol

from poseflow_ros.poses import FloatArray
from poseflow_ros.ros_data.header import Stamp


class FrameError(RuntimeError):
    """A transform is not available; the message gives the frames, the stamp and the reason."""


class TargetFrame(Protocol):
    """Looks up transforms to the frame of the 3D positions at the stamp of an image."""

    name: str

    def lookup(
        self, frame_id: str, stamp: Stamp, timeout_s: float, ended: Callable[[], bool]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the transform R p + t from `frame_id` to the target frame.

        Args:
            frame_id: of the points.
            stamp: when; zero means the latest transform.
            timeout_s: how long to wait for a transform that is not there yet, seconds.
            ended: whether the result will not be needed, which ends the wait.

        Returns:
            The rotation R (3, 3) and the translation t (3,) in metres.

        Raises:
            FrameError: there is no transform.
        """
