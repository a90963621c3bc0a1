"""vision_msgs: people as detections in 2D and 3D."""

from typing import Any

import numpy as np
from std_msgs.msg import Header

from poseflow_ros.ros.bridges.bridge import Bridge, import_messages
from poseflow_ros.ros.bridges.camera_topics import CameraTopics
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.managed_node import ManagedNode

_PERSON = "person"


class VisionBridge(Bridge):
    """Publishes `~/detections` and, where there is depth, `~/detections_3d`."""

    def __init__(self, node: ManagedNode[Any]) -> None:
        """Create the publishers.

        Raises:
            BridgeError: vision_msgs is not installed.
        """
        self._messages = messages = import_messages("vision_msgs")
        self._detections = CameraTopics(node, messages.Detection2DArray, "detections")
        self._detections_3d = CameraTopics(node, messages.Detection3DArray, "detections_3d")

    def publish(self, poses: ReceivedPoses) -> None:
        """Publish the confirmed people of an image."""
        header, messages = poses.message.header, self._messages
        detections = [self._detection(poses, row) for row in poses.confirmed.tolist()]
        array = messages.Detection2DArray(header=header, detections=detections)
        self._detections.publish(poses.frame.camera, array)
        if poses.message.frame_3d:
            header = Header(stamp=header.stamp, frame_id=poses.message.frame_3d)
            boxes = [self._detection_3d(poses, row, header) for row in poses.located.tolist()]
            array = messages.Detection3DArray(header=header, detections=boxes)
            self._detections_3d.publish(poses.frame.camera, array)

    def close(self) -> None:
        """Destroy the publishers."""
        self._detections.close()
        self._detections_3d.close()

    def _detection(self, poses: ReceivedPoses, row: int) -> Any:
        person, messages = poses.person(row), self._messages
        detection = messages.Detection2D(header=poses.message.header, id=str(person.track_id))
        x1, y1, x2, y2 = (float(value) for value in person.box)
        center = detection.bbox.center.position
        center.x, center.y = (x1 + x2) / 2, (y1 + y2) / 2
        detection.bbox.size_x, detection.bbox.size_y = x2 - x1, y2 - y1
        detection.results.append(self._hypothesis(person.score))
        return detection

    def _detection_3d(self, poses: ReceivedPoses, row: int, header: Header) -> Any:
        """Return the box around the known 3D keypoints; of size 0 where there are none."""
        person = poses.person(row)
        detection = self._messages.Detection3D(header=header, id=str(person.track_id))
        points = poses.frame.points[row]
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            points = poses.frame.positions[row][None]
        low, high = points.min(axis=0), points.max(axis=0)
        center, size = detection.bbox.center.position, detection.bbox.size
        center.x, center.y, center.z = ((low + high) / 2).tolist()
        size.x, size.y, size.z = (high - low).tolist()
        detection.results.append(self._hypothesis(person.score, poses.frame.positions[row]))
        return detection

    def _hypothesis(self, score: float, position: Any = None) -> Any:
        result = self._messages.ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = _PERSON, float(score)
        if position is not None:
            point = result.pose.pose.position
            point.x, point.y, point.z = position.tolist()
        return result
