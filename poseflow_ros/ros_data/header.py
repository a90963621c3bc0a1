"""The header of a ROS message of any class."""

from typing import Any, Protocol


class Stamp(Protocol):
    """What is used of builtin_interfaces/Time and Duration."""

    @property
    def sec(self) -> int:
        """Whole seconds."""

    @property
    def nanosec(self) -> int:
        """The rest, nanoseconds."""


class Header(Protocol):
    """What is used of std_msgs/Header."""

    @property
    def stamp(self) -> Any:
        """When it was taken, builtin_interfaces/Time."""

    @property
    def frame_id(self) -> str:
        """The frame of the data."""


def seconds(time: Stamp) -> float:
    """Return a stamp or duration in seconds."""
    return float(time.sec + 1e-9 * time.nanosec)
