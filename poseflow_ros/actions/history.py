"""Recent poses resampled to a fixed rate."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray

BoolArray = NDArray[np.bool_]
_TOLERANCE = 1e-3
"""An image this close to a sample's time, in sampling periods, gives the sample itself."""
_NEVER = -(2**62)


class PoseHistory:
    """Samples of K keypoints at a fixed rate in R rows, each of one track.

    Sample i belongs to the time `origin_s + i / rate_hz`. Each row is a ring buffer, in which a
    sample lies at its index modulo `length`. A cell also holds the index of its sample, so a
    sample that was not written is recognized by the index of an older one.

    Between two observations the channels are interpolated linearly, but of channel 2, the score,
    the smaller of the two values is taken. Where the observations are more than `max_gap_s` apart
    the samples between them are unknown.
    """

    def __init__(
        self,
        origin_s: float,
        *,
        rate_hz: float,
        length: int,
        max_gap_s: float,
        n_rows: int,
        n_channels: int = 3,
    ) -> None:
        self._origin_s = self._stamp_s = origin_s
        self._rate_hz = rate_hz
        self._max_gap = max_gap_s * rate_hz + _TOLERANCE
        self._indices = np.full((n_rows, length), _NEVER)
        self._samples = np.zeros((n_rows, length, 0, n_channels), np.float32)
        self._last_poses = np.zeros((n_rows, 0, n_channels))
        self._last_positions = np.full(n_rows, np.nan)

    def advance(self, stamp_s: float) -> int:
        """Set the time of the current image; return the index of the newest sample by then."""
        self._stamp_s = stamp_s
        return int(np.floor(self._position + _TOLERANCE))

    def time_of(self, index: int) -> float:
        """Return the time of a sample, seconds."""
        return self._origin_s + index / self._rate_hz

    def add(self, rows: IntArray, new: BoolArray, poses: FloatArray) -> IntArray:
        """Add the poses observed in the current image.

        Args:
            rows: (N,) each once.
            new: (N,) whether the row has a new owner.
            poses: (N, K, C) x, y, score and others.

        Returns:
            (N,) index of the newest sample at the previous observation, a very negative number
            where there was none.
        """
        self._allocate(poses.shape[1])
        self._indices[rows[new]], self._last_positions[rows[new]] = _NEVER, np.nan
        positions = np.floor(self._last_positions[rows] + _TOLERANCE)
        previous = np.where(np.isnan(positions), _NEVER, positions).astype(np.int64)
        self._write(rows, previous, poses)
        self._last_poses[rows], self._last_positions[rows] = poses, self._position
        return previous

    def samples(
        self, rows: IntArray, end: int, count: int
    ) -> tuple[NDArray[np.float32], BoolArray]:
        """Return the last samples up to and including sample `end`.

        Returns:
            (N, count, K, C) x, y, score and others: NaN, with a score of 0, where unknown.
            (N, count) which are known.
        """
        wanted = np.arange(end - count + 1, end + 1)
        start = int(wanted[0]) % self._indices.shape[1]
        known = _from_ring(self._indices, rows, start, count) == wanted
        samples = _from_ring(self._samples, rows, start, count)
        if not known.all():
            samples[~known] = np.nan
            samples[..., 2][~known] = 0.0
        return samples, known

    @property
    def _position(self) -> float:
        """The time of the current image, in sampling periods."""
        return (self._stamp_s - self._origin_s) * self._rate_hz

    def _allocate(self, n_keypoints: int) -> None:
        """Allocate for K keypoints, which is unknown until somebody is observed."""
        rows, length, allocated, n_channels = self._samples.shape
        if allocated != n_keypoints:
            self._samples = np.zeros((rows, length, n_keypoints, n_channels), np.float32)
            self._last_poses = np.zeros((rows, n_keypoints, n_channels))

    def _write(self, rows: IntArray, previous: IntArray, poses: FloatArray) -> None:
        """Write the samples between the previous observation of each row and this one."""
        before = self._last_positions[rows]
        which, indices = self._due(previous)
        exact = np.abs(indices - self._position) <= _TOLERANCE
        with np.errstate(invalid="ignore"):  # of rows without a previous observation
            gaps = (self._position - before)[which]
            shares = np.where(exact, 1.0, (indices - before[which]) / gaps)
            keep = exact | (gaps <= self._max_gap)
        which, indices, shares = which[keep], indices[keep], shares[keep]
        cells = rows[which], indices % self._indices.shape[1]
        self._samples[cells] = _between(self._last_poses[rows[which]], poses[which], shares)
        self._indices[cells] = indices

    def _due(self, previous: IntArray) -> tuple[IntArray, IntArray]:
        """Return of each sample after the previous ones the person (of N) and the index."""
        newest = self.advance(self._stamp_s)
        first = np.maximum(previous, newest - self._indices.shape[1]) + 1
        counts = newest + 1 - first
        which = np.repeat(np.arange(len(counts)), counts)
        starts = np.cumsum(counts) - counts
        return which, first[which] + np.arange(len(which)) - starts[which]


def _from_ring(ring: NDArray[Any], rows: IntArray, start: int, count: int) -> NDArray[Any]:
    """Return (N, count, ...) a copy of consecutive cells of (R, length, ...) ring buffers."""
    n_rows, length, *shape = ring.shape
    cells = rows[:, None] * length + (start + np.arange(count)) % length
    # A single copy: the allocation of a second one would take longer than the copy.
    return ring.reshape(n_rows * length, *shape).take(cells, axis=0)


def _between(before: FloatArray, after: FloatArray, shares: FloatArray) -> FloatArray:
    """Return (S, K, C) poses at shares in (0, 1] of the way; at 1 exactly the pose after."""
    weights = shares[:, None, None]
    poses: FloatArray = np.where(weights < 1.0, before + weights * (after - before), after)
    smaller = np.minimum(before[..., 2], after[..., 2])
    poses[..., 2] = np.where(shares[:, None] < 1.0, smaller, after[..., 2])
    return poses
