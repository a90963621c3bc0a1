"""The input of a box tracker for one frame, with ground truth."""

from dataclasses import dataclass

from poseflow_ros.poses import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One frame.

    Attributes:
        truth_ids: (T,) true identities.
        truth_boxes: (T, 4) pixels, x1 y1 x2 y2.
        boxes: (N, 4) pixels, of the detections.
        scores: (N,) in [0, 1], of the detections.
    """

    truth_ids: IntArray
    truth_boxes: FloatArray
    boxes: FloatArray
    scores: FloatArray
