"""SIGINT and SIGTERM: requests to end the process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_received: list[int] = []


@contextmanager
def recorded() -> Iterator[None]:
    """Record both signals during a block of the main thread; ignore them afterwards.

    - They do not raise: pybind11 can turn an exception inside rclpy into another one, or lose it.
    - Repeated signals have no effect, as `ros2 launch` forwards a Ctrl-C that the process has
      already received from the terminal: ros2/launch#830.
    """
    for number in _SIGNALS:
        signal.signal(number, _record)
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def received() -> bool:
    """Return whether the process has been asked to end."""
    return bool(_received)


def _record(number: int, _: FrameType | None) -> None:
    _received.append(number)
