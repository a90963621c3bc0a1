"""One image on its way through the node."""

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
        received_s: when it was received, by `perf_counter`.
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
        """When the image was taken, seconds."""
        return seconds(self.header.stamp)


@dataclass(frozen=True, slots=True, eq=False)
class PendingOutput:
    """What publishing the people of an image takes besides them; `flow_window_s` delays it.

    Attributes:
        header: of the image.
        generation: of the job queue when processing began.
        depth: what gives people 3D positions; None without depth or calibration.
    """

    header: Header
    generation: int
    depth: DepthContext | None


class DroppedImageError(Exception):
    """An image that is not processed any further; the text is the reason that is counted."""
