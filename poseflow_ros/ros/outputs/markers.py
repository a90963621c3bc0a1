"""Tracked people as RViz markers."""

from collections.abc import Mapping

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros.inputs.depth import UP, People3D
from poseflow_ros.ros.stamps import duration
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.lens import Lens

# Sizes for a person of typical height. On the plane they are scaled with the person's size, so
# that near and far people look alike.
_LINE_WIDTH_M, _JOINT_SIZE_M, _LABEL_SIZE_M = 0.03, 0.06, 0.15
_USUAL_HEIGHT_M = 1.7
_LABELS = "labels"  # namespace
_LEAST_SCALE = 0.01  # RViz does not show markers of size 0


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
        self._up = up
        self._edges = np.array(skeleton.edges)
        self.configure(min_keypoint_score, depth_m, lifetime_s)
        self._shown: set[tuple[str, int]] = set()

    def configure(self, min_keypoint_score: float, depth_m: float, lifetime_s: float) -> None:
        """Set the options of the next markers."""
        self._min_keypoint_score = min_keypoint_score
        self._depth_m = depth_m
        self._lifetime = duration(lifetime_s)

    def on_plane(self, tracked: TrackedPoses, header: Header, lens: Lens) -> MarkerArray:
        """Return markers of all visible people on a plane before the camera, and deletions.

        Args:
            tracked: the people.
            header: of the image.
            lens: of the camera.
        """
        points = lens.on_plane(tracked.poses.keypoints, self._depth_m)
        boxes, up = tracked.poses.boxes, self._up[:2]
        # The middle of a box, and its upper end: up is along one of its sides.
        middles, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        tops = lens.on_plane(middles + halves * up, self._depth_m)
        heights = 2 * halves @ np.abs(up) * self._depth_m / (np.abs(up) @ (lens.fx, lens.fy))
        scales = np.maximum(heights / _USUAL_HEIGHT_M, _LEAST_SCALE)
        labels = tops + scales[:, None] * _LABEL_SIZE_M * self._up
        return self._make(tracked, points, labels, header, scales)

    def in_3d(self, tracked: TrackedPoses, header: Header, people: People3D) -> MarkerArray:
        """Return markers of all visible people at their 3D positions, and deletions.

        Args:
            tracked: the people.
            header: of the image.
            people: their 3D positions.
        """
        points, up = people.points.points, people.up
        heights = np.where(self._drawn(tracked, points), points @ up, -np.inf)
        tops = points[np.arange(len(tracked)), heights.argmax(axis=1)] + _LABEL_SIZE_M * up
        tops[np.isneginf(heights).all(axis=1)] = np.nan
        in_frame = Header(stamp=header.stamp, frame_id=people.frame)
        return self._make(tracked, points, tops, in_frame, np.ones(len(tracked)))

    def clear(self) -> MarkerArray:
        """Return the message that deletes all markers."""
        self._shown = set()
        return MarkerArray(markers=[Marker(action=Marker.DELETEALL)])

    def _drawn(self, tracked: TrackedPoses, points: FloatArray) -> NDArray[np.bool_]:
        """Return (N, K), true for keypoints that are drawn."""
        found = tracked.poses.keypoint_scores >= self._min_keypoint_score
        return np.asarray(found & np.isfinite(points).all(axis=2))

    def _make(
        self,
        tracked: TrackedPoses,
        points: FloatArray,
        labels: FloatArray,
        header: Header,
        scales: FloatArray,
    ) -> MarkerArray:
        """Return the markers; (N, K, 3) points and (N, 3) labels in metres, NaN where unknown.

        The (N,) scales are factors of the marker sizes.
        """
        markers: list[Marker] = []
        drawn = self._drawn(tracked, points)
        for i in np.flatnonzero(tracked.visible):
            track_id, scale = int(tracked.track_ids[i]), float(scales[i])
            edges = self._edges[drawn[i][self._edges].all(axis=1)]
            lines, joints = points[i][edges.ravel()], points[i][drawn[i]]
            markers += [
                self._list("skeleton", track_id, Marker.LINE_LIST, lines, scale * _LINE_WIDTH_M),
                self._list("joints", track_id, Marker.SPHERE_LIST, joints, scale * _JOINT_SIZE_M),
            ]
            if np.isfinite(labels[i]).all():
                markers.append(self._label(track_id, labels[i], scale * _LABEL_SIZE_M))
        # RViz logs an error for a list without points.
        markers = [m for m in markers if m.points or m.type == Marker.TEXT_VIEW_FACING]
        now = {(marker.ns, marker.id) for marker in markers}
        gone = [Marker(ns=ns, id=i, action=Marker.DELETE) for ns, i in sorted(self._shown - now)]
        self._shown = now
        for marker in gone + markers:
            marker.header = header
        return MarkerArray(markers=gone + markers)

    def _list(
        self, namespace: str, track_id: int, kind: int, points: FloatArray, size_m: float
    ) -> Marker:
        marker = self._marker(namespace, track_id, kind)
        marker.scale.x = marker.scale.y = marker.scale.z = size_m
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
        return marker

    def _label(self, track_id: int, place: FloatArray, size_m: float) -> Marker:
        marker = self._marker(_LABELS, track_id, Marker.TEXT_VIEW_FACING)
        marker.text = str(track_id)
        marker.scale.z = size_m
        x, y, z = place.tolist()
        marker.pose.position = Point(x=x, y=y, z=z)
        return marker

    def _marker(self, namespace: str, track_id: int, kind: int) -> Marker:
        r, g, b = track_color(track_id)
        marker = Marker(ns=namespace, id=track_id, type=kind, action=Marker.ADD)
        marker.color = ColorRGBA(r=r, g=g, b=b, a=1.0)
        marker.lifetime = self._lifetime
        marker.pose.orientation.w = 1.0
        return marker


def set_label_texts(array: MarkerArray, texts: Mapping[int, str]) -> None:
    """Replace the track ids in the labels of an array by the texts of these track ids."""
    for marker in array.markers:
        if marker.ns == _LABELS and marker.action == Marker.ADD:
            marker.text = texts[marker.id]
