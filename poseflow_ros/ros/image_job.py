"""One image while it is processed by the node."""

from dataclasses import dataclass

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from poseflow_ros.ros.conversions import seconds
from poseflow_ros.ros.depth import DepthContext


@dataclass(frozen=True, slots=True, eq=False)
class ImageJob:
    """An image to be processed.

    Attributes:
        camera: the name of its camera.
        message: the image as received.
        received_s: time of reception, by `perf_counter`.
    """

    camera: str
    message: Image | CompressedImage
    received_s: float

    @property
    def header(self) -> Header:
        """The header of the message."""
        return self.message.header

    @property
    def stamp_s(self) -> float:
        """Stamp of the image, seconds."""
        return seconds(self.header.stamp)


@dataclass(frozen=True, slots=True, eq=False)
class PendingOutput:
    """The data needed to publish an image's tracks, delayed together with them.

    Attributes:
        header: of the image.
        generation: of the job queue when processing started.
        depth: the 3D context of the image; None without depth or calibration.
    """

    header: Header
    generation: int
    depth: DepthContext | None


class DroppedImageError(Exception):
    """An image is dropped; the message is the reason, which the statistics count."""
