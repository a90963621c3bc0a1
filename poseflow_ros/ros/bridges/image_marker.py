"""visualization_msgs/ImageMarker: skeletons on the raw image."""

from typing import Any

from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import ImageMarker

from poseflow_ros.ros.bridges.bridge import TrackedImage
from poseflow_ros.ros.bridges.skeleton_lines import skeleton_lines
from poseflow_ros.ros.managed_node import ManagedNode

_WIDTH_PX = 2.0


class ImageMarkerBridge:
    """Publishes `~/image_marker`: one list of lines for everybody, also where it is empty."""

    def __init__(self, node: ManagedNode[Any], min_keypoint_score: float) -> None:
        self._min_keypoint_score = min_keypoint_score
        self._publisher = node.publisher(ImageMarker, "~/image_marker")

    def publish(self, image: TrackedImage) -> None:
        """Publish the skeletons of an image with the header of that image."""
        lines, colors = skeleton_lines(image, self._min_keypoint_score, ColorRGBA)
        marker = ImageMarker(
            header=image.message.header,
            ns="skeleton",
            type=ImageMarker.LINE_LIST,
            action=ImageMarker.ADD,
            scale=_WIDTH_PX,
            points=[Point(x=x, y=y) for x, y in lines.reshape(-1, 2).tolist()],
            outline_colors=colors,
        )
        self._publisher.publish(marker)

    def silence(self, camera: str) -> None:
        """Publish nothing: a marker belongs to the image with its stamp."""

    def close(self) -> None:
        """Do nothing: the node destroys the publisher."""
