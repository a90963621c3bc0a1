"""Work on the newest item, in a thread of its own."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestWorker(Generic[Item]):
    """Calls `work` with the newest item submitted; one that still waits is replaced by a newer."""

    def __init__(
        self, name: str, work: Callable[[Item], None], at_end: Callable[[], None]
    ) -> None:
        """Start the thread.

        Args:
            name: of the thread.
            work: called in the thread; must not raise.
            at_end: called in the thread as its last act, also where `stop` did not wait for it.
        """
        self._work = work
        self._at_end = at_end
        self._condition = threading.Condition()
        self._waiting: Item | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> Item | None:
        """Hand over an item; return the one that it replaces, if any."""
        with self._condition:
            replaced, self._waiting = self._waiting, item
            self._condition.notify()
        return replaced

    def clear(self) -> Item | None:
        """Take back the item that waits, if any."""
        with self._condition:
            taken, self._waiting = self._waiting, None
        return taken

    def stop(self, timeout_s: float) -> bool:
        """End the thread after the item it works on; return whether it ended in time."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._work(item)
                del item  # an image must not be held while the next is awaited
        finally:
            self._at_end()

    def _next(self) -> Item | None:
        with self._condition:
            self._condition.wait_for(lambda: self._stopping or self._waiting is not None)
            item, self._waiting = self._waiting, None
            return None if self._stopping else item
