"""Calibration, depth images and transforms of a camera in a bag, in step with its images."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseflow_ros.config import Config
from poseflow_ros.imaging.bag_files import BagFiles, deserializer, nanoseconds
from poseflow_ros.imaging.source import ImageHeader, VideoError
from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros_data.bag_frames import BagFrames
from poseflow_ros.ros_data.depth import DepthContext, DepthProjector, People3D
from poseflow_ros.ros_data.input_checks import is_rectified, without_slash
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.lens import Lens

_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_COMPRESSED = "sensor_msgs/msg/CompressedImage"
_DEPTHS = ("sensor_msgs/msg/Image", _COMPRESSED)


@dataclass(frozen=True, slots=True)
class BagTopics:
    """The topics of one camera in a bag.

    Attributes:
        image: of the images, with its slash.
        camera_info: of the calibration; empty: `camera_info` beside the images, if it is there.
        depth: of the depth images; empty: none.
    """

    image: str
    camera_info: str = ""
    depth: str = ""


class BagDepth:
    """Locates the people in the images of a bag as the node does with `cameras.replay`."""

    def __init__(
        self, path: Path, topics: BagTopics, config: Config, skeleton: Skeleton, up: FloatArray
    ) -> None:
        """Open the bag.

        Args:
            path: of the bag.
            topics: of the camera.
            config: all parameters; the camera is the first of `cameras.names`.
            skeleton: of the people.
            up: (3,) the images' upward direction in the camera's optical frame.

        Raises:
            VideoError: the bag cannot be read, has no such topic of the right type, or no
                calibration for its depth.
        """
        self._config = config
        with ExitStack() as stack:
            files = stack.enter_context(BagFiles(path))
            info = _camera_info(files, topics)
            depth = topics.depth and _checked(files, topics.depth, _DEPTHS)
            if depth and not info:
                raise VideoError(
                    f"{path}: depth needs a calibration, and there is no camera_info beside "
                    f"{topics.image}; set --camera-info"
                )
            target = BagFrames(files, config.depth.target_frame) if depth else None
            # A bag without an index has one place at which it is read: each topic opens it.
            self._infos, self._depths = (
                _Messages(stack.enter_context(BagFiles(path)) if topic else files, topic)
                for topic in (info, depth)
            )
            self._stack = stack.pop_all()
        cameras = config.cameras
        self._projector = DepthProjector(
            skeleton, target if target and target.name else None, keep_all=True, up=up
        )
        setting = cameras.of(cameras.names[0], cameras.rectified)
        self._projector.begin(is_rectified(setting, topics.image))

    def __enter__(self) -> "BagDepth":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def context(self, header: ImageHeader, image_size: tuple[int, int]) -> DepthContext | None:
        """Return the 3D context of the next image; None without depth or calibration.

        Args:
            header: of the image.
            image_size: its (height, width), pixels.
        """
        for info in self._infos.until(header.stamp_ns, at_least_one=True):
            self._projector.calibrate(info)
        if self._projector.calibration is not None:  # otherwise they would only be kept
            for depth in self._depths.until(header.stamp_ns, one_more=True):
                self._projector.add_depth(depth)
        return self._projector.context(header, image_size, self._config.depth, wait_s=0.0)

    def lens(self, header: ImageHeader, image_size: tuple[int, int]) -> Lens:
        """Return the lens of an image; an assumed one without calibration."""
        return self._projector.lens(header, image_size, self._config.depth.check_frames)

    def locate(
        self, tracked: TrackedPoses, context: DepthContext | None, epoch: int
    ) -> People3D | None:
        """Return the 3D positions of people; see `DepthProjector.locate`."""
        score = self._config.markers.min_keypoint_score
        return self._projector.locate(tracked, context, epoch, score)


class _Messages:
    """The messages of one topic, in the order of their reception; none without a topic."""

    def __init__(self, files: BagFiles, topic: str) -> None:
        self._messages = _messages(files, topic) if topic else iter(())
        self._next = next(self._messages, None)
        self._last_ns = -1

    def until(
        self, stamp_ns: int, *, at_least_one: bool = False, one_more: bool = False
    ) -> Iterator[Any]:
        """Yield the messages that are not after a stamp.

        Args:
            stamp_ns: nanoseconds.
            at_least_one: yield the first message in any case.
            one_more: yield messages until one is not before the stamp.
        """
        while self._next is not None:
            next_ns, message = self._next
            wanted = self._last_ns < stamp_ns if one_more else next_ns <= stamp_ns
            if not (wanted or (at_least_one and self._last_ns < 0)):
                return
            self._last_ns = max(self._last_ns, next_ns)
            self._next = next(self._messages, None)
            yield message


def _messages(files: BagFiles, topic: str) -> Iterator[tuple[int, Any]]:
    """Yield stamps, nanoseconds, and messages, up to a defect, which the images report."""
    deserialize = deserializer(files.topics[topic])
    with suppress(Exception):  # whatever the parsers of rosbags raise
        for received_ns, data in files.messages(topic):
            message = deserialize(data)
            header = message.header
            header.frame_id = without_slash(header.frame_id)
            stamp_ns = nanoseconds(header.stamp, received_ns)
            header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 10**9)
            yield stamp_ns, message


def _camera_info(files: BagFiles, topics: BagTopics) -> str:
    """Return the topic of the calibration; empty if there is none."""
    if topics.camera_info:
        return _checked(files, topics.camera_info, (_CAMERA_INFO,))
    base = topics.image
    if files.topics[base] == _COMPRESSED:
        base = base.rpartition("/")[0]
    beside = f"{base.rpartition('/')[0]}/camera_info"
    return beside if files.topics.get(beside) == _CAMERA_INFO else ""


def _checked(files: BagFiles, topic: str, types: tuple[str, ...]) -> str:
    """Return the full name of a topic.

    Raises:
        VideoError: it is not in the bag, or of another type.
    """
    full = topic if topic in files.topics else f"/{topic}"
    kind = files.topics.get(full)
    if kind in types:
        return full
    wrong = f"of type {kind}" if kind else "not in the bag"
    fitting = sorted(name for name, other in files.topics.items() if other in types)
    raise VideoError(
        f"{files.path}: topic {topic} is {wrong}; topics of type {' or '.join(types)}: "
        f"{', '.join(fitting) or 'none'}"
    )
