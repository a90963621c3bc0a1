"""What is told of one camera: its topics, and what is published on them."""

from typing import Any

import numpy as np
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from poseflow_ros.config import NodeConfig
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.pipeline import Frame
from poseflow_ros.poses import TrackedPoses, TrackState
from poseflow_ros.ros.conversions import put_into_space, tracked_pose_messages
from poseflow_ros.ros.depth import Lifter, View
from poseflow_ros.ros.images import to_message
from poseflow_ros.ros.markers import MarkerMaker
from poseflow_ros.skeleton import Skeleton
from poseflow_ros.spatial.lens import Lens

RELIABLE = QoSProfile(depth=10)


def create_publisher(
    node: LifecycleNode, message_type: type[Any], topic: str, qos: QoSProfile
) -> Any:
    """Return a lifecycle publisher whose QoS the node's parameters may override.

    Raises:
        InvalidQosOverridesError: by a parameter that no publisher can have.
    """
    overrides = QoSOverridingOptions.with_default_policies()
    return node.create_lifecycle_publisher(
        message_type, topic, qos, qos_overriding_options=overrides
    )


class Outputs:
    """Publishes what is known of one camera's images."""

    def __init__(
        self,
        node: LifecycleNode,
        camera: str,
        skeleton: Skeleton,
        lifter: Lifter,
        config: NodeConfig,
        sequence: int,
    ) -> None:
        """Create the publishers.

        Args:
            node: whose they are.
            camera: its name, part of the topics'.
            skeleton: of the people.
            lifter: puts them into space.
            config: what is published, and how.
            sequence: the number of the first message.

        Raises:
            InvalidQosOverridesError: a parameter overrides their QoS with what cannot be.
        """
        self._node = node
        self._camera = camera
        self._skeleton = skeleton
        self._lifter = lifter
        self.sequence = sequence
        self._publishers: list[Any] = []
        self._markers = MarkerMaker(skeleton, *_drawn(config))
        self.configure(config)
        try:
            self._poses_publisher = self._publisher(TrackedPoseArray, "tracked_poses", RELIABLE)
            self._marker_publisher = self._publisher(MarkerArray, "markers", RELIABLE)
            self._image_publisher = self._publisher(Image, "annotated", qos_profile_sensor_data)
        except Exception:
            self.destroy()
            raise

    def configure(self, config: NodeConfig) -> None:
        """Take the live parameters from the next image on."""
        self._config = config
        self._markers.configure(*_drawn(config))

    def tell(self, frame: Frame, header: Header, view: View | None, dropped: int) -> None:
        """Publish who is in a frame.

        Args:
            frame: an image and its people.
            header: of the image.
            view: what puts its people into space; None where nothing can.
            dropped: images since the one told before.
        """
        tracked = frame.tracked[self._told(frame.tracked)]
        height, width = frame.image.shape[:2]
        people = tracked_pose_messages(tracked)
        space = None
        if view is not None:
            score = self._config.min_keypoint_score
            space = self._lifter.lift(
                tracked, view, frame.stamp_s, (height, width), frame.epoch, score
            )
            put_into_space(people, space.points, space.velocities)
        self._poses_publisher.publish(
            TrackedPoseArray(
                header=header,
                camera=self._camera,
                skeleton=self._skeleton.name,
                frame_3d="" if space is None else space.frame,
                image_width=width,
                image_height=height,
                epoch=frame.epoch,
                sequence=self.sequence,
                dropped_since_last=dropped,
                poses=people,
            )
        )
        self.sequence += 1
        if self._marker_publisher.get_subscription_count() > 0:
            if space is not None:
                markers = self._markers.in_space(tracked, header, space)
            else:
                markers = self._markers.on_plane(tracked, header, self._lens(width, height))
            self._marker_publisher.publish(markers)
        if self._image_publisher.get_subscription_count() > 0:
            annotated = draw(frame.image, tracked, self._skeleton, self._config.min_keypoint_score)
            self._image_publisher.publish(to_message(annotated, header))

    def clear(self) -> None:
        """Take away what is shown."""
        self._marker_publisher.publish(self._markers.clear())

    def destroy(self) -> None:
        """Destroy the publishers."""
        while self._publishers:
            self._node.destroy_lifecycle_publisher(self._publishers.pop())

    def _publisher(self, message_type: type[Any], topic: str, qos: QoSProfile) -> Any:
        prefix = f"~/{self._camera}/" if self._camera else "~/"
        publisher = create_publisher(self._node, message_type, prefix + topic, qos)
        self._publishers.append(publisher)
        return publisher

    def _told(self, tracked: TrackedPoses) -> Any:
        """Return (N,), true for the tracks that are published."""
        told = np.ones(len(tracked), bool)
        if not self._config.publish_lost:
            told &= tracked.states != TrackState.LOST
        if not self._config.publish_tentative:
            told &= tracked.states != TrackState.TENTATIVE
        return told

    def _lens(self, width: int, height: int) -> Lens:
        known = self._lifter.calibration
        return known.lens if known else Lens.assumed(width, height)


def _drawn(config: NodeConfig) -> tuple[float, float, float]:
    """Return what says how markers are drawn."""
    return config.min_keypoint_score, config.marker_depth_m, config.marker_lifetime_s
