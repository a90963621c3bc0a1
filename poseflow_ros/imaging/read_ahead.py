"""Reading images in a thread, while the images before are processed."""

import threading
from collections.abc import Iterable, Iterator
from queue import Full, Queue
from typing import Generic, TypeVar

Item = TypeVar("Item")

_MAX_WAITING = 4
_POLL_S = 0.1
# A reader that waits for a pipe cannot be stopped.
_JOIN_S = 1.0


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items that a thread takes from an iterable, at most four ahead.

    What the iterable raises is raised after the items before it. The thread ends with the
    iterator.
    """
    reader = _ReaderThread(items)
    try:
        yield from reader.items()
    finally:
        reader.stop()


class _ReaderThread(Generic[Item]):
    def __init__(self, items: Iterable[Item]) -> None:
        self._items = items
        self._queue = Queue[list[Item]](_MAX_WAITING)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="poseflow_reader", daemon=True)
        self._thread.start()

    def items(self) -> Iterator[Item]:
        while item := self._queue.get():
            yield item.pop()  # not kept here while it is processed
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put([item]):
                    return
        except BaseException as error:
            self._error = error
        self._put([])

    def _put(self, item: list[Item]) -> bool:
        """Add an item, or an empty list at the end; return whether it is still wanted."""
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except Full:
                continue
            return True
        return False
