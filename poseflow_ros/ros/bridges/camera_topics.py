"""One topic for each camera, as those of the PoseFlow node."""

from typing import Any

from poseflow_ros.ros.managed_node import ManagedNode
from poseflow_ros.ros.publisher import RELIABLE


class CameraTopics:
    """Publishers of one kind of message: `~/NAME`, or `~/CAMERA/NAME` if the camera has a name.

    The topic of a camera with a name is created when its first poses arrive.
    """

    def __init__(self, node: ManagedNode[Any], message_type: type[Any], name: str) -> None:
        """Create the topic of a camera without a name.

        Raises:
            InvalidQosOverridesError: a parameter overrides its QoS with an invalid one.
        """
        self._node = node
        self._type = message_type
        self._name = name
        self._unnamed = node.publisher(message_type, f"~/{name}")
        self._publishers: dict[str, Any] = {}

    def publish(self, camera: str, message: Any) -> None:
        """Publish a message about an image of a camera."""
        if not camera:
            self._unnamed.publish(message)
            return
        if camera not in self._publishers:
            topic = f"~/{camera}/{self._name}"
            self._publishers[camera] = self._node.create_publisher(self._type, topic, RELIABLE)
        self._publishers[camera].publish(message)

    def close(self) -> None:
        """Destroy the publishers of cameras with names."""
        while self._publishers:
            _, publisher = self._publishers.popitem()
            self._node.destroy_publisher(publisher)
