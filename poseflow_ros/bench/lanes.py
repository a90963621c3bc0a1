"""Plot of track ids over time, with a lane for each true person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.bench.error import BenchError
from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.assignment import assign
from poseflow_ros.tracking.similarity import box_iou

_SAME_IOU = 0.5
_WIDTH_IN, _LANE_IN, _HEAD_IN = 15.0, 0.23, 0.95
_MARGIN_IN = 1.0  # next to the lanes
_LABEL_PT, _DIGIT_IN = 6.5, 0.062
_THICK, _THIN = 0.72, 0.28  # bars, as shares of a lane
_AGAIN_SHARE = 0.05  # of the duration: who was away for longer gets the number again
_INK, _GREY = "#222222", "#c4c4c4"

Run = tuple[int, int, int]
"""An id, the first frame and the one after the last."""


@dataclass(slots=True)
class Lanes:
    """Collects which track ids are assigned to which true people."""

    present: dict[int, list[int]] = field(default_factory=dict)
    """True id -> frames, in the order of appearance."""
    found_as: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """True id -> frames and the track id in each."""
    alone: dict[int, list[int]] = field(default_factory=dict)
    """Track id -> frames, of track ids that never match a person."""
    frames: int = 0
    _somebody: set[int] = field(default_factory=set)

    def add(
        self,
        truth_ids: IntArray,
        truth_boxes: FloatArray,
        found_ids: IntArray,
        found_boxes: FloatArray,
    ) -> None:
        """Add one frame: (T,) ids and (T, 4) boxes of the truth, (F,) and (F, 4) of the tracks."""
        iou = box_iou(truth_boxes, found_boxes)
        before = [self.found_as.get(int(who), [(0, 0)])[-1][1] for who in truth_ids]
        goes_on = np.array(before, int)[:, None] == found_ids
        for i, j in assign(np.where(iou >= _SAME_IOU, iou + goes_on, 0), 0.0).tolist():
            found = int(found_ids[j])
            self.found_as.setdefault(int(truth_ids[i]), []).append((self.frames, found))
            self._somebody.add(found)
            self.alone.pop(found, None)
        for who in truth_ids.tolist():
            self.present.setdefault(who, []).append(self.frames)
        for found in set(found_ids.tolist()) - self._somebody:
            self.alone.setdefault(found, []).append(self.frames)
        self.frames += 1


def draw(path: Path, lanes: Mapping[str, Lanes], frame_s: float) -> None:
    """Write a plot with a panel for each association.

    Args:
        path: in a format that Matplotlib supports, such as PNG.
        lanes: by the name of the association.
        frame_s: seconds between frames.

    Raises:
        BenchError: see `check_plot`.
    """
    figure = check_plot(path)
    packed = {name: _pack(one.alone) for name, one in lanes.items()}
    rows = [len(one.present) + len(packed[name]) + 1 for name, one in lanes.items()]
    height_in = sum(rows) * _LANE_IN + len(rows) * _HEAD_IN
    figure.set_size_inches(_WIDTH_IN, height_in)
    panels = figure.subplots(len(rows), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axes, (name, one) in zip(panels, lanes.items(), strict=True):
        _draw_panel(axes, name, one, packed[name], frame_s)
    panels[-1].set_xlabel("seconds", fontsize=8.5, color=_INK)
    figure.savefig(path, dpi=130)


def check_plot(path: Path) -> Any:
    """Return an empty Matplotlib figure that can be saved to the path.

    Raises:
        BenchError: Matplotlib is missing or does not support the format.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        message = "--plot needs Matplotlib, which is not installed: pip install matplotlib"
        raise BenchError(message) from error
    figure = Figure(layout="constrained")
    kinds = sorted(FigureCanvasAgg(figure).get_supported_filetypes())
    if path.suffix[1:].lower() not in kinds:
        raise BenchError(f"{path} cannot be drawn, its name must end in one of {', '.join(kinds)}")
    return figure


