"""The motion of the image caused by the camera."""

from dataclasses import dataclass

from poseflow_ros.poses import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class CameraMotion:
    """Transform from the previous image to this one: p -> linear @ p + shift.

    Attributes:
        linear: (2, 2) rotation times scale.
        shift: (2,) pixels.
    """

    linear: FloatArray
    shift: FloatArray
