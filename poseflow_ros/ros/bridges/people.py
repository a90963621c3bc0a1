"""people_msgs: positions and velocities for social costmaps."""

from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import Header

from poseflow_ros.ros.bridges.bridge import Bridge, import_messages
from poseflow_ros.ros.bridges.camera_topics import CameraTopics
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.managed_node import ManagedNode


class PeopleBridge(Bridge):
    """Publishes `~/people`: the people whose 3D position is known."""

    def __init__(self, node: ManagedNode[Any]) -> None:
        """Create the publisher.

        Raises:
            BridgeError: people_msgs is not installed.
        """
        self._messages = import_messages("people_msgs")
        self._topics = CameraTopics(node, self._messages.People, "people")

    def publish(self, poses: ReceivedPoses) -> None:
        """Publish the people of an image."""
        frame = poses.frame
        header = Header(stamp=poses.message.header.stamp, frame_id=poses.frame_3d)
        people = [self._person(poses, row) for row in poses.located.tolist()]
        self._topics.publish(frame.camera, self._messages.People(header=header, people=people))

    def close(self) -> None:
        """Destroy the publishers."""
        self._topics.close()

    def _person(self, poses: ReceivedPoses, row: int) -> Any:
        frame, person = poses.frame, poses.person(row)
        index = poses.behavior_rows.get(person.track_id)
        tags = [] if index is None else poses.behaviors.names(index)
        return self._messages.Person(
            name="_".join(filter(None, (frame.camera, str(frame.epoch), str(person.track_id)))),
            position=_point(frame.positions[row]),
            velocity=_point(np.nan_to_num(frame.velocities[row])),
            reliability=float(person.score),
            tagnames=["behavior"] * len(tags),
            tags=tags,
        )


def _point(values: Any) -> Point:
    return Point(**dict(zip("xyz", values.tolist(), strict=True)))
