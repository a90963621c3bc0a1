"""The messages of the node in a bag: one MCAP file that Foxglove and `ros2 bag` read."""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from poseflow_ros.cli.writers.bag_messages import BagMessages, MessageHeader
from poseflow_ros.cli.writers.message_definitions import MessageDefinitions
from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.config import Config
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.imaging.encoded_image import encode_jpeg
from poseflow_ros.pipeline import published
from poseflow_ros.poses import FloatArray, TrackedPoses, TrackState
from poseflow_ros.ros_data.depth import People3D
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.marker_shapes import MarkerShapes

_FRAME_ID = "camera"
_NODE = "/poseflow"


class BagWriter:
    """Writes what the node publishes: poses, skeleton, markers, and annotated images if wanted.

    Each message is recorded at the stamp of its image.
    """

    def __init__(
        self, path: Path, config: Config, skeleton: Skeleton, up: FloatArray, images: bool
    ) -> None:
        """Write to a path that ends in .mcap.

        Args:
            path: of the file.
            config: all parameters.
            skeleton: of the people.
            up: (3,) the images' upward direction in the camera's optical frame.
            images: whether annotated images are written.

        Raises:
            CommandError: rosbags or the definitions of poseflow_msgs are not installed.
        """
        self._path = path
        self._config = config
        self._skeleton = skeleton
        self._images = images
        definitions, camera = MessageDefinitions(), config.cameras.names[0]
        self._messages = BagMessages(definitions, camera, skeleton)
        markers = config.markers
        self._shapes = MarkerShapes(skeleton, markers.min_keypoint_score, markers.depth_m, up)
        self._prefix = f"{_NODE}/{camera}" if camera else _NODE
        self._file = _McapFile(path, definitions)
        self._sequence = 0
        self._last: TrackedImage | None = None

    def __enter__(self) -> "BagWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, result: TrackedImage) -> None:
        """Write the messages of one image."""
        last, self._last = self._last, result
        if last is None:
            self._write(f"{_NODE}/skeleton", self._messages.skeleton(), result)
        elif last.epoch != result.epoch:
            self._write_removed(last)
        n_dropped = result.header.n_dropped if result.header else 0
        self._write_poses(result.published, result.located, result, n_dropped)
        labels = result.labels(result.published.track_ids)
        self._write_markers(result, labels)
        if self._images:
            score = self._config.markers.min_keypoint_score
            image = draw(result.image, result.published, self._skeleton, score, labels)
            message = self._messages.jpeg(encode_jpeg(image), _header(result))
            self._write(f"{self._prefix}/annotated/compressed", message, result)

    def _write_removed(self, last: TrackedImage) -> None:
        """Write the end of everybody in an image, the last one of its epoch."""
        present = last.tracked[last.tracked.states != TrackState.REMOVED]
        everybody = present[published(present, self._config.tracker, lost=True)]
        if len(everybody):
            states = np.full_like(everybody.states, TrackState.REMOVED)
            self._write_poses(replace(everybody, states=states), None, last, 0)

    def _write_poses(
        self,
        tracked: TrackedPoses,
        located: People3D | None,
        result: TrackedImage,
        n_dropped: int,
    ) -> None:
        message = self._messages.poses(
            tracked,
            located,
            _header(result),
            result.image.shape[:2],
            epoch=result.epoch,
            sequence=self._sequence,
            dropped_since_last=n_dropped,
        )
        self._sequence += 1
        self._write(f"{self._prefix}/tracked_poses", message, result)

    def _write_markers(self, result: TrackedImage, labels: list[str]) -> None:
        tracked, located, header = result.published, result.located, _header(result)
        if located is None:
            shapes = self._shapes.on_plane(tracked, result.lens)
        else:
            shapes = self._shapes.in_3d(tracked, located.points.points, located.up)
            header = replace(header, frame_id=located.frame)
        gone = self._shapes.replace_shown(shapes)
        lifetime_s = self._config.markers.lifetime_s
        texts = dict(zip(tracked.track_ids.tolist(), labels, strict=True))
        message = self._messages.markers(shapes, gone, header, lifetime_s, texts)
        self._write(f"{self._prefix}/markers", message, result)

    def _write(self, topic: str, message: Any, result: TrackedImage) -> None:
        self._file.write(topic, message, result.stamp_ns)


def _header(result: TrackedImage) -> MessageHeader:
    frame_id = result.header.frame_id if result.header else _FRAME_ID
    return MessageHeader(result.stamp_ns, frame_id)


class _McapFile:
    """The file of a bag; `rosbags` writes it into a folder, which is temporary."""

    def __init__(self, path: Path, definitions: MessageDefinitions) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        self._path = path
        self._definitions = definitions
        self._folder = Path(mkdtemp(prefix=f".{path.stem}.", dir=path.parent))
        self._writer = Writer(self._folder / "bag", version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._connections: dict[str, Any] = {}

    def write(self, topic: str, message: Any, stamp_ns: int) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic,
                message.__msgtype__,
                typestore=self._definitions.store,
                offered_qos_profiles=[_qos(latched=topic.endswith("/skeleton"))],
            )
        data = self._definitions.serialize(message)
        self._writer.write(self._connections[topic], stamp_ns, data)

    def close(self) -> None:
        """Move the file to its place.

        Raises:
            OSError: it cannot be written completely.
        """
        try:
            self._writer.close()
        finally:
            with suppress(FileNotFoundError):
                (self._folder / "bag" / "bag.mcap").replace(self._path)
            shutil.rmtree(self._folder, ignore_errors=True)


def _qos(latched: bool) -> Any:
    """Return the QoS with which `ros2 bag play` publishes a topic."""
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    unlimited = QosTime(2**31 - 1, 10**9 - 1)
    return Qos(
        QosHistory.KEEP_LAST, 1 if latched else 10, QosReliability.RELIABLE, durability,
        unlimited, unlimited, QosLiveliness.AUTOMATIC, unlimited, False,
    )  # fmt: skip
