"""Where people are expected in the next frame."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray

NO_IDS = np.zeros(0, np.int64)
"""No tracks."""

PREDICTED_S = 1.0
"""A person who was not observed for longer than this is not predicted, seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """M people who were observed lately.

    Attributes:
        track_ids: (M,) their tracks.
        boxes: (M, 4) x1 y1 x2 y2 pixels, where they are expected.
    """

    track_ids: IntArray
    boxes: FloatArray

    @classmethod
    def none(cls) -> "Predictions":
        """Return the predictions of nobody."""
        return cls(np.zeros(0, np.int64), np.zeros((0, 4)))
