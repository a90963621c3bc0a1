"""The states of people's behaviors: hysteresis, hold times, falls and zones."""

import numpy as np

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.body import Body
from poseflow_ros.actions.fall import FallDetector
from poseflow_ros.actions.held import BoolArray, HeldFlags, VotedClass
from poseflow_ros.actions.kinds import Behavior, Posture
from poseflow_ros.actions.posture import postures
from poseflow_ros.actions.proxemics import zones
from poseflow_ros.poses import FloatArray, IntArray

_N_SHOWN = len(Behavior) - 1
"""FALLEN follows from the postures; a single image does not show it."""


class BehaviorState:
    """The states of `n_rows` rows, each of one person."""

    def __init__(self, n_rows: int) -> None:
        self._flags = HeldFlags(n_rows, _N_SHOWN)
        self._postures = VotedClass(n_rows, len(Posture))
        self._falls = FallDetector(n_rows)
        self._zones = np.zeros(n_rows, np.int64)
        self._seen_s = np.full(n_rows, np.nan)

    def begin(
        self, rows: IntArray, new: BoolArray, stamp_s: float, config: BehaviorsConfig
    ) -> None:
        """Reset the rows of new people, and of those unseen for longer than `max_gap_s`."""
        fresh = rows[new | (stamp_s - self._seen_s[rows] > config.max_gap_s)]
        if len(fresh):
            for state in (self._flags, self._postures, self._falls):
                state.clear(fresh)
            self._zones[fresh] = 0
        self._seen_s[rows] = stamp_s

    def update_flags(
        self, rows: IntArray, stamp_s: float, margins: FloatArray, config: BehaviorsConfig
    ) -> BoolArray:
        """Return (N, 8) which behaviors but FALLEN are active, given (N, 8) margins."""
        conditions = margins >= 0.0, margins >= -config.hysteresis
        return self._flags.update(rows, stamp_s, conditions, (config.hold_s, config.release_s))

    def update_postures(
        self, rows: IntArray, stamp_s: float, body: Body, config: BehaviorsConfig
    ) -> IntArray:
        """Return (N,) Posture."""
        seen = postures(body, self._postures.current[rows], config)
        return self._postures.update(rows, stamp_s, seen, config.posture_hold_s)

    def update_falls(
        self, rows: IntArray, stamp_s: float, held: IntArray, config: BehaviorsConfig
    ) -> BoolArray:
        """Return (N,) who has fallen, given (N,) Posture."""
        return self._falls.update(rows, stamp_s, held, config)

    def update_zones(
        self, rows: IntArray, distances_m: FloatArray, config: BehaviorsConfig
    ) -> IntArray:
        """Return (N,) Zone."""
        self._zones[rows] = zones(distances_m, self._zones[rows], config)
        return self._zones[rows]
