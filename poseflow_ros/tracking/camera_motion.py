"""How the image moved because the camera did."""

from dataclasses import dataclass

from poseflow_ros.poses import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class CameraMotion:
    """Where the points of the previous image are in this one: p -> linear @ p + shift.

    Attributes:
        linear: (2, 2) rotation times scale.
        shift: (2,) pixels.
    """

    linear: FloatArray
    shift: FloatArray
