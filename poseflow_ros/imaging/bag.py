"""The images of a topic of a ROS 2 bag as a source."""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.imaging.bag_files import BagFiles, describe, deserializer, nanoseconds
from poseflow_ros.imaging.gray_range import FULL_RANGE, GrayRange
from poseflow_ros.imaging.image_order import ImageOrder
from poseflow_ros.imaging.ros_image import ImageError, to_rgb
from poseflow_ros.imaging.source import (
    FALLBACK_RATE_HZ,
    MAX_RATE_HZ,
    ImageHeader,
    IncompleteVideoError,
    Source,
    VideoError,
)
from poseflow_ros.poses import Image

_IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


def open_bag(
    path: Path, topic: str, gray_range: GrayRange | None, max_backward_s: float
) -> Source:
    """Open the images of a bag.

    They are those that the node processes with `cameras.replay`: one with the stamp of the image
    before is left out, and one that is late by up to `max_backward_s`. A stamp of zero is
    replaced by the time of reception.

    Args:
        path: a folder with metadata.yaml, an .mcap or .db3 file.
        topic: of the images; empty: the only image topic.
        gray_range: of 16-bit images; None: all values.
        max_backward_s: `cameras.max_backward_s`.

    Raises:
        VideoError: the bag cannot be read, or the topic is not one of images.
    """
    with ExitStack() as stack:
        files = stack.enter_context(BagFiles(path))
        topic = _image_topic(files, topic)
        stack.pop_all()  # closed after the last image
    n_images = files.n_messages[topic]
    rate_hz = n_images / files.duration_s if files.duration_s else FALLBACK_RATE_HZ
    images = _BagImages(files, topic, gray_range, max_backward_s)
    return Source(
        str(path), min(rate_hz, MAX_RATE_HZ), n_images, iter(images),
        topic=topic, headers=images.headers, left_out=images.left_out,
    )  # fmt: skip


def _image_topic(files: BagFiles, topic: str) -> str:
    """Return the full name of the topic to read."""
    types = files.topics
    images = {name for name, kind in types.items() if kind in _IMAGE_TYPES}
    if topic:
        full = topic if topic in types else f"/{topic}"
        if full in images and files.n_messages[full]:
            return full
        kind = types.get(full)
        wrong = f"is of type {kind}" if kind else "is not in the bag"
        wrong = "has no messages" if full in images else wrong
        raise VideoError(f"{files.path}: topic {topic} {wrong}; {_choices(files, images)}")
    filled = [name for name in images if files.n_messages[name]]
    if len(filled) == 1:
        return filled[0]
    if filled:
        names = ", ".join(sorted(filled))
        raise VideoError(f"{files.path} has {len(filled)} image topics, set --topic: {names}")
    raise VideoError(f"{files.path} has no images; {_choices(files, images)}")


def _choices(files: BagFiles, images: set[str]) -> str:
    if images:
        return f"its image topics: {', '.join(sorted(images))}"
    others = ", ".join(f"{name} ({kind})" for name, kind in sorted(files.topics.items()))
    return f"its topics: {others or 'none'}"


class _BagImages:
    """Yields the images of a topic and their stamps; see `open_bag`."""

    def __init__(
        self, files: BagFiles, topic: str, gray_range: GrayRange | None, max_backward_s: float
    ) -> None:
        self._files = files
        self._topic = topic
        self._type = files.topics[topic]
        self._gray_range = gray_range
        self._max_backward_s = max_backward_s
        self._order = ImageOrder(lambda: 1)
        self._n_read = self._n_dropped = 0
        self._malformed = ""
        self.headers = deque[ImageHeader]()
        self.left_out = Counter[str]()

    def __iter__(self) -> Iterator[tuple[Image, float]]:
        """Yield the images.

        Raises:
            IncompleteVideoError: after the last image, if some are missing or malformed.
        """
        with self._files:
            for received_ns, message in self._messages():
                stamp_ns = nanoseconds(message.header.stamp, received_ns)
                try:
                    image, stamp_s = self._convert(message, stamp_ns)
                except _LeftOut as reason:
                    self._leave_out(str(reason))
                    continue
                frame_id = message.header.frame_id.lstrip("/")
                self.headers.append(ImageHeader(stamp_ns, frame_id, self._n_dropped))
                self._n_dropped, self._n_read = 0, self._n_read + 1
                yield image, stamp_s
        self._check_complete()

    def _messages(self) -> Iterator[tuple[int, Any]]:
        """Yield times of reception, nanoseconds, and messages, up to a defect of the bag."""
        deserialize = deserializer(self._type)
        messages = self._files.messages(self._topic)
        while True:
            try:
                received_ns, data = next(messages)
                message = deserialize(data)
            except StopIteration:
                return
            except Exception as error:  # whatever the parsers of rosbags raise
                self._files.defect = self._files.defect or describe(error)
                return
            yield received_ns, message

    def _convert(self, message: Any, stamp_ns: int) -> tuple[Image, float]:
        """Return an image and its stamp in seconds.

        Raises:
            _LeftOut: the message is malformed, or not part of the stream.
        """
        stamp_s = stamp_ns // 10**9 + 1e-9 * (stamp_ns % 10**9)  # as the node calculates it

        def gray_range(values: NDArray[np.uint16]) -> tuple[float, float]:
            return self._gray_range.update(values, stamp_s) if self._gray_range else FULL_RANGE

        try:
            image = to_rgb(message, gray_range)
        except ImageError as error:
            self._malformed = self._malformed or str(error)
            raise _LeftOut("malformed") from error
        if reason := self._order.check(0, stamp_s, image.shape[:2], stamp_s, self._max_backward_s):
            raise _LeftOut(reason)
        return image, stamp_s

    def _leave_out(self, reason: str) -> None:
        self._n_dropped += 1
        self.left_out[reason] += 1

    def _check_complete(self) -> None:
        name, n_malformed = f"{self._files.path}, {self._topic}", self.left_out["malformed"]
        if n_malformed and not self._n_read:
            raise VideoError(f"{name}: no image can be converted: {self._malformed}")
        n_missing = self._files.n_messages[self._topic] - self._n_read - self.left_out.total()
        causes = [self._files.defect] if self._files.defect else []
        if n_missing > 0 and not causes:
            causes.append(f"{n_missing} are missing")
        if n_malformed:
            causes.append(f"{n_malformed} images cannot be converted: {self._malformed}")
        if causes:
            raise IncompleteVideoError(
                f"{name} is incomplete: {self._n_read} images were read, {'; '.join(causes)}"
            )


class _LeftOut(Exception):  # noqa: N818 - not an error
    """An image is left out; the text is the reason."""
