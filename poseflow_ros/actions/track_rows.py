"""Which row of preallocated arrays belongs to which track."""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import IntArray


class TrackRows:
    """Assigns `max_people` rows to tracks; the track observed longest ago makes room."""

    def __init__(self, max_people: int) -> None:
        self._free = list(range(max_people))[::-1]
        # In the order of the last observation, the oldest first.
        self._rows: dict[int, int] = {}
        self._last: tuple[list[int], IntArray] = [], np.zeros(0, np.int64)

    def __len__(self) -> int:
        """Return the number of tracks that have a row."""
        return len(self._rows)

    def assign(self, track_ids: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
        """Return (N,) the rows of tracks observed now and (N,) which of them are new.

        Args:
            track_ids: (N,) each once, at most `max_people`.
        """
        ids = track_ids.tolist()
        if ids == self._last[0]:  # nobody came or went: their order is still the same
            return self._last[1], np.zeros(len(ids), bool)
        new = [track_id not in self._rows for track_id in ids]
        # The known ones first: none of them makes room for a new one.
        for track_id, is_new in zip(ids, new, strict=True):
            if not is_new:
                self._rows[track_id] = self._rows.pop(track_id)
        for track_id, is_new in zip(ids, new, strict=True):
            if is_new:
                self._rows[track_id] = self._free_row()
        rows = np.array([self._rows[track_id] for track_id in ids], np.int64)
        self._last = ids, rows
        return rows, np.array(new, bool)

    def _free_row(self) -> int:
        return self._free.pop() if self._free else self._rows.pop(next(iter(self._rows)))

    def release(self, track_ids: IntArray) -> None:
        """Release the rows of the tracks that have one."""
        for track_id in track_ids.tolist():
            row = self._rows.pop(track_id, None)
            if row is not None:
                self._free.append(row)
                self._last = [], np.zeros(0, np.int64)
