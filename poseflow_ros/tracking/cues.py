"""Cues for the association that are extracted from images."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.poses import FloatArray
from poseflow_ros.tracking.camera_motion import CameraMotion


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """Cues for the N poses of one image.

    Attributes:
        camera_motion: None if unknown.
        correspondences: (C, 4) pixels, (x_prev, y_prev, x_now, y_now).
        appearances: (N, D) unit vectors, zero vectors if unknown; D is 0 without appearance
            model.
    """

    camera_motion: CameraMotion | None
    correspondences: FloatArray
    appearances: FloatArray

    @classmethod
    def none(cls, n_poses: int) -> "Cues":
        """Return the cues of N poses without an image."""
        return cls(None, np.zeros((0, 4)), np.zeros((n_poses, 0)))
