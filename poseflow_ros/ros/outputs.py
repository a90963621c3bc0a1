"""The publishers of one camera and their messages."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from poseflow_ros.config import Config, MarkersConfig, TrackerConfig
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.pipeline import Frame
from poseflow_ros.poses import TrackedPoses, TrackState
from poseflow_ros.ros.conversions import set_positions_3d, tracked_pose_messages
from poseflow_ros.ros.depth import People3D
from poseflow_ros.ros.diagnostics import FrameStatistics
from poseflow_ros.ros.image_job import DroppedImageError, PendingOutput
from poseflow_ros.ros.images import to_message
from poseflow_ros.ros.markers import MarkerMaker
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.lens import Lens

RELIABLE = QoSProfile(depth=10)


def create_publisher(
    node: LifecycleNode, message_type: type[Any], topic: str, qos: QoSProfile
) -> Any:
    """Return a lifecycle publisher whose QoS can be overridden by parameters of the node.

    Raises:
        InvalidQosOverridesError: a parameter overrides the QoS with an invalid one.
    """
    overrides = QoSOverridingOptions.with_default_policies()
    return node.create_lifecycle_publisher(
        message_type, topic, qos, qos_overriding_options=overrides
    )


class Outputs:
    """Publishes the people in one camera's images.

    The inference loop calls `select` and `publish`, the executor's thread all other methods.
    """

    def __init__(
        self,
        node: LifecycleNode,
        camera: str,
        skeleton: Skeleton,
        lens: Callable[[int, int], Lens],
        statistics: FrameStatistics,
        config: Config,
    ) -> None:
        """Create the publishers.

        Args:
            node: owner of the publishers.
            camera: its name, used in the topics.
            skeleton: of the people.
            lens: returns the lens for images of a width and height, pixels.
            statistics: counts the dropped images.
            config: all parameters.

        Raises:
            InvalidQosOverridesError: a parameter overrides a QoS with an invalid one.
        """
        self._node = node
        self._camera = camera
        self._skeleton = skeleton
        self._lens = lens
        self._statistics = statistics
        self._config = config
        self.sequence = 0
        """The number of the next message."""
        self._markers = MarkerMaker(skeleton, *_marker_options(config.markers))
        # Held during publishing, so that no message follows a reset or a deactivation.
        self._lock = threading.Lock()
        self._publishers: list[Any] = []
        try:
            self._poses_publisher = self._publisher(TrackedPoseArray, "tracked_poses", RELIABLE)
            self._marker_publisher = self._publisher(MarkerArray, "markers", RELIABLE)
            self._image_publisher = self._publisher(Image, "annotated", qos_profile_sensor_data)
        except Exception:
            self.destroy()
            raise

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        with self._lock:
            self._config = config
            self._markers.configure(*_marker_options(config.markers))

    def select(self, tracked: TrackedPoses) -> TrackedPoses:
        """Return the tracks that are published."""
        return tracked[_published(tracked, self._config.tracker)]

    def publish(
        self,
        tracked: TrackedPoses,
        people: People3D | None,
        frame: Frame[PendingOutput],
        check: Callable[[int], None],
    ) -> None:
        """Publish the people of an image.

        Args:
            tracked: the selected tracks.
            people: their 3D positions, if any.
            frame: the image.
            check: called with the generation of the image; raises if that has ended.
        """
        generation = frame.payload.generation
        message = self._message(tracked, people, frame)
        with self._lock:
            check(generation)
            message.sequence, self.sequence = self.sequence, self.sequence + 1
            message.dropped_since_last = self._statistics.take_dropped()
            self._poses_publisher.publish(message)
            if self._marker_publisher.get_subscription_count() > 0:
                self._marker_publisher.publish(self._marker_message(tracked, people, message))
        if self._image_publisher.get_subscription_count() > 0:
            score = self._config.markers.min_keypoint_score
            annotated = draw(frame.image, tracked, self._skeleton, score)
            image = to_message(annotated, message.header)
            with self._lock, suppress(DroppedImageError):
                check(generation)
                self._image_publisher.publish(image)

    def clear(self) -> None:
        """Delete all markers."""
        with self._lock:
            self._marker_publisher.publish(self._markers.clear())

    def destroy(self) -> None:
        """Destroy the publishers."""
        while self._publishers:
            self._node.destroy_lifecycle_publisher(self._publishers.pop())

    def _message(
        self, tracked: TrackedPoses, people: People3D | None, frame: Frame[PendingOutput]
    ) -> TrackedPoseArray:
        """Return the message without sequence number and number of dropped images."""
        poses = tracked_pose_messages(tracked)
        if people is not None:
            set_positions_3d(poses, people.points, people.velocities)
        height, width = frame.image.shape[:2]
        return TrackedPoseArray(
            header=frame.payload.header,
            camera=self._camera,
            skeleton=self._skeleton.name,
            frame_3d="" if people is None else people.frame,
            image_width=width,
            image_height=height,
            epoch=frame.epoch,
            poses=poses,
        )

    def _marker_message(
        self, tracked: TrackedPoses, people: People3D | None, message: TrackedPoseArray
    ) -> MarkerArray:
        if people is not None:
            return self._markers.in_3d(tracked, message.header, people)
        lens = self._lens(message.image_width, message.image_height)
        return self._markers.on_plane(tracked, message.header, lens)

    def _publisher(self, message_type: type[Any], topic: str, qos: QoSProfile) -> Any:
        prefix = f"~/{self._camera}/" if self._camera else "~/"
        publisher = create_publisher(self._node, message_type, prefix + topic, qos)
        self._publishers.append(publisher)
        return publisher


def _published(tracked: TrackedPoses, config: TrackerConfig) -> NDArray[np.bool_]:
    """Return (N,), true for tracks that are published."""
    published = np.ones(len(tracked), bool)
    if not config.publish_lost:
        published &= tracked.states != TrackState.LOST
    if not config.publish_tentative:
        published &= tracked.states != TrackState.TENTATIVE
    return published


def _marker_options(config: MarkersConfig) -> tuple[float, float, float]:
    """Return the parameters of the markers."""
    return config.min_keypoint_score, config.depth_m, config.lifetime_s