def _draw_panel(
    axes: Any, name: str, lanes: Lanes, packed: list[list[Run]], frame_s: float
) -> None:
    """Draw the true people from the top, and below them track ids that never match a person."""
    for row, who in enumerate(lanes.present):
        for _, start, end in _runs((frame, who) for frame in lanes.present[who]):
            _bar(axes, row, start * frame_s, end * frame_s, _GREY, _THIN)
        _draw_runs(axes, row, _runs(lanes.found_as.get(who, [])), lanes.frames, frame_s)
    n = len(lanes.present)
    for row, runs in enumerate(packed, start=n + 1):
        _draw_runs(axes, row, runs, lanes.frames, frame_s)
    _style(axes, lanes, len(packed), lanes.frames * frame_s)
    axes.set_title(_headline(name, lanes), loc="left", fontsize=10, color=_INK)


def _draw_runs(axes: Any, row: int, runs: list[Run], frames: int, frame_s: float) -> None:
    """Draw colored bars, with the id where it changes and there is room for it."""
    digit = _DIGIT_IN / (_WIDTH_IN - _MARGIN_IN) * frames
    shown, shown_to = 0, 0.0
    for i, (who, start, end) in enumerate(runs):
        color = _pale(track_color(who))
        _bar(axes, row, start * frame_s, end * frame_s, color, _THICK)
        if who == shown and start < shown_to:
            shown_to = end + _AGAIN_SHARE * frames
            continue
        others = (first for other, first, _ in runs[i + 1 :] if other != who)
        if start + digit * (len(str(who)) + 1) <= next(others, frames):
            x = (start + digit / 2) * frame_s
            axes.text(x, row, str(who), fontsize=_LABEL_PT, va="center_baseline", color=_INK)
            shown, shown_to = who, end + _AGAIN_SHARE * frames


def _bar(axes: Any, row: int, start_s: float, end_s: float, color: Any, height: float) -> None:
    axes.barh(row, end_s - start_s, left=start_s, height=height, color=color, linewidth=0)


def _pale(color: tuple[float, float, float]) -> tuple[float, ...]:
    """Return a light color, on which dark digits are readable."""
    return tuple(0.65 * channel + 0.35 for channel in color)


def _style(axes: Any, lanes: Lanes, n_alone: int, duration_s: float) -> None:
    people = list(lanes.present)
    axes.set_yticks(range(len(people)), people, fontsize=7.5)
    if n_alone:
        middle = len(people) + 1 + (n_alone - 1) / 2
        axes.annotate("no person", (0, middle), (-8, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", ha="right", va="center", fontsize=7.5,
                      rotation=90 if n_alone > 2 else 0)  # fmt: skip
    axes.set_xlim(0, duration_s)
    axes.set_ylim(len(people) + n_alone + 0.6, -0.7)
    axes.set_ylabel("true person", fontsize=8.5, color=_INK, labelpad=14)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#e8e8e8", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _headline(name: str, lanes: Lanes) -> str:
    ids = {found for sights in lanes.found_as.values() for _, found in sights}
    return (f"{name}: {len(lanes.present)} people under {len(ids)} ids, "
            f"{len(lanes.alone)} ids match no person")  # fmt: skip


def _runs(sights: Iterable[tuple[int, int]]) -> list[Run]:
    """Return the runs of equal ids in (frame, id), in the order of frames."""
    runs: list[Run] = []
    for frame, who in sights:
        if runs and runs[-1][0] == who and runs[-1][2] == frame:
            runs[-1] = (who, runs[-1][1], frame + 1)
        else:
            runs.append((who, frame, frame + 1))
    return runs


def _pack(alone: Mapping[int, list[int]]) -> list[list[Run]]:
    """Arrange the runs of several ids in a minimum number of rows without overlap."""
    rows: list[list[Run]] = []
    for who, frames in sorted(alone.items(), key=lambda item: item[1][0]):
        free = next((row for row in rows if row[-1][2] < frames[0]), None)
        if free is None:
            free = []
            rows.append(free)
        free += _runs((frame, who) for frame in frames)
    return rows
