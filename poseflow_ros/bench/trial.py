"""One tracker on trial: its figures, its lanes and its time."""

from array import array
from collections import deque

import numpy as np

from poseflow_ros.bench.lanes import Lanes
from poseflow_ros.bench.metrics import Score
from poseflow_ros.poses import FloatArray, IntArray, TrackedPoses


class Trial:
    """Collects what one association makes of the frames."""

    def __init__(self, score: Score | None = None, lanes: Lanes | None = None) -> None:
        """Begin; `score` and `lanes` collect who is found, without them only time is taken."""
        self._score, self._lanes = score, lanes
        self._times_s = array("d")
        self._expected: deque[tuple[IntArray, FloatArray]] = deque()

    def expect(self, truth_ids: IntArray, truth_boxes: FloatArray, duration_s: float) -> None:
        """Take the truth of a frame, (T,) ids and (T, 4) boxes, and the time spent on it."""
        self._times_s.append(duration_s)
        self._expected.append((truth_ids, truth_boxes))

    def take(self, frames: list[TrackedPoses]) -> None:
        """Take what was made of the next frames expected, which may come later.

        Confirmed people count as found, the others do not.
        """
        for tracked in frames:
            truth_ids, truth_boxes = self._expected.popleft()
            found = tracked[tracked.visible]
            for collector in (self._score, self._lanes):
                if collector is not None:
                    collector.add(truth_ids, truth_boxes, found.track_ids, found.poses.boxes)

    def figures(self) -> dict[str, float]:
        """Return the figures of `Score.figures`, and milliseconds a frame."""
        times_ms = 1e3 * np.array(self._times_s)
        return (self._score.figures() if self._score else {}) | {
            "ms_per_frame": round(float(times_ms.mean()), 3),
            "ms_per_frame_p99": round(float(np.percentile(times_ms, 99)), 3),
        }
