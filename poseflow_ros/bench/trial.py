"""One tracker on trial: its figures, its lanes and its time."""

from array import array
from collections.abc import Sequence

import numpy as np

from poseflow_ros.bench.lanes import Lanes
from poseflow_ros.bench.metrics import Score, combined_figures
from poseflow_ros.poses import FloatArray, IntArray, TrackedPoses
from poseflow_ros.tracking.similarity import box_iou

_LABELLED_IOU = 0.5


class Trial:
    """Collects what one tracker makes of the frames of one sequence."""

    def __init__(
        self, score: Score | None = None, lanes: Lanes | None = None, partial: bool = False
    ) -> None:
        """Begin; `score` and `lanes` collect who is found, without them only time is taken.

        With `partial` only some of the people are labelled: found boxes with an IoU below 0.5
        with every box of the truth do not count.
        """
        self.score, self.lanes = score, lanes
        self._partial = partial
        self._times_s = array("d")

    @property
    def frames(self) -> int:
        """How many frames were processed."""
        return len(self._times_s)

    @property
    def times_ms(self) -> FloatArray:
        """(frames,) milliseconds spent on each frame."""
        return 1e3 * np.array(self._times_s)

    def add_time(self, duration_s: float) -> None:
        """Add the seconds that the tracker spent on one frame."""
        self._times_s.append(duration_s)

    def add(self, truth_ids: IntArray, truth_boxes: FloatArray, tracked: TrackedPoses) -> None:
        """Add one frame: its truth, (T,) ids and (T, 4) boxes, and the tracker's output.

        Confirmed people count as found, the others do not.
        """
        found = tracked[tracked.visible]
        self.add_found(truth_ids, truth_boxes, found.track_ids, found.poses.boxes)

    def add_found(
        self,
        truth_ids: IntArray,
        truth_boxes: FloatArray,
        found_ids: IntArray,
        found_boxes: FloatArray,
    ) -> None:
        """Add one frame: (T,) ids and (T, 4) boxes of its truth, (F,) and (F, 4) of the found."""
        if self._partial:
            iou = box_iou(found_boxes, truth_boxes).max(axis=1, initial=0.0)
            found_ids, found_boxes = (x[iou >= _LABELLED_IOU] for x in (found_ids, found_boxes))
        for collector in (self.score, self.lanes):
            if collector is not None:
                collector.add(truth_ids, truth_boxes, found_ids, found_boxes)

    def figures(self) -> dict[str, float]:
        """Return the figures of this sequence alone."""
        return figures([self])


def figures(trials: Sequence[Trial]) -> dict[str, float]:
    """Return what `combined_figures` gives for the sequences, and milliseconds a frame."""
    scores = [trial.score for trial in trials if trial.score is not None]
    times_ms = np.concatenate([trial.times_ms for trial in trials])
    return (combined_figures(scores) if scores else {}) | {
        "ms_per_frame": round(float(times_ms.mean()), 3),
        "ms_per_frame_p99": round(float(np.percentile(times_ms, 99)), 3),
    }
