"""States per person that change only after a condition has held for some time."""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import IntArray

BoolArray = NDArray[np.bool_]
_TOLERANCE_S = 1e-6


class HeldFlags:
    """Flags of R rows that switch on and off after a condition has held for some time.

    The condition to switch on is stricter than the one to stay on: that is the hysteresis.
    """

    def __init__(self, n_rows: int, n_flags: int) -> None:
        self._active = np.zeros((n_rows, n_flags), bool)
        self._since = np.full((n_rows, n_flags), np.nan)

    def clear(self, rows: IntArray) -> None:
        """Switch everything off."""
        self._active[rows], self._since[rows] = False, np.nan

    def update(
        self,
        rows: IntArray,
        stamp_s: float,
        conditions: tuple[BoolArray, BoolArray],
        durations_s: tuple[float, float],
    ) -> BoolArray:
        """Return (N, F) the flags that are on.

        Args:
            rows: (N,).
            stamp_s: seconds, not decreasing.
            conditions: (N, F) to switch on, and (N, F) to stay on.
            durations_s: how long the first must hold to switch on, and how long the second must
                fail to switch off, seconds.
        """
        active = self._active[rows]
        changing = np.where(active, ~conditions[1], conditions[0])
        since = np.fmin(self._since[rows], stamp_s)
        since[~changing] = np.nan
        needed = np.where(active, durations_s[1], durations_s[0])
        switch = stamp_s - since >= needed - _TOLERANCE_S
        since[switch] = np.nan
        active ^= switch
        self._active[rows], self._since[rows] = active, since
        return active


class HeldClass:
    """A class per row, 0 for unknown, that changes after another one has held for some time."""

    def __init__(self, n_rows: int) -> None:
        self.current = np.zeros(n_rows, np.int64)
        self._candidate = np.zeros(n_rows, np.int64)
        self._since = np.full(n_rows, np.nan)

    def clear(self, rows: IntArray) -> None:
        """Set everything to unknown."""
        self.current[rows], self._candidate[rows], self._since[rows] = 0, 0, np.nan

    def update(
        self, rows: IntArray, stamp_s: float, observed: IntArray, duration_s: float
    ) -> IntArray:
        """Return (N,) the classes, given those that the image alone shows."""
        same = observed == self._candidate[rows]
        since = np.where(same, np.fmin(self._since[rows], stamp_s), stamp_s)
        held = stamp_s - since >= duration_s - _TOLERANCE_S
        self.current[rows] = np.where(held, observed, self.current[rows])
        self._candidate[rows], self._since[rows] = observed, since
        return self.current[rows]
