"""How fast people move in space."""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray

# A position counts e times less when it is this much older, seconds: long enough for the noise
# of depth cameras, short enough for somebody who turns round.
_TIME_CONSTANT_S = 0.4
# After so long without a position, seconds, what was before tells nothing: a line through it
# and through where somebody is found again would be nobody's velocity.
_LONGEST_GAP_S = 1.0
# Below this, seconds squared, the positions are of one time: a tenth of a millisecond.
_LEAST_SPREAD_S2 = 1e-8


class SpatialVelocity:
    """Estimates people's velocities from their positions, by track id.

    The slope of a straight line through the positions at their times (constant velocity), least
    squares whose weights fall exponentially with age. In seconds, at any frame rate. Nobody is
    remembered who is not mentioned any more.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._ids: IntArray = np.zeros(0, np.int64)
        self._stamps_s: FloatArray = np.zeros(0)
        # Per person: sums of the weights, of weights times times, and of weights times squared
        # times; of weighted positions, and of these times times. A time is relative to when
        # last a position was known.
        self._weights: FloatArray = np.zeros((0, 3))
        self._positions: FloatArray = np.zeros((0, 2, 3))

    def update(self, track_ids: IntArray, positions: FloatArray, stamp_s: float) -> FloatArray:
        """Return (N, 3) metres a second, NaN where fewer than two positions are known.

        Where a position is unknown its person's velocity stays, for a second at most. Whose
        last position is older, or newer than the stamp, begins anew.

        Args:
            track_ids: (N,) each once.
            positions: (N, 3) metres, in a frame that stands still; NaN where unknown.
            stamp_s: seconds, of the positions.

        Raises:
            ValueError: positions are not (N, 3), or an id occurs twice.
        """
        if positions.shape != (len(track_ids), 3):
            raise ValueError(f"positions must be ({len(track_ids)}, 3), got {positions.shape}")
        if len(np.unique(track_ids)) != len(track_ids):
            raise ValueError(f"track_ids must differ, got {list(track_ids)}")
        self._select(track_ids)
        elapsed = stamp_s - self._stamps_s
        lasting = (elapsed >= 0) & (elapsed <= _LONGEST_GAP_S)
        known = np.isfinite(positions.sum(axis=1))
        self._age(known, np.where(lasting, elapsed, np.inf))
        self._weights[known, 0] += 1
        self._positions[known, 0] += positions[known]
        self._stamps_s[known] = stamp_s
        return np.where((known | lasting)[:, None], self._slopes(), np.nan)

    def _select(self, track_ids: IntArray) -> None:
        """Keep the sums of these people, in this order, and begin those of others."""
        _, now, before = np.intersect1d(
            track_ids, self._ids, assume_unique=True, return_indices=True
        )
        n = len(track_ids)
        for name in ("_stamps_s", "_weights", "_positions"):
            old = getattr(self, name)
            kept = np.zeros((n, *old.shape[1:]))
            kept[now] = old[before]
            setattr(self, name, kept)
        self._ids = np.array(track_ids, np.int64)

    def _age(self, who: NDArray[np.bool_], elapsed: FloatArray) -> None:
        """Let the sums of `who` be relative to `elapsed` later, and weigh less; inf forgets."""
        decay = np.exp(-elapsed[who] / _TIME_CONSTANT_S)[:, None]
        dt = np.where(np.isinf(elapsed), 0, elapsed)[who]
        weights, positions = self._weights[who], self._positions[who]
        weights[:, 2] += dt**2 * weights[:, 0] - 2 * dt * weights[:, 1]
        weights[:, 1] -= dt * weights[:, 0]
        positions[:, 1] -= dt[:, None] * positions[:, 0]
        self._weights[who] = decay * weights
        self._positions[who] = decay[..., None] * positions

    def _slopes(self) -> FloatArray:
        """Return (N, 3) metres a second, NaN where all positions are of one time."""
        w0, w1, w2 = self._weights.T[..., None]
        p0, p1 = self._positions.transpose(1, 0, 2)
        spread = w0 * w2 - w1**2
        # Of one time the spread is zero, or what rounding leaves of it.
        known = spread > _LEAST_SPREAD_S2
        return np.where(known, (w0 * p1 - w1 * p0) / np.where(known, spread, 1), np.nan)
