"""Markers, on the level of messages: what RViz is told to show and to delete."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from poseflow_ros.poses import Poses, TrackedPoses, TrackState
from poseflow_ros.ros.markers import MarkerMaker, Pinhole
from poseflow_ros.skeleton import COCO_17

CAMERA = Pinhole(fx=500.0, fy=400.0, cx=320.0, cy=240.0)
HEADER = Header(frame_id="camera")
KINDS = ("joints", "labels", "skeleton")


def people(*track_ids, states=None):
    n = len(track_ids)
    keypoints = np.full((n, 17, 2), 320.0) + np.arange(17)[:, None]
    boxes = np.tile([300.0, 200.0, 340.0, 280.0], (n, 1))
    none = np.zeros(n)
    return TrackedPoses(
        Poses(keypoints, np.ones((n, 17)), boxes, np.ones(n)),
        np.array(track_ids, np.int64),
        np.array([TrackState.CONFIRMED] * n if states is None else states, np.int64),
        none, none, none, np.ones(n, np.int64), np.zeros((n, 2)),
    )  # fmt: skip


def maker():
    return MarkerMaker(COCO_17, min_keypoint_score=0.3, depth_m=2.0, lifetime_s=1.5)


def keys(array, action):
    return sorted((m.ns, m.id) for m in array.markers if m.action == action)


def test_one_namespace_a_kind_and_the_track_id_as_id():
    array = maker().make(people(5, 9), HEADER, CAMERA)
    assert keys(array, Marker.ADD) == [(kind, i) for kind in KINDS for i in (5, 9)]
    assert {m.header.frame_id for m in array.markers} == {"camera"}
    assert {(m.lifetime.sec, m.lifetime.nanosec) for m in array.markers} == {(1, 500_000_000)}
    (label,) = (m for m in array.markers if m.ns == "labels" and m.id == 9)
    assert label.text == "9"


def test_points_lie_on_the_plane():
    array = maker().make(people(1), HEADER, CAMERA)
    (joints,) = (m for m in array.markers if m.ns == "joints")
    point = joints.points[10]  # pixel (330, 330)
    assert (point.x, point.y, point.z) == pytest.approx((10 / 500 * 2, 90 / 400 * 2, 2.0))
    (skeleton,) = (m for m in array.markers if m.ns == "skeleton")
    assert len(skeleton.points) == 2 * len(COCO_17.edges)


def test_a_color_belongs_to_an_id_and_stays_within_range():
    first = maker().make(people(*range(1, 40)), HEADER, CAMERA)
    second = maker().make(people(7), HEADER, CAMERA)
    colors = {m.id: (m.color.r, m.color.g, m.color.b) for m in first.markers}
    assert {(m.color.r, m.color.g, m.color.b) for m in second.markers} == {colors[7]}
    assert all(0 <= channel <= 1 for color in colors.values() for channel in color)
    assert len(set(colors.values())) == 39
    assert all(m.color.a == 1 for m in first.markers)


def test_who_is_gone_is_deleted_once():
    markers = maker()
    markers.make(people(1, 2), HEADER, CAMERA)
    second = markers.make(people(2), HEADER, CAMERA)
    assert keys(second, Marker.DELETE) == [(kind, 1) for kind in KINDS]
    third = markers.make(people(2), HEADER, CAMERA)
    assert keys(third, Marker.DELETE) == []
    assert keys(third, Marker.ADD) == [(kind, 2) for kind in KINDS]


@pytest.mark.parametrize("state", [TrackState.LOST, TrackState.REMOVED])
def test_who_is_not_seen_is_not_shown(state):
    markers = maker()
    markers.make(people(1), HEADER, CAMERA)
    array = markers.make(people(1, states=[state]), HEADER, CAMERA)
    assert keys(array, Marker.ADD) == []
    assert keys(array, Marker.DELETE) == [(kind, 1) for kind in KINDS]


def test_keypoints_unknown_or_of_low_score_are_left_out_with_their_edges():
    tracked = people(1)
    tracked.poses.keypoint_scores[0, 9] = 0.1  # left wrist: one edge
    tracked.poses.keypoints[0, 0] = np.nan  # nose: two edges
    array = maker().make(tracked, HEADER, CAMERA)
    points = {m.ns: [(p.x, p.y, p.z) for p in m.points] for m in array.markers}
    assert len(points["joints"]) == 15
    assert len(points["skeleton"]) == 2 * (len(COCO_17.edges) - 3)
    assert np.isfinite(points["joints"] + points["skeleton"]).all()


def test_a_list_without_points_is_not_sent_but_deleted():
    markers = maker()
    markers.make(people(1), HEADER, CAMERA)
    hidden = people(1)
    hidden.poses.keypoint_scores[:] = 0
    array = markers.make(hidden, HEADER, CAMERA)
    assert keys(array, Marker.ADD) == [("labels", 1)]
    assert keys(array, Marker.DELETE) == [("joints", 1), ("skeleton", 1)]


def test_clear_deletes_everything_and_forgets():
    markers = maker()
    markers.make(people(1), HEADER, CAMERA)
    assert [m.action for m in markers.clear().markers] == [Marker.DELETEALL]
    assert keys(markers.make(people(), HEADER, CAMERA), Marker.DELETE) == []


def test_an_uncalibrated_camera_is_told_by_its_zeros():
    info = CameraInfo()
    assert Pinhole.from_camera_info(info) is None
    info.k = [500.0, 0.0, 320.0, 0.0, 400.0, 240.0, 0.0, 0.0, 1.0]
    assert Pinhole.from_camera_info(info) == CAMERA
