"""visualization_msgs/ImageMarker: skeletons on the raw image."""

from typing import Any

from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import ImageMarker

from poseflow_ros.ros.bridges.bridge import Bridge
from poseflow_ros.ros.bridges.camera_topics import CameraTopics
from poseflow_ros.ros.bridges.skeleton_lines import skeleton_lines
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.managed_node import ManagedNode

_WIDTH_PX = 2.0


class ImageMarkerBridge(Bridge):
    """Publishes `~/image_marker`: one list of lines for everybody, also where it is empty."""

    def __init__(self, node: ManagedNode[Any], min_keypoint_score: float) -> None:
        self._min_keypoint_score = min_keypoint_score
        self._topics = CameraTopics(node, ImageMarker, "image_marker")

    def publish(self, poses: ReceivedPoses) -> None:
        """Publish the skeletons of an image with the header of that image."""
        lines, colors = skeleton_lines(poses, self._min_keypoint_score, ColorRGBA)
        marker = ImageMarker(
            header=poses.message.header,
            ns="skeleton",
            type=ImageMarker.LINE_LIST,
            action=ImageMarker.ADD,
            scale=_WIDTH_PX,
            points=[Point(x=x, y=y) for x, y in lines.reshape(-1, 2).tolist()],
            outline_colors=colors,
        )
        self._topics.publish(poses.frame.camera, marker)

    def close(self) -> None:
        """Destroy the publishers."""
        self._topics.close()
