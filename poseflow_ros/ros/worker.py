"""The thread that makes, uses and closes the network."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from poseflow_ros.ros import stop_signals

_POLL_S = 0.1

T = TypeVar("T")


class _Call:
    """A function that another thread calls, and its result or exception."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error
        self._done.set()

    def result(self) -> Any:
        while not self._done.wait(_POLL_S):
            if stop_signals.received():
                raise KeyboardInterrupt
        if self._error is not None:
            raise self._error
        return self._result


class Worker:
    """A thread that calls functions one after the other.

    CUDA libraries keep their plans for each thread: a network is fast only in the thread in which
    it was warmed up. A daemon, because a network that hangs must not keep the process alive.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the thread; return its result or raise its exception.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM was received before the function returned.
        """
        call = _Call(function)
        self._calls.put(call.run)
        result: T = call.result()
        return result

    def start(self, function: Callable[[], None]) -> None:
        """Call a function in the thread after the earlier ones, without waiting for it."""
        self._calls.put(function)

    def stop(self, timeout_s: float) -> bool:
        """End the thread after its calls; return whether it ended in time."""
        self._calls.put(None)
        self._thread.join(timeout_s)
        return not self.alive

    def _run(self) -> None:
        while (function := self._calls.get()) is not None:
            function()
            del function  # it must not keep the network alive
