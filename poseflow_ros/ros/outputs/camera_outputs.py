"""The publishers of one camera and their messages."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from poseflow_ros.actions.behavior_labels import track_labels
from poseflow_ros.config import Config, MarkersConfig
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.pipeline import Frame, published
from poseflow_ros.poses import FloatArray, TrackedPoses, TrackState
from poseflow_ros.ros.image_job import DroppedImageError, PendingOutput
from poseflow_ros.ros.inputs.images import to_jpeg, to_message
from poseflow_ros.ros.outputs.markers import MarkerMaker, set_label_texts
from poseflow_ros.ros.outputs.pose_messages import set_positions_3d, tracked_pose_messages
from poseflow_ros.ros.publisher import RELIABLE, create_publisher
from poseflow_ros.ros_data.camera_behaviors import CameraBehaviors
from poseflow_ros.ros_data.depth import People3D
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.lens import Lens


@dataclass(frozen=True, slots=True, eq=False)
class _LastFrame:
    """What is known of the last image published: enough to end its epoch."""

    header: Header
    size: tuple[int, int]
    epoch: int
    tracked: TrackedPoses


class CameraOutputs:
    """Publishes the people in one camera's images.

    `publish` and `end_epochs_before` are called by the frame loop, everything else by the
    executor's thread.
    """

    def __init__(
        self,
        node: LifecycleNode,
        camera: str,
        skeleton: Skeleton,
        lens: Callable[[Header, tuple[int, int], bool], Lens],
        up: FloatArray,
        config: Config,
    ) -> None:
        """Create the publishers.

        Args:
            node: owner of the publishers.
            camera: its name, used in the topics.
            skeleton: of the people.
            lens: returns the lens for an image's header and (height, width), pixels; the third
                argument is `depth.check_frames`.
            up: (3,) the images' upward direction in the camera's optical frame.
            config: what is published, and how.

        Raises:
            ConfigError: `markers.behaviors` is set and the skeleton has other keypoints.
            InvalidQosOverridesError: a parameter overrides a QoS with an invalid one.
        """
        self._behaviors = CameraBehaviors(skeleton, up) if config.markers.behaviors else None
        self._node = node
        self._camera = camera
        self._skeleton = skeleton
        self._lens = lens
        self._config = config
        self.sequence = 0
        """The number of the next message."""
        self._markers = MarkerMaker(skeleton, *_marker_options(config.markers), up=up)
        self._last: _LastFrame | None = None
        # Held while messages are published: after a reset or a deactivation none follows.
        self._lock = threading.Lock()
        self._publishers: list[Any] = []
        try:
            self._poses_publisher = self._publisher(TrackedPoseArray, "tracked_poses", RELIABLE)
            self._marker_publisher = self._publisher(MarkerArray, "markers", RELIABLE)
            self._image_publisher = self._publisher(Image, "annotated", qos_profile_sensor_data)
            self._jpeg_publisher = self._publisher(
                CompressedImage, "annotated/compressed", qos_profile_sensor_data
            )
        except Exception:
            self.destroy()
            raise

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        with self._lock:
            self._config = config
            self._markers.configure(*_marker_options(config.markers))

    def select(self, tracked: TrackedPoses, lost: bool = False) -> TrackedPoses:
        """Return the tracks that are published; with `lost`, all the lost ones too."""
        return tracked[published(tracked, self._config.tracker, lost)]

    def publish(
        self,
        tracked: TrackedPoses,
        people: People3D | None,
        frame: Frame[PendingOutput],
        n_dropped: int,
        check: Callable[[int], None],
    ) -> None:
        """Publish the people of an image.

        Args:
            tracked: the selected tracks.
            people: their 3D positions, if any.
            frame: the image, and everybody tracked in it.
            n_dropped: how many images were dropped since the one before.
            check: called with the generation of the image; raises where that has ended.
        """
        generation, header = frame.payload.generation, frame.payload.header
        last = _LastFrame(header, frame.image.shape[:2], frame.epoch, frame.tracked)
        message = self._message(tracked, people, last)
        message.dropped_since_last = n_dropped
        labels = self._labels(tracked, people, frame)
        with self._lock:
            check(generation)
            if self._last is not None and self._last.epoch != frame.epoch:
                self._publish_removed()
            self._last = last
            self._publish_poses(message)
            if self._marker_publisher.get_subscription_count() > 0:
                markers = self._marker_message(tracked, people, header, last.size)
                if labels is not None:
                    texts = dict(zip(tracked.track_ids.tolist(), labels, strict=True))
                    set_label_texts(markers, texts)
                self._marker_publisher.publish(markers)
        self._publish_annotated(tracked, labels, frame, check)

    def end_epochs_before(self, epoch: int, generation: int, check: Callable[[int], None]) -> None:
        """Publish the end of everybody in earlier epochs; the arguments are those of `publish`."""
        with self._lock:
            if self._last is not None and self._last.epoch < epoch:
                check(generation)
                self._publish_removed()

    def clear(self, removed: bool) -> None:
        """Delete all markers, and publish the end of everybody if `removed`."""
        with self._lock:
            if removed:
                self._publish_removed()
            self._last = None
            self._marker_publisher.publish(self._markers.clear())

    def destroy(self) -> None:
        """Destroy the publishers."""
        while self._publishers:
            self._node.destroy_lifecycle_publisher(self._publishers.pop())

    def _publish_poses(self, message: TrackedPoseArray) -> None:
        message.sequence, self.sequence = self.sequence, self.sequence + 1
        self._poses_publisher.publish(message)

    def _publish_removed(self) -> None:
        """Publish that everybody of the last image is removed, with the header of that image."""
        last, self._last = self._last, None
        if last is None:
            return
        present = last.tracked.states != TrackState.REMOVED
        everybody = self.select(last.tracked[present], lost=True)
        if len(everybody):
            states = np.full_like(everybody.states, TrackState.REMOVED)
            self._publish_poses(self._message(replace(everybody, states=states), None, last))

    def _labels(
        self, tracked: TrackedPoses, people: People3D | None, frame: Frame[PendingOutput]
    ) -> list[str] | None:
        """Return the labels with behaviors; None where track ids do or nobody subscribes."""
        publishers = (self._marker_publisher, self._image_publisher, self._jpeg_publisher)
        if self._behaviors is None or not any(p.get_subscription_count() for p in publishers):
            return None
        size = frame.image.shape[:2]
        found = self._behaviors.recognize(tracked, people, frame.stamp_s, size, frame.epoch)
        return track_labels(tracked.track_ids, found)

    def _publish_annotated(
        self,
        tracked: TrackedPoses,
        labels: Sequence[str] | None,
        frame: Frame[PendingOutput],
        check: Callable[[int], None],
    ) -> None:
        """Draw and publish the annotated image if somebody subscribes."""
        makers = ((self._image_publisher, to_message), (self._jpeg_publisher, to_jpeg))
        wanted = [(p, make) for p, make in makers if p.get_subscription_count() > 0]
        if not wanted:
            return
        score = self._config.markers.min_keypoint_score
        annotated = draw(frame.image, tracked, self._skeleton, score, labels)
        for publisher, make in wanted:
            message: Any = make(annotated, frame.payload.header)
            with self._lock, suppress(DroppedImageError):
                check(frame.payload.generation)
                publisher.publish(message)

    def _message(
        self, tracked: TrackedPoses, people: People3D | None, frame: _LastFrame
    ) -> TrackedPoseArray:
        """Return the message without sequence number and number of dropped images."""
        poses = tracked_pose_messages(tracked)
        if people is not None:
            set_positions_3d(poses, people.points, people.velocities)
        height, width = frame.size
        return TrackedPoseArray(
            header=frame.header,
            camera=self._camera,
            skeleton=self._skeleton.name,
            frame_3d="" if people is None else people.frame,
            image_width=width,
            image_height=height,
            epoch=frame.epoch,
            poses=poses,
        )

    def _marker_message(
        self,
        tracked: TrackedPoses,
        people: People3D | None,
        header: Header,
        size: tuple[int, int],
    ) -> MarkerArray:
        if people is not None:
            return self._markers.in_3d(tracked, header, people)
        lens = self._lens(header, size, self._config.depth.check_frames)
        return self._markers.on_plane(tracked, header, lens)

    def _publisher(self, message_type: type[Any], topic: str, qos: QoSProfile) -> Any:
        prefix = f"~/{self._camera}/" if self._camera else "~/"
        publisher = create_publisher(self._node, message_type, prefix + topic, qos)
        self._publishers.append(publisher)
        return publisher


def _marker_options(config: MarkersConfig) -> tuple[float, float, float]:
    """Return the parameters of the markers."""
    return config.min_keypoint_score, config.depth_m, config.lifetime_s
