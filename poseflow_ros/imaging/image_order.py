"""Which images continue the stream of a camera: not late, repeated or foreign ones."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

OUT_OF_ORDER, DUPLICATE = "out of order", "duplicate stamp"
FOREIGN_SIZE, FOREIGN_STAMP = "another image size", "stamps of another publisher"

# Foreign images become the stream after this many in a row, and this long after its last image:
# that of several images, within limits. After a longer pause the first one does.
_MIN_FOREIGN = 3
_MIN_GAP_INTERVALS, _MIN_GAP_S, _PAUSE_S = 3.0, 0.5, 3.0
# Stamps may run ahead of the arrival of images by this much before they are of another clock.
_MAX_AHEAD_S = 10.0
_SMOOTHING = 0.2
_REPORTED_S = 10.0

Size = tuple[int, int]
"""(height, width) in pixels."""


class WaitingImage(Protocol):
    """An image that was received and not converted yet."""

    @property
    def stamp_s(self) -> float:
        """Its stamp, seconds."""

    @property
    def size(self) -> Size | None:
        """Its size; None where it is not known before decoding."""


@dataclass(frozen=True, slots=True)
class _Accepted:
    """The last image of the stream; `time_s` is its arrival, or its stamp in a replay."""

    stamp_s: float
    size: Size
    time_s: float


class ImageOrder:
    """Decides which images of one camera are processed.

    An image that is slightly older than the last one, or has the same stamp, is dropped. An image
    of another size is dropped until the change has lasted, so that a second publisher does not
    reset the tracking again and again; so are stamps of another clock, but only where the topic
    has several publishers. What is accepted may still reset the tracking: see `Pipeline`.

    `check` is called by the inference loop, everything else by the executor's thread.
    """

    def __init__(self, n_publishers: Callable[[], int]) -> None:
        """Make an order.

        Args:
            n_publishers: returns how many publishers the image topic has.
        """
        self._n_publishers = n_publishers
        self._generation = -1
        self._last: _Accepted | None = None
        self._interval_s = 0.0
        self._n_foreign = 0
        self._alternated_s = float("-inf")
        self.foreign_size: Size | None = None
        """The size of the last image of another size."""

    @property
    def size(self) -> Size | None:
        """The size of the stream's images."""
        return self._last.size if self._last else None

    @property
    def alternates(self) -> bool:
        """Whether images of two sizes have alternated lately."""
        return monotonic() - self._alternated_s < _REPORTED_S

    def inferior(self, image: WaitingImage, waiting: WaitingImage, max_backward_s: float) -> str:
        """Return why an image must not replace the one that waits; empty if it may."""
        if 0 <= waiting.stamp_s - image.stamp_s <= max_backward_s:
            return DUPLICATE if waiting.stamp_s == image.stamp_s else OUT_OF_ORDER
        if self.size and waiting.size == self.size and image.size not in (None, self.size):
            self._alternate(image.size)
            return FOREIGN_SIZE
        return ""

    def check(
        self, generation: int, stamp_s: float, size: Size, time_s: float, max_backward_s: float
    ) -> str:
        """Accept the next image of the stream; return why it is not part of it, empty if it is.

        Args:
            generation: of the job queue; a new one begins a new stream.
            stamp_s: of the image, seconds.
            size: of the image.
            time_s: its arrival, or its stamp in a replay, seconds.
            max_backward_s: how much older than the last image it may be without being a jump.
        """
        if generation != self._generation:
            self._generation, self._last, self._n_foreign = generation, None, 0
        last = self._last
        if last is not None:
            if foreign := self._foreign(last, stamp_s, size, time_s, max_backward_s):
                self._n_foreign += 1
                if not self._lasts(abs(time_s - last.time_s)):
                    return foreign
            elif late := self._late(last, stamp_s, time_s, max_backward_s):
                return late
        self._n_foreign = 0
        self._last = _Accepted(stamp_s, size, time_s)
        return ""

    def _foreign(
        self, last: _Accepted, stamp_s: float, size: Size, time_s: float, max_backward_s: float
    ) -> str:
        """Return why an image is not of the stream; empty if it is."""
        if size != last.size:
            self.foreign_size = size
            return FOREIGN_SIZE
        ahead_s = stamp_s - last.stamp_s
        jumps = ahead_s < -max_backward_s or ahead_s > time_s - last.time_s + _MAX_AHEAD_S
        return FOREIGN_STAMP if jumps and self._n_publishers() > 1 else ""

    def _lasts(self, gap_s: float) -> bool:
        """Return whether the stream has ended and foreign images are the new one."""
        needed_s = min(max(_MIN_GAP_S, _MIN_GAP_INTERVALS * self._interval_s), _PAUSE_S)
        return gap_s >= _PAUSE_S or (gap_s >= needed_s and self._n_foreign >= _MIN_FOREIGN)

    def _late(self, last: _Accepted, stamp_s: float, time_s: float, max_backward_s: float) -> str:
        """Return why an image of the stream is late or a duplicate; empty if it is neither."""
        if self._n_foreign:
            self._alternate(self.foreign_size)
        self._n_foreign = 0
        if stamp_s == last.stamp_s:
            return DUPLICATE
        if 0 < last.stamp_s - stamp_s <= max_backward_s:
            return OUT_OF_ORDER
        weight = _SMOOTHING if self._interval_s else 1.0
        self._interval_s += weight * (max(0.0, time_s - last.time_s) - self._interval_s)
        return ""

    def _alternate(self, size: Size | None) -> None:
        self.foreign_size, self._alternated_s = size, monotonic()
