"""Work on what several sources send, in one thread of its own."""

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Calls `work` with items of the sources that wait, the one that waits longest first.

    Of each source it keeps the newest item only, or every one in order.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], None],
        at_end: Callable[[], None],
        *,
        together: bool = False,
        keep_all: bool = False,
    ) -> None:
        """Start the thread.

        Args:
            name: of the thread.
            work: called in the thread with an item of each of the sources; must not raise.
            at_end: called in the thread as its last act, also where `stop` did not wait for it.
            together: all sources that wait come in one call; otherwise each in one of its own.
            keep_all: items wait in line; otherwise a newer one replaces one that still waits.
        """
        self._work = work
        self._at_end = at_end
        self._together = together
        self._keep_all = keep_all
        self._condition = threading.Condition()
        # In the order in which the sources' turns come.
        self._waiting: dict[Hashable, deque[Item]] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, source: Hashable, item: Item) -> Item | None:
        """Hand over an item; return the one that it replaces, if any."""
        with self._condition:
            line = self._waiting.setdefault(source, deque())
            replaced = line.popleft() if line and not self._keep_all else None
            line.append(item)
            self._condition.notify()
        return replaced

    def clear(self, source: Hashable) -> list[Item]:
        """Take back the items of a source that wait, oldest first."""
        with self._condition:
            return list(self._waiting.pop(source, ()))

    def waiting(self, source: Hashable) -> int:
        """Return how many items of a source wait."""
        with self._condition:
            return len(self._waiting.get(source, ()))

    def stop(self, timeout_s: float) -> bool:
        """End the thread after the items it works on; return whether it ended in time."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while items := self._next():
                self._work(items)
                del items  # images must not be held while the next are awaited
        finally:
            self._at_end()

    def _next(self) -> list[Item]:
        """Wait for items and return them, none when the thread is to end."""
        with self._condition:
            self._condition.wait_for(lambda: self._stopping or self._waiting)
            if self._stopping:
                return []
            sources = list(self._waiting)[: None if self._together else 1]
            return [self._take(source) for source in sources]

    def _take(self, source: Hashable) -> Item:
        """Take the first item of a source, whose next turn comes after all others'."""
        line = self._waiting.pop(source)
        item = line.popleft()
        if line:
            self._waiting[source] = line
        return item
