"""Tracked people as RViz markers."""

from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import Point
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros.conversions import duration
from poseflow_ros.skeleton import Skeleton

# Sizes as shares of the distance, so that they look alike at any.
_LINE_WIDTH = 0.01
_JOINT_SIZE = 0.02
_LABEL_SIZE = 0.05


@dataclass(frozen=True, slots=True)
class Pinhole:
    """Focal lengths and principal point of a camera, pixels."""

    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def from_camera_info(cls, info: CameraInfo) -> "Pinhole | None":
        """Return the camera's, or None where it is not calibrated (zeros, by convention)."""
        fx, fy = float(info.k[0]), float(info.k[4])
        return cls(fx, fy, float(info.k[2]), float(info.k[5])) if fx > 0 and fy > 0 else None

    @classmethod
    def assumed(cls, width: int, height: int) -> "Pinhole":
        """Return a common camera's: 53 degrees across."""
        return cls(float(width), float(width), (width - 1) / 2, (height - 1) / 2)

    def at_depth(self, points: FloatArray, depth_m: float) -> FloatArray:
        """Return (..., 3) metres in the optical frame for (..., 2) pixels on a plane."""
        x = (points[..., 0] - self.cx) / self.fx * depth_m
        y = (points[..., 1] - self.cy) / self.fy * depth_m
        return np.stack([x, y, np.full_like(x, depth_m)], axis=-1)


class MarkerMaker:
    """Makes the markers of one camera and remembers which are shown.

    One namespace a kind (skeleton, joints, labels), id = track_id, colour by the id. Whoever is
    not seen any more is deleted, once.
    """

    def __init__(
        self, skeleton: Skeleton, min_keypoint_score: float, depth_m: float, lifetime_s: float
    ) -> None:
        self._edges = np.array(skeleton.edges)
        self.configure(min_keypoint_score, depth_m, lifetime_s)
        self._shown: set[tuple[str, int]] = set()

    def configure(self, min_keypoint_score: float, depth_m: float, lifetime_s: float) -> None:
        """Draw the next markers in another way."""
        self._min_keypoint_score = min_keypoint_score
        self._depth_m = depth_m
        self._lifetime = duration(lifetime_s)

    def make(self, tracked: TrackedPoses, header: Header, camera: Pinhole) -> MarkerArray:
        """Return the markers of everybody seen, and the deletions of those gone."""
        markers: list[Marker] = []
        poses = tracked.poses
        shown = (poses.keypoint_scores >= self._min_keypoint_score) & np.isfinite(
            poses.keypoints
        ).all(axis=2)
        points = camera.at_depth(poses.keypoints, self._depth_m)
        tops = camera.at_depth((poses.boxes[:, :2] + poses.boxes[:, [2, 1]]) / 2, self._depth_m)
        for i in np.flatnonzero(tracked.visible):
            track_id = int(tracked.track_ids[i])
            edges = self._edges[shown[i][self._edges].all(axis=1)]
            markers += [
                self._list("skeleton", track_id, Marker.LINE_LIST, points[i][edges.ravel()]),
                self._list("joints", track_id, Marker.SPHERE_LIST, points[i][shown[i]]),
                self._label(track_id, tops[i]),
            ]
        # RViz complains about a list without points.
        markers = [m for m in markers if m.points or m.type == Marker.TEXT_VIEW_FACING]
        now = {(marker.ns, marker.id) for marker in markers}
        gone = [Marker(ns=ns, id=i, action=Marker.DELETE) for ns, i in sorted(self._shown - now)]
        self._shown = now
        for marker in gone + markers:
            marker.header = header
        return MarkerArray(markers=gone + markers)

    def clear(self) -> MarkerArray:
        """Return the message that deletes everything."""
        self._shown = set()
        return MarkerArray(markers=[Marker(action=Marker.DELETEALL)])

    def _list(self, namespace: str, track_id: int, kind: int, points: FloatArray) -> Marker:
        marker = self._marker(namespace, track_id, kind)
        size = _LINE_WIDTH if kind == Marker.LINE_LIST else _JOINT_SIZE
        marker.scale.x = marker.scale.y = marker.scale.z = size * self._depth_m
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
        return marker

    def _label(self, track_id: int, top: FloatArray) -> Marker:
        marker = self._marker("labels", track_id, Marker.TEXT_VIEW_FACING)
        marker.text = str(track_id)
        marker.scale.z = _LABEL_SIZE * self._depth_m
        x, y, z = top.tolist()
        marker.pose.position = Point(x=x, y=y - marker.scale.z, z=z)  # y points down
        return marker

    def _marker(self, namespace: str, track_id: int, kind: int) -> Marker:
        r, g, b = track_color(track_id)
        marker = Marker(ns=namespace, id=track_id, type=kind, action=Marker.ADD)
        marker.color = ColorRGBA(r=r, g=g, b=b, a=1.0)
        marker.lifetime = self._lifetime
        marker.pose.orientation.w = 1.0
        return marker
