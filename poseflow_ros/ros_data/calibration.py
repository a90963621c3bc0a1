"""The calibration of a camera from sensor_msgs/CameraInfo, of any class."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from poseflow_ros.ros_data.input_checks import frame_problem, size_problem
from poseflow_ros.spatial.distortion import standard_model
from poseflow_ros.spatial.lens import Lens


@dataclass(frozen=True, slots=True)
class Calibration:
    """The lens of a camera, for images of one size.

    Attributes:
        lens: in pixels of the images.
        size: (height, width) of the images, pixels; zeros where unknown.
        frame_id: the optical frame; empty where unknown.
    """

    lens: Lens
    size: tuple[int, int]
    frame_id: str = ""

    @classmethod
    def of(cls, info: Any, rectified: bool = False) -> "Calibration | None":
        """Return the calibration of a message; None if it is uncalibrated (zeros, by convention).

        K and P are those of the whole sensor: a region of interest and binning come on top.

        Args:
            info: the message.
            rectified: whether the images are rectified, to which P applies. To others, K and D.

        Raises:
            ValueError: the distortion model is unknown or a number is invalid.
        """
        if not info.k[0] or not info.k[4]:
            return None
        matrix, model, coefficients = _rectified(info) if rectified else _raw(info)
        roi, bx, by = info.roi, max(1, info.binning_x), max(1, info.binning_y)
        lens = Lens(
            matrix[0, 0] / bx,
            matrix[1, 1] / by,
            _binned(matrix[0, 2] - roi.x_offset, bx),
            _binned(matrix[1, 2] - roi.y_offset, by),
            coefficients,
            model,
        )
        size = (roi.height or info.height) // by, (roi.width or info.width) // bx
        return cls(lens, size, info.header.frame_id)

    def problem(self, frame_id: str, size: tuple[int, int], check_frames: bool = True) -> str:
        """Return why it is not for an image of this frame and (height, width); empty if it is."""
        frame = frame_problem("camera_info", self.frame_id, frame_id) if check_frames else ""
        return size_problem(self.size, size) or frame


class CalibrationStore:
    """The newest calibration of a camera, and why there is none.

    A message that is refused replaces the one before: the camera no longer has that lens.
    """

    def __init__(self, rectified: bool) -> None:
        """Make a store.

        Args:
            rectified: whether the images are rectified.
        """
        self.rectified = rectified
        self.received = False
        """Whether any message was received."""
        self.calibration: Calibration | None = None
        self.problem = "no calibrated camera_info received yet"
        """Why there is no calibration; empty if there is one."""

    def update(self, info: Any) -> None:
        """Use this calibration from now on."""
        try:
            calibration = Calibration.of(info, self.rectified)
            problem = "" if calibration else "camera_info is uncalibrated: K is zero"
        except ValueError as error:
            calibration, problem = None, f"camera_info rejected: {error}"
        self.calibration, self.problem, self.received = calibration, problem, True

    def problem_for(self, frame_id: str, size: tuple[int, int], check_frames: bool) -> str:
        """Return why there is no calibration for an image; empty if there is."""
        if self.calibration is None:
            return self.problem
        return self.calibration.problem(frame_id, size, check_frames)


def _raw(info: Any) -> tuple[np.ndarray, str, tuple[float, ...]]:
    model, coefficients = standard_model(info.distortion_model, info.d)
    return np.reshape(info.k, (3, 3)), model, coefficients


def _rectified(info: Any) -> tuple[np.ndarray, str, tuple[float, ...]]:
    """Return P, or K if P is zero and there is no distortion, in which case they are equal."""
    projection = np.reshape(info.p, (3, 4))
    if projection[0, 0] and projection[1, 1]:
        return projection, "plumb_bob", ()
    if any(info.d):
        raise ValueError("P is zero, which rectified images need (cameras.rectified)")
    return np.reshape(info.k, (3, 3)), "plumb_bob", ()


def _binned(pixel: float, factor: int) -> float:
    """Return a pixel coordinate after binning by `factor`."""
    return (pixel + 0.5) / factor - 0.5
