"""The calibration of a camera from sensor_msgs/CameraInfo."""

from dataclasses import dataclass

from sensor_msgs.msg import CameraInfo

from poseflow_ros.spatial.lens import Lens


@dataclass(frozen=True, slots=True)
class Calibration:
    """The lens of a camera, for images of one size.

    Attributes:
        lens: in pixels of the images.
        size: (height, width) of the images, pixels; zeros if unknown.
    """

    lens: Lens
    size: tuple[int, int]

    @classmethod
    def of(cls, info: CameraInfo) -> "Calibration | None":
        """Return the calibration of a message; None if the camera is uncalibrated (K is zero).

        K refers to the full sensor; region of interest and binning are applied to it.

        Raises:
            ValueError: the distortion model is unknown or a number is invalid.
        """
        fx, fy, cx, cy = info.k[0], info.k[4], info.k[2], info.k[5]
        if not (fx > 0 and fy > 0):
            return None
        roi, bx, by = info.roi, max(1, info.binning_x), max(1, info.binning_y)
        lens = Lens(
            fx / bx,
            fy / by,
            _binned(cx - roi.x_offset, bx),
            _binned(cy - roi.y_offset, by),
            tuple(info.d),
            info.distortion_model or "plumb_bob",
        )
        return cls(lens, ((roi.height or info.height) // by, (roi.width or info.width) // bx))

    def fits(self, size: tuple[int, int]) -> bool:
        """Return whether it is valid for images of this (height, width); True if unknown."""
        return not all(self.size) or self.size == tuple(size)


def _binned(pixel: float, factor: int) -> float:
    """Return a pixel coordinate after binning by `factor`."""
    return (pixel + 0.5) / factor - 0.5
