"""SIGINT and SIGTERM: requests to end the process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_received: list[int] = []


@contextmanager
def noted() -> Iterator[None]:
    """Note both signals during a block of the main thread; ignore them afterwards, during cleanup.

    - They do not raise: an exception in the middle of rclpy is lost, or becomes another one.
    - Later ones change nothing: `ros2 launch` forwards a Ctrl-C that the process has already
      received from the terminal (ros2/launch#830).
    """
    for number in _SIGNALS:
        signal.signal(number, _receive)
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def received() -> bool:
    """Return whether the process has been asked to end."""
    return bool(_received)


def _receive(number: int, _: FrameType | None) -> None:
    _received.append(number)
