"""Fallen: somebody who stood lies soon after, and stays there."""

import numpy as np

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.held import BoolArray
from poseflow_ros.actions.kinds import Posture
from poseflow_ros.poses import IntArray

_STANDING, _LYING = int(Posture.STANDING), int(Posture.LYING)


class FallDetector:
    """Remembers for each row when the person last stood, and since when they have been lying."""

    def __init__(self, n_rows: int) -> None:
        self._stood_s = np.full(n_rows, np.nan)
        self._lying_since_s = np.full(n_rows, np.nan)
        self._fell = np.zeros(n_rows, bool)

    def clear(self, rows: IntArray) -> None:
        """Forget what is known of some rows."""
        self._stood_s[rows], self._lying_since_s[rows], self._fell[rows] = np.nan, np.nan, False

    def update(
        self, rows: IntArray, stamp_s: float, postures: IntArray, config: BehaviorsConfig
    ) -> BoolArray:
        """Return (N,) who has fallen and lies there.

        Args:
            rows: (N,).
            stamp_s: seconds.
            postures: (N,) Posture.
            config: `fall_time_s` and `fallen_hold_s`.
        """
        lying = postures == _LYING
        began = lying & np.isnan(self._lying_since_s[rows])
        quick = stamp_s - self._stood_s[rows] <= config.fall_time_s
        self._fell[rows] = lying & np.where(began, quick, self._fell[rows])
        since = np.where(lying, np.fmin(self._lying_since_s[rows], stamp_s), np.nan)
        self._lying_since_s[rows] = since
        self._stood_s[rows[postures == _STANDING]] = stamp_s
        return self._fell[rows] & (stamp_s - since >= config.fallen_hold_s)
