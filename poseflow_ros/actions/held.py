"""States per person that change only after a condition has held for some time."""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import IntArray

BoolArray = NDArray[np.bool_]
_TOLERANCE_S = 1e-6
_MAJORITY = 0.5 - 1e-6


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


class VotedClass:
    """A class per row, 0 for unknown, which changes after another one had most of the votes.

    Each moment votes for the class that the last image showed; votes lose half of their weight in
    the hold time. So a class that is shown without interruption wins after the hold time, and one
    that is sometimes missed a little later.
    """

    def __init__(self, n_rows: int, n_classes: int) -> None:
        self.current = np.zeros(n_rows, np.int64)
        self._shown = np.zeros(n_rows, np.int64)
        self._votes = np.zeros((n_rows, n_classes))
        self._stamps_s = np.full(n_rows, np.nan)

    def clear(self, rows: IntArray) -> None:
        """Set everything to unknown, without votes."""
        self.current[rows], self._shown[rows] = 0, 0
        self._votes[rows], self._stamps_s[rows] = 0.0, np.nan

    def update(self, rows: IntArray, stamp_s: float, shown: IntArray, hold_s: float) -> IntArray:
        """Return (N,) the classes, given those that the image alone shows.

        Args:
            rows: (N,).
            stamp_s: seconds, not decreasing.
            shown: (N,) classes.
            hold_s: the hold time, seconds; 0: the class is always the one shown.
        """
        if hold_s == 0.0:
            self.current[rows] = shown
            return shown
        people = np.arange(len(rows))
        elapsed_s = np.fmax(stamp_s - self._stamps_s[rows], 0.0)  # NaN: nothing shown yet
        kept = np.exp2(-elapsed_s / hold_s)
        votes = self._votes[rows] * kept[:, None]
        votes[people, self._shown[rows]] += 1.0 - kept
        self._votes[rows], self._shown[rows], self._stamps_s[rows] = votes, shown, stamp_s
        current = self.current[rows]
        votes[people, current] = 0.0
        best = votes.argmax(axis=1)
        won = votes[people, best] >= _MAJORITY
        self.current[rows] = np.where(won, best, current)
        return self.current[rows]
