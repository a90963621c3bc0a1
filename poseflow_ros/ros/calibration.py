"""The calibration of a camera as it comes, sensor_msgs/CameraInfo."""

from dataclasses import dataclass

from sensor_msgs.msg import CameraInfo

from poseflow_ros.spatial.lens import Lens


@dataclass(frozen=True, slots=True)
class Calibration:
    """The lens of a camera, for images of one size.

    Attributes:
        lens: in pixels of the images.
        size: (height, width) of the images, pixels; zeros where unknown.
    """

    lens: Lens
    size: tuple[int, int]

    @classmethod
    def of(cls, info: CameraInfo) -> "Calibration | None":
        """Return the calibration of a message; None if it is uncalibrated (zeros, by convention).

        K is that of the whole sensor: a region of interest and binning come on top.

        Raises:
            ValueError: the lens is of a model that is not known, or has numbers that cannot be.
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
        """Return whether it is for images of this (height, width), as far as known."""
        return not all(self.size) or self.size == tuple(size)


def _binned(pixel: float, factor: int) -> float:
    """Return a pixel's place where `factor` of them are one."""
    return (pixel + 0.5) / factor - 0.5
