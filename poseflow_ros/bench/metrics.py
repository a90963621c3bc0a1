"""Tracking metrics by TrackEval, and reading of MOTChallenge text."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.bench.error import BenchError
from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.similarity import box_iou

_MAX_FRAME = 10_000_000
Frames = dict[int, tuple[IntArray, FloatArray]]
"""Frame from 0 -> ids (N,) and boxes (N, 4), x1 y1 x2 y2 pixels; without empty frames."""


def read_mot(path: Path) -> Frames:
    """Return the people in MOTChallenge ground truth.

    A line contains frame from 1, id, left, top, width, height, conf, ...; lines with conf 0 are
    ignored.

    Raises:
        BenchError: a line is invalid, or an id occurs twice in a frame.
        OSError: the file cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's of an empty file
            rows = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8")
    except ValueError as error:
        reason = str(error).split(";")[0]
        raise BenchError(f"{path} is not a MOTChallenge text: {reason}") from error
    if rows.size == 0 or rows.shape[1] < 7:
        raise BenchError(f"{path} has {rows.shape[1] if rows.size else 0} columns, must have "
                         "frame, id, left, top, width, height, conf, ...")  # fmt: skip
    _check_rows(path, rows)
    rows = rows[rows[:, 6] > 0]
    if not len(rows):
        raise BenchError(f"{path} contains no people: conf is 0 in every row")
    boxes = np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])
    frames = rows[:, 0].astype(int)
    return {
        int(f) - 1: (rows[frames == f, 1].astype(int), boxes[frames == f])
        for f in np.unique(frames)
    }


def _check_rows(path: Path, rows: FloatArray) -> None:
    """Raise BenchError for the first invalid row."""
    frames, ids, sizes = rows[:, 0], rows[:, 1], rows[:, 4:6]
    for reason, wrong in (
        ("has a number that is not finite", ~np.isfinite(rows[:, :7]).all(axis=1)),
        ("has a frame that is not a whole number from 1", (frames < 1) | (frames % 1 != 0)),
        (f"has a frame above {_MAX_FRAME}", frames > _MAX_FRAME),
        ("has an id that is not a whole number", ids % 1 != 0),
        ("has a box without area", (sizes <= 0).any(axis=1)),
    ):
        if wrong.any():
            raise BenchError(f"{path}: row {wrong.argmax() + 1} {reason}")
    _, first = np.unique(rows[:, :2], axis=0, return_index=True)
    if len(first) < len(rows):
        again = int(np.setdiff1d(np.arange(len(rows)), first)[0])
        raise BenchError(f"{path}: row {again + 1} repeats an id in its frame")


@dataclass(slots=True)
class Score:
    """Collects ground truth and tracks frame by frame, and computes the metrics.

    Raises:
        BenchError: TrackEval is not installed.
    """

    truth_ids: list[IntArray] = field(default_factory=list)
    found_ids: list[IntArray] = field(default_factory=list)
    similarities: list[FloatArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        _import_trackeval()

    def add(
        self,
        truth_ids: IntArray,
        truth_boxes: FloatArray,
        found_ids: IntArray,
        found_boxes: FloatArray,
    ) -> None:
        """Add one frame: (T,) ids and (T, 4) boxes of the truth, (F,) and (F, 4) of the tracks."""
        self.truth_ids.append(truth_ids)
        self.found_ids.append(found_ids)
        self.similarities.append(box_iou(truth_boxes, found_boxes).astype(np.float32))

    def figures(self) -> dict[str, float]:
        """Return the metrics of this sequence alone, as `combined_figures` does."""
        return combined_figures([self])

    def sequence(self) -> dict[str, Any]:
        """Return the input of TrackEval, with consecutive ids from 0."""
        truth, n_truth = _dense(self.truth_ids)
        found, n_found = _dense(self.found_ids)
        return {
            "num_timesteps": len(truth),
            "gt_ids": truth,
            "tracker_ids": found,
            "num_gt_ids": n_truth,
            "num_tracker_ids": n_found,
            "num_gt_dets": sum(map(len, truth)),
            "num_tracker_dets": sum(map(len, found)),
            "similarity_scores": self.similarities,
        }


def combined_figures(scores: Sequence[Score]) -> dict[str, float]:
    """Return the metrics of several sequences scored together.

    TrackEval's `combine_sequences` sums the counts of all sequences, so a long sequence has more
    weight than a short one. Equal ids in different sequences are different people.

    Returns:
        HOTA, AssA, DetA, IDF1 and MOTA in per cent; switches, identities and true identities.
    """
    metrics, sequences = _import_trackeval(), [score.sequence() for score in scores]
    hota, clear, identity = (
        metric.combine_sequences(
            {str(i): metric.eval_sequence(data) for i, data in enumerate(sequences)}
        )
        for metric in (
            metrics.HOTA(),
            metrics.CLEAR({"PRINT_CONFIG": False}),
            metrics.Identity({"PRINT_CONFIG": False}),
        )
    )
    shares = {name: hota[name].mean() for name in ("HOTA", "AssA", "DetA")}
    shares |= {"IDF1": identity["IDF1"], "MOTA": clear["MOTA"]}
    return {
        **{name: round(100 * float(share), 2) for name, share in shares.items()},
        "switches": int(clear["IDSW"]),
        "identities": sum(data["num_tracker_ids"] for data in sequences),
        "true_identities": sum(data["num_gt_ids"] for data in sequences),
    }


def _import_trackeval() -> Any:
    try:
        import trackeval.metrics
    except ImportError as error:
        message = "the metrics need TrackEval, which is not installed: pip install trackeval"
        raise BenchError(message) from error
    return trackeval.metrics


def _dense(frames: list[IntArray]) -> tuple[list[IntArray], int]:
    """Return the ids of each frame as indices into the sorted ids, and the number of ids."""
    known = np.unique(np.concatenate([np.zeros(0, int), *frames]))
    return [np.searchsorted(known, ids) for ids in frames], len(known)
