"""One image while it is processed by the node."""

from collections.abc import Sequence
from dataclasses import dataclass

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from poseflow_ros.pipeline import Frame
from poseflow_ros.ros.diagnostics import StageTimer
from poseflow_ros.ros_data.header import seconds


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
    def size(self) -> tuple[int, int] | None:
        """(height, width) in pixels; None where it is not known before decoding."""
        message = self.message
        return (message.height, message.width) if isinstance(message, Image) else None

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
    """

    header: Header
    generation: int


@dataclass(frozen=True, slots=True, eq=False)
class FrameJob:
    """An image that was tracked, to be located and published.

    Attributes:
        job: the image as received.
        pending: of the image.
        image_size: (height, width) of the image as received, pixels.
        epoch: of the tracking after the image.
        frames: those to be published now, oldest first; `flow_window_s` delays them.
        timer: of the stages.
        estimate_s: the time that the network took.
    """

    job: ImageJob
    pending: PendingOutput
    image_size: tuple[int, int]
    epoch: int
    frames: Sequence[Frame[PendingOutput]]
    timer: StageTimer
    estimate_s: float


class DroppedImageError(Exception):
    """An image is dropped; the message is the reason, which the statistics count."""
