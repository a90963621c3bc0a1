"""SIGINT, SIGTERM and SIGHUP: a request to end in order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Whether one of the signals has asked the command to end."""

    def __init__(self) -> None:
        self.reason = ""
        """The name of the signal; empty before it."""

    def __bool__(self) -> bool:
        return bool(self.reason)

    def _receive(self, number: int, _: FrameType | None) -> None:
        """Note the first signal; the second one interrupts what does not end."""
        if self.reason:
            raise KeyboardInterrupt
        self.reason = signal.Signals(number).name


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Yield what tells whether to end; ignored signals, as of nohup, stay ignored."""
    request = StopRequest()
    handled = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, request._receive) for number in handled}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def interrupted_once() -> Iterator[None]:
    """Let the first signal raise KeyboardInterrupt, and ignore later ones."""

    def interrupt(*_: object) -> None:
        for number in previous:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    handled = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.getsignal(number) for number in handled}
    for number in handled:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
