"""Publishing TF frames of people."""

from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import Pose, TransformStamped
from std_msgs.msg import Header

from poseflow_ros.poses import FloatArray
from poseflow_ros.ros.bridges.bridge import import_messages
from poseflow_ros.ros.managed_node import ManagedNode
from poseflow_ros.ros.publisher import TRANSFORMS


class TransformPublisher:
    """Publishes frames on /tf; without tf2_ros, which only listeners need."""

    def __init__(self, node: ManagedNode[Any]) -> None:
        """Create the publisher.

        Raises:
            BridgeError: tf2_msgs is not installed.
        """
        self._messages = import_messages("tf2_msgs")
        self._publisher = node.publisher(self._messages.TFMessage, "/tf", TRANSFORMS)

    def publish(
        self,
        header: Header,
        names: Sequence[str],
        origins: FloatArray,
        orientations: FloatArray,
    ) -> None:
        """Publish frames.

        Args:
            header: the stamp, and the parent frame.
            names: of the N frames.
            origins: (N, 3) metres.
            orientations: (N, 4) quaternions x y z w.
        """
        transforms = []
        for name, origin, orientation in zip(names, origins, orientations, strict=True):
            transform = TransformStamped(header=header, child_frame_id=name)
            place = pose_message(origin, orientation)
            moved, position = transform.transform.translation, place.position
            moved.x, moved.y, moved.z = position.x, position.y, position.z
            transform.transform.rotation = place.orientation
            transforms.append(transform)
        if transforms:
            self._publisher.publish(self._messages.TFMessage(transforms=transforms))


def pose_message(origin: FloatArray, orientation: FloatArray) -> Pose:
    """Return a pose from (3,) metres and a quaternion (4,) x y z w."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = origin.tolist()
    turned = pose.orientation
    turned.x, turned.y, turned.z, turned.w = orientation.tolist()
    return pose
