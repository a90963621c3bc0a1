"""Tracked people as RViz markers."""

from collections.abc import Mapping

from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros.stamps import duration
from poseflow_ros.ros_data.depth import UP, People3D
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.lens import Lens
from poseflow_ros.spatial.marker_shapes import MarkerShape, MarkerShapes

_LABELS = "labels"  # namespace
_TYPES = {
    "skeleton": Marker.LINE_LIST,
    "joints": Marker.SPHERE_LIST,
    _LABELS: Marker.TEXT_VIEW_FACING,
}


class MarkerMaker:
    """Creates the markers of one camera and keeps track of those that are shown.

    There is one namespace per kind (skeleton, joints, labels). The marker id is the track id,
    which also determines the color. When a track is no longer visible, its markers are deleted
    once.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        min_keypoint_score: float,
        depth_m: float,
        lifetime_s: float,
        up: FloatArray = UP,
    ) -> None:
        """Make a maker.

        Args:
            skeleton: of the people.
            min_keypoint_score: see `configure`.
            depth_m: likewise.
            lifetime_s: likewise.
            up: (3,) the image's upward direction in the camera's optical frame.
        """
        self._shapes = MarkerShapes(skeleton, min_keypoint_score, depth_m, up)
        self._lifetime = duration(lifetime_s)

    def configure(self, min_keypoint_score: float, depth_m: float, lifetime_s: float) -> None:
        """Set the options of the next markers."""
        self._shapes.min_keypoint_score = min_keypoint_score
        self._shapes.depth_m = depth_m
        self._lifetime = duration(lifetime_s)

    def on_plane(self, tracked: TrackedPoses, header: Header, lens: Lens) -> MarkerArray:
        """Return markers of all visible people on a plane before the camera, and deletions.

        Args:
            tracked: the people.
            header: of the image.
            lens: of the camera.
        """
        return self._message(self._shapes.on_plane(tracked, lens), header)

    def in_3d(self, tracked: TrackedPoses, header: Header, people: People3D) -> MarkerArray:
        """Return markers of all visible people at their 3D positions, and deletions.

        Args:
            tracked: the people.
            header: of the image.
            people: their 3D positions.
        """
        shapes = self._shapes.in_3d(tracked, people.points.points, people.up)
        return self._message(shapes, Header(stamp=header.stamp, frame_id=people.frame))

    def clear(self) -> MarkerArray:
        """Return the message that deletes all markers."""
        self._shapes.replace_shown([])
        return MarkerArray(markers=[Marker(action=Marker.DELETEALL)])

    def _message(self, shapes: list[MarkerShape], header: Header) -> MarkerArray:
        gone = self._shapes.replace_shown(shapes)
        markers = [Marker(ns=ns, id=i, action=Marker.DELETE) for ns, i in gone]
        markers += [self._marker(shape) for shape in shapes]
        for marker in markers:
            marker.header = header
        return MarkerArray(markers=markers)

    def _marker(self, shape: MarkerShape) -> Marker:
        r, g, b = track_color(shape.track_id)
        marker = Marker(ns=shape.namespace, id=shape.track_id, type=_TYPES[shape.namespace])
        marker.color = ColorRGBA(r=r, g=g, b=b, a=1.0)
        marker.lifetime = self._lifetime
        marker.pose.orientation.w = 1.0
        marker.scale.z = shape.size_m
        points = [Point(x=x, y=y, z=z) for x, y, z in shape.points.tolist()]
        if shape.namespace == _LABELS:
            marker.text = str(shape.track_id)
            (marker.pose.position,) = points
        else:
            marker.scale.x = marker.scale.y = shape.size_m
            marker.points = points
        return marker


def set_label_texts(array: MarkerArray, texts: Mapping[int, str]) -> None:
    """Replace the track ids in the labels of an array by the texts of these track ids."""
    for marker in array.markers:
        if marker.ns == _LABELS and marker.action == Marker.ADD:
            marker.text = texts[marker.id]
