"""Tables of tracks, one row per track."""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray, Poses, TrackedPoses

Table = TypeVar("Table")


@dataclass(slots=True, eq=False)
class Tracks:
    """The last observations of M tracks.

    Attributes:
        track_ids, states, hits, match_scores: as in TrackedPoses.
        poses: the last observed pose of each.
        first_seen_s, last_seen_s: (M,) stamps, seconds.
    """

    track_ids: IntArray
    states: IntArray
    poses: Poses
    first_seen_s: FloatArray
    last_seen_s: FloatArray
    hits: IntArray
    match_scores: FloatArray

    def __len__(self) -> int:
        return len(self.track_ids)

    def snapshot(self, order: IntArray, velocities: FloatArray, stamp_s: float) -> TrackedPoses:
        """Return a copy of the rows in this order, as of `stamp_s`; (M, 2) velocities."""
        return TrackedPoses(
            poses=self.poses[order],
            track_ids=self.track_ids[order],
            states=self.states[order],
            match_scores=self.match_scores[order],
            ages_s=stamp_s - self.first_seen_s[order],
            time_since_update_s=stamp_s - self.last_seen_s[order],
            hits=self.hits[order],
            velocities=velocities[order],
        )


def select(table: Table, index: Any) -> Table:
    """Return the rows of a table (a dataclass of arrays and tables) selected by `index`."""
    values = (getattr(table, item.name) for item in fields(table))  # type: ignore[arg-type]
    return type(table)(
        *(v[index] if isinstance(v, np.ndarray | Poses) else select(v, index) for v in values)
    )


def append(table: Table, other: Table) -> Table:
    """Return a table with the rows of two tables."""
    pairs = ((getattr(table, f.name), getattr(other, f.name)) for f in fields(table))  # type: ignore[arg-type]
    return type(table)(
        *(np.concatenate(p) if isinstance(p[0], np.ndarray) else append(*p) for p in pairs)
    )


def put(table: Table, index: Any, other: Table) -> None:
    """Overwrite the rows of a table selected by `index` with those of `other`."""
    for item in fields(table):  # type: ignore[arg-type]
        value, new = getattr(table, item.name), getattr(other, item.name)
        if isinstance(value, np.ndarray):
            value[index] = new
        else:
            put(value, index, new)
