"""The results of one tracker on one sequence: metrics, lanes and times."""

from array import array
from collections.abc import Sequence

import numpy as np

from poseflow_ros.bench.lanes import Lanes
from poseflow_ros.bench.metrics import Score, combined_figures
from poseflow_ros.poses import FloatArray, IntArray, TrackedPoses
from poseflow_ros.tracking.similarity import box_iou

_LABELLED_IOU = 0.5


class Trial:
    """Collects the results of one tracker on the frames of one sequence."""

    def __init__(
        self, score: Score | None = None, lanes: Lanes | None = None, partial: bool = False
    ) -> None:
        """Start a trial; without `score` and `lanes` only times are measured.

        With `partial` only some of the people are labelled: tracks whose IoU is below 0.5 with
        every box of the truth are ignored.
        """
        self.score, self.lanes = score, lanes
        self._partial = partial
        self._times_s = array("d")

    @property
    def frames(self) -> int:
        """Number of processed frames."""
        return len(self._times_s)

    @property
    def times_ms(self) -> FloatArray:
        """(frames,) milliseconds per frame."""
        return 1e3 * np.array(self._times_s)

    def add_time(self, duration_s: float) -> None:
        """Add the seconds that the tracker spent on one frame."""
        self._times_s.append(duration_s)

    def add(self, truth_ids: IntArray, truth_boxes: FloatArray, tracked: TrackedPoses) -> None:
        """Add one frame: its truth, (T,) ids and (T, 4) boxes, and the tracker's output.

        Only confirmed tracks are scored.
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
        """Add one frame: (T,) ids and (T, 4) boxes of its truth, (F,) and (F, 4) of the tracks."""
        if self._partial:
            iou = box_iou(found_boxes, truth_boxes).max(axis=1, initial=0.0)
            found_ids, found_boxes = (x[iou >= _LABELLED_IOU] for x in (found_ids, found_boxes))
        for collector in (self.score, self.lanes):
            if collector is not None:
                collector.add(truth_ids, truth_boxes, found_ids, found_boxes)

    def figures(self) -> dict[str, float]:
        """Return the metrics of this sequence alone."""
        return figures([self])


def figures(trials: Sequence[Trial]) -> dict[str, float]:
    """Return the result of `combined_figures` for the sequences, and the time per frame."""
    scores = [trial.score for trial in trials if trial.score is not None]
    times_ms = np.concatenate([trial.times_ms for trial in trials])
    return (combined_figures(scores) if scores else {}) | {
        "ms_per_frame": round(float(times_ms.mean()), 3),
        "ms_per_frame_p99": round(float(np.percentile(times_ms, 99)), 3),
    }
