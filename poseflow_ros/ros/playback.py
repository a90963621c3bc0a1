"""When the images of a recording are due."""

import threading
import time

_MAX_LATE_S = 0.5


class PlaybackClock:
    """Waits until an image is due, by its stamp.

    Small delays are caught up; where one exceeds 0.5 s, such as a pause, everything after it is
    shifted.
    """

    def __init__(self, stopped: threading.Event) -> None:
        """Make a clock; `stopped` ends every wait."""
        self._stopped = stopped
        self._period_s = 0.0
        self._due_s: float | None = None
        self._offset_s: float | None = None

    def start_pass(self, period_s: float) -> None:
        """Let the next image be the first of a recording, one period after the last one."""
        self._offset_s = None
        self._period_s = period_s

    def wait(self, stamp_s: float) -> float:
        """Wait until the image with this stamp is due; return how many seconds ago it was."""
        now_s = time.monotonic()
        if self._offset_s is None:
            first_s = now_s if self._due_s is None else self._due_s + self._period_s
            self._offset_s = first_s - stamp_s
        if now_s - (stamp_s + self._offset_s) > _MAX_LATE_S:
            self._offset_s = now_s - stamp_s
        self._due_s = stamp_s + self._offset_s
        self._stopped.wait(max(0.0, self._due_s - now_s))
        return time.monotonic() - self._due_s
