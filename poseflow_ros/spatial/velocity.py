"""The 3D velocities of people."""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray

# Time constant with which the weight of a position decays: long enough to average the noise of
# depth cameras, short enough to follow a person who turns around.
_TIME_CONSTANT_S = 0.4
# Earlier positions are discarded after a longer gap: a line across the gap is not a velocity.
_MAX_GAP_S = 1.0
# Minimum variance of the stamps, s^2: below it all positions have the same stamp.
_MIN_SPREAD_S2 = 1e-8


class SpatialVelocity:
    """Estimates people's velocities from their positions, by track id.

    The velocity is the slope of a weighted least-squares line through the positions over time;
    the weights decay exponentially with age. Only the track ids of the last update are kept.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Discard all positions."""
        self._ids: IntArray = np.zeros(0, np.int64)
        self._stamps_s: FloatArray = np.zeros(0)
        # Per person: the sums of w, w t and w t^2, and of w p and w p t, for weights w, times t
        # and positions p. Times are relative to the last known position.
        self._weights: FloatArray = np.zeros((0, 3))
        self._positions: FloatArray = np.zeros((0, 2, 3))

    def update(self, track_ids: IntArray, positions: FloatArray, stamp_s: float) -> FloatArray:
        """Return (N, 3) metres per second, NaN where fewer than two positions are known.

        If a position is unknown, the velocity is kept for at most one second. If the last
        position is older than that, or newer than the stamp, the estimation restarts.

        Args:
            track_ids: (N,) without duplicates.
            positions: (N, 3) metres, in a frame that does not move; NaN where unknown.
            stamp_s: seconds, of the positions.

        Raises:
            ValueError: positions are not (N, 3), or an id is duplicated.
        """
        if positions.shape != (len(track_ids), 3):
            raise ValueError(f"positions must be ({len(track_ids)}, 3), got {positions.shape}")
        if len(np.unique(track_ids)) != len(track_ids):
            raise ValueError(f"track_ids must differ, got {list(track_ids)}")
        self._select(track_ids)
        elapsed = stamp_s - self._stamps_s
        lasting = (elapsed >= 0) & (elapsed <= _MAX_GAP_S)
        known = np.isfinite(positions.sum(axis=1))
        self._age(known, np.where(lasting, elapsed, np.inf))
        self._weights[known, 0] += 1
        self._positions[known, 0] += positions[known]
        self._stamps_s[known] = stamp_s
        return np.where((known | lasting)[:, None], self._slopes(), np.nan)

    def _select(self, track_ids: IntArray) -> None:
        """Keep the sums of these track ids, in this order; those of new ids are 0."""
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

    def _age(self, mask: NDArray[np.bool_], elapsed: FloatArray) -> None:
        """Decay the masked sums and shift them in time by `elapsed` seconds; inf discards them."""
        decay = np.exp(-elapsed[mask] / _TIME_CONSTANT_S)[:, None]
        dt = np.where(np.isinf(elapsed), 0, elapsed)[mask]
        weights, positions = self._weights[mask], self._positions[mask]
        weights[:, 2] += dt**2 * weights[:, 0] - 2 * dt * weights[:, 1]
        weights[:, 1] -= dt * weights[:, 0]
        positions[:, 1] -= dt[:, None] * positions[:, 0]
        self._weights[mask] = decay * weights
        self._positions[mask] = decay[..., None] * positions

    def _slopes(self) -> FloatArray:
        """Return (N, 3) metres per second, NaN where all positions have the same stamp."""
        w0, w1, w2 = self._weights.T[..., None]
        p0, p1 = self._positions.transpose(1, 0, 2)
        spread = w0 * w2 - w1**2
        # For one stamp the spread is zero except for rounding.
        known = spread > _MIN_SPREAD_S2
        return np.where(known, (w0 * p1 - w1 * p0) / np.where(known, spread, 1), np.nan)
