"""A table with one row for each person in each image, as CSV or Parquet."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.poses import TrackState
from poseflow_ros.skeletons.skeleton import Skeleton

TABLE_SUFFIXES = (".csv", ".parquet")
_ROWS_PER_GROUP = 10_000
_DECIMALS = 4
_INTEGERS = ("frame", "stamp_ns", "epoch", "track_id")
_POINT = ("x", "y", "score")
_NUMBERS = ("score", "x1", "y1", "x2", "y2", "velocity_x", "velocity_y")
_TEXTS = ("state", "frame_3d")
_AXES = ("x", "y", "z")
_NUMBERS_3D = (
    *(f"position_{axis}_m" for axis in _AXES),
    *(f"velocity_{axis}_m_s" for axis in _AXES),
)
_POINT_3D = ("x_m", "y_m", "z_m", "stddev_m")

Row = list[Any]


class TableWriter:
    """Writes frame, stamp, epoch, track id, state, score, box, velocity and keypoints.

    Lengths are pixels, velocities pixels per second, stamps nanoseconds. 3D columns follow where
    they are wanted: metres and metres per second in the frame `frame_3d`, NaN where unknown.
    """

    def __init__(self, path: Path, skeleton: Skeleton, in_3d: bool = False) -> None:
        """Write to a path that ends in .csv or .parquet."""
        keypoints = skeleton.keypoint_names
        points = [f"{name}_{field}" for name in keypoints for field in _POINT]
        names = [*_INTEGERS, "state", *_NUMBERS, *points]
        if in_3d:
            points_3d = [f"{name}_{field}" for name in keypoints for field in _POINT_3D]
            names += ["frame_3d", *_NUMBERS_3D, *points_3d]
        self._in_3d = in_3d
        make = _Csv if path.suffix.lower() == ".csv" else _Parquet
        self._file: _TableFile = make(path, names)

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, result: TrackedImage) -> None:
        """Write the people of one image."""
        people, poses = result.people, result.people.poses
        points = np.concatenate([poses.keypoints, poses.keypoint_scores[:, :, None]], axis=2)
        flat = points.reshape(len(people), -1)
        numbers = np.hstack([poses.scores[:, None], poses.boxes, people.velocities, flat])
        for track_id, state, row, row_3d in zip(
            people.track_ids.tolist(),
            people.states.tolist(),
            numbers.round(_DECIMALS).tolist(),
            self._columns_3d(result),
            strict=True,
        ):
            integers = [result.index, result.stamp_ns, result.epoch, track_id]
            self._file.add([*integers, TrackState(state).name.lower(), *row, *row_3d])

    def _columns_3d(self, result: TrackedImage) -> list[Row]:
        """Return the 3D columns of each person, none where they are not wanted."""
        if not self._in_3d:
            return [[] for _ in range(len(result.people))]
        frame = result.located.frame if result.located else ""
        return [[frame, *row] for row in result.in_3d().round(_DECIMALS).tolist()]


class _TableFile(Protocol):
    def add(self, row: Row) -> None: ...

    def close(self) -> None: ...


class _Csv:
    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._file = path.open("w", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(names)

    def add(self, row: Row) -> None:
        self._rows.writerow(row)

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, names: Sequence[str]) -> None:
        import pyarrow
        import pyarrow.parquet

        types = dict.fromkeys(_TEXTS, pyarrow.string()) | dict.fromkeys(_INTEGERS, pyarrow.int64())
        fields = [(name, types.get(name, pyarrow.float32())) for name in names]
        self._arrow, self._schema = pyarrow, pyarrow.schema(fields)
        self._file = pyarrow.parquet.ParquetWriter(path, self._schema)
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) == _ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        with self._file:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = list(zip(*self._rows, strict=True))
            arrays = [
                self._arrow.array(column, field.type)
                for column, field in zip(columns, self._schema, strict=True)
            ]
            self._file.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
            self._rows.clear()
