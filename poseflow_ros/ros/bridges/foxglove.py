"""foxglove_msgs/ImageAnnotations: skeletons and ids on the raw image."""

from typing import Any

from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.ros.bridges.bridge import Bridge, import_messages
from poseflow_ros.ros.bridges.camera_topics import CameraTopics
from poseflow_ros.ros.bridges.skeleton_lines import skeleton_lines
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.managed_node import ManagedNode

_WIDTH_PX, _FONT_PX = 2.0, 16.0


class FoxgloveBridge(Bridge):
    """Publishes `~/image_annotations`.

    Half a pixel is added to coordinates: Foxglove's (0, 0) is the corner of the first pixel.
    """

    def __init__(self, node: ManagedNode[Any], min_keypoint_score: float) -> None:
        """Create the publisher.

        Raises:
            BridgeError: foxglove_msgs is not installed.
        """
        self._min_keypoint_score = min_keypoint_score
        self._messages = messages = import_messages("foxglove_msgs")
        self._topics = CameraTopics(node, messages.ImageAnnotations, "image_annotations")

    def publish(self, poses: ReceivedPoses) -> None:
        """Publish the skeletons and ids of the confirmed people of an image."""
        messages, stamp = self._messages, poses.message.header.stamp
        lines, colors = skeleton_lines(poses, self._min_keypoint_score, messages.Color)
        points = messages.PointsAnnotation(
            timestamp=stamp,
            type=messages.PointsAnnotation.LINE_LIST,
            points=[self._point(x, y) for x, y in lines.reshape(-1, 2).tolist()],
            outline_colors=colors,
            thickness=_WIDTH_PX,
        )
        texts = [self._label(poses, row) for row in poses.confirmed.tolist()]
        annotations = messages.ImageAnnotations(points=[points], texts=texts)
        self._topics.publish(poses.frame.camera, annotations)

    def close(self) -> None:
        """Destroy the publishers."""
        self._topics.close()

    def _label(self, poses: ReceivedPoses, row: int) -> Any:
        person = poses.person(row)
        return self._messages.TextAnnotation(
            timestamp=poses.message.header.stamp,
            position=self._point(float(person.box[0]), float(person.box[1])),
            text=str(person.track_id),
            font_size=_FONT_PX,
            text_color=self._color(0.0, 0.0, 0.0),
            background_color=self._color(*track_color(person.track_id)),
        )

    def _point(self, x: float, y: float) -> Any:
        return self._messages.Point2(x=x + 0.5, y=y + 0.5)

    def _color(self, r: float, g: float, b: float) -> Any:
        return self._messages.Color(r=r, g=g, b=b, a=1.0)
