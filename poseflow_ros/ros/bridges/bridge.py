"""What the formats of the bridge node have in common."""

import importlib
from typing import Any

from poseflow_ros.ros.inputs.received_poses import ReceivedPoses


class BridgeError(RuntimeError):
    """A format cannot be published; the text says what is missing."""


class Bridge:
    """Publishes tracked people in one format; called by the executor's thread."""

    def publish(self, poses: ReceivedPoses) -> None:
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
