"""The recent poses of the tracks of one camera, resampled to a fixed rate."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.track_rows import TrackRows
from poseflow_ros.poses import FloatArray, IntArray

_TOLERANCE = 1e-3
"""An image this close to a sample's time, in sampling periods, gives the sample itself."""
_NEVER = -(2**62)


class Added(NamedTuple):
    """The N people observed in an image.

    Attributes:
        rows: (N,) their rows in the history.
        seen: (N,) which of the frame's tracks they are.
        previous: (N,) index of the newest sample at their previous observation, a very negative
            number where there was none.
    """

    rows: IntArray
    seen: IntArray
    previous: IntArray


class PoseHistory:
    """Samples at a fixed rate for each track of one camera in one epoch.

    Sample i belongs to the time `origin_s + i / rate_hz`; the origin is the stamp of the first
    image. Each track has a row of a ring buffer, in which a sample lies at its index modulo
    `length`. A cell also holds the index of its sample, so a sample that was not written is
    recognized by the index of an older one, and nothing is ever cleared.

    Between two observations the coordinates are interpolated linearly, and the score is the
    smaller of the two. Where they are more than `max_gap_s` apart the samples between them are
    unknown. Memory is allocated once, for `max_people`; the person unseen for longest makes room.
    """

    def __init__(
        self,
        first: PoseFrame,
        *,
        rate_hz: float,
        length: int,
        max_gap_s: float,
        max_people: int,
        with_points: bool = False,
    ) -> None:
        self.origin_s = self.stamp_s = first.stamp_s
        self._identity = (first.camera, first.epoch, first.image_size)
        self._rate_hz = rate_hz
        self._max_gap = max_gap_s * rate_hz + _TOLERANCE
        self._n_channels = 6 if with_points else 3
        self._indices = np.full((max_people, length), _NEVER)
        self._samples = np.zeros((max_people, length, 0, self._n_channels), np.float32)
        self._last_poses = self._samples[:, 0].astype(float)
        self._last_positions = np.full(max_people, np.nan)
        self._rows = TrackRows(max_people)

    def __len__(self) -> int:
        """Return the number of people remembered."""
        return len(self._rows)

    @property
    def newest(self) -> int:
        """Index of the newest sample that the last image completed."""
        return int(np.floor((self.stamp_s - self.origin_s) * self._rate_hz + _TOLERANCE))

    def continues(self, frame: PoseFrame) -> bool:
        """Return whether a frame belongs to the same camera, epoch, image size and time line."""
        same = (frame.camera, frame.epoch, frame.image_size) == self._identity
        n_known = self._samples.shape[2]
        return (
            same
            and frame.stamp_s >= self.stamp_s
            and (not n_known or frame.n_keypoints in (0, n_known))
        )

    def time_of(self, index: int) -> float:
        """Return the time of a sample, seconds."""
        return self.origin_s + index / self._rate_hz

    def add(self, frame: PoseFrame) -> Added:
        """Add the people observed in an image, at most `max_people`."""
        self.stamp_s = frame.stamp_s
        for track_id in frame.track_ids[frame.removed].tolist():
            self._rows.release(track_id)
        self._release_outdated()
        seen = np.flatnonzero(frame.observed)[: len(self._indices)]
        if not len(seen):
            return Added(seen, seen, seen)
        self._allocate(frame.n_keypoints)
        rows, new = self._rows.assign(frame.track_ids[seen])
        self._indices[rows[new]], self._last_positions[rows[new]] = _NEVER, np.nan
        parts = [frame.keypoints, frame.scores[..., None], frame.points]
        poses = np.concatenate(parts, axis=2)[seen, :, : self._n_channels]
        previous = self._previous(rows)
        self._write(rows, previous, poses)
        return Added(rows, seen, previous)

    def samples(self, rows: IntArray, end: int, count: int) -> tuple[
        NDArray[np.float32], NDArray[np.bool_]
    ]:  # fmt: skip
        """Return the last samples up to and including sample `end`.

        Returns:
            (N, count, K, C) x, y, score and perhaps 3D: NaN, with a score of 0, where unknown.
            (N, count) which are known.
        """
        wanted = np.arange(end - count + 1, end + 1)
        cells = rows[:, None], wanted % self._indices.shape[1]
        known = self._indices[cells] == wanted
        samples = self._samples[cells]
        samples[~known] = np.nan
        samples[..., 2][~known] = 0.0
        return samples, known

    def _allocate(self, n_keypoints: int) -> None:
        """Allocate for K keypoints, which is unknown until somebody is observed."""
        if self._samples.shape[2] == n_keypoints:
            return
        people, length = self._indices.shape
        self._samples = np.zeros((people, length, n_keypoints, self._n_channels), np.float32)
        self._last_poses = np.zeros((people, n_keypoints, self._n_channels))

    def _release_outdated(self) -> None:
        """Release the rows of people of whom no sample is left."""
        first = self.newest - self._indices.shape[1]
        while (oldest := self._rows.oldest()) and self._last_positions[oldest[1]] < first:
            self._rows.release(oldest[0])

    def _previous(self, rows: IntArray) -> IntArray:
        """Return (N,) the index of the newest sample at the previous observation."""
        positions = np.floor(self._last_positions[rows] + _TOLERANCE)
        return np.where(np.isnan(positions), _NEVER, positions).astype(np.int64)

    def _write(self, rows: IntArray, previous: IntArray, poses: FloatArray) -> None:
        """Write the samples between the previous observation of each person and this one."""
        position = (self.stamp_s - self.origin_s) * self._rate_hz
        before = self._last_positions[rows]
        which, indices = self._due(previous)
        exact = np.abs(indices - position) <= _TOLERANCE
        with np.errstate(invalid="ignore"):  # of people without a previous observation
            gaps = (position - before)[which]
            shares = np.where(exact, 1.0, (indices - before[which]) / gaps)
            keep = exact | (gaps <= self._max_gap)
        which, indices, shares = which[keep], indices[keep], shares[keep]
        cells = rows[which], indices % self._indices.shape[1]
        self._samples[cells] = _between(self._last_poses[rows[which]], poses[which], shares)
        self._indices[cells] = indices
        self._last_poses[rows], self._last_positions[rows] = poses, position

    def _due(self, previous: IntArray) -> tuple[IntArray, IntArray]:
        """Return for each sample after the previous ones the person (of N) and its index."""
        newest = self.newest
        first = np.maximum(previous, newest - self._indices.shape[1]) + 1
        counts = newest + 1 - first
        which = np.repeat(np.arange(len(counts)), counts)
        starts = np.cumsum(counts) - counts
        return which, first[which] + np.arange(len(which)) - starts[which]


def _between(before: FloatArray, after: FloatArray, shares: FloatArray) -> FloatArray:
    """Return (S, K, C) poses at shares in (0, 1] of the way; at 1 exactly the pose after."""
    weights = shares[:, None, None]
    poses: FloatArray = np.where(weights < 1.0, before + weights * (after - before), after)
    smaller = np.minimum(before[..., 2], after[..., 2])
    poses[..., 2] = np.where(shares[:, None] < 1.0, smaller, after[..., 2])
    return poses
