"""Marker messages: markers that are added, and markers that are deleted."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from poseflow_ros.poses import Poses, TrackedPoses, TrackState
from poseflow_ros.ros.outputs.markers import MarkerMaker, set_label_texts
from poseflow_ros.ros_data.depth import People3D
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.spatial.lens import Lens
from poseflow_ros.spatial.projection import Points

CAMERA = Lens(fx=500.0, fy=400.0, cx=320.0, cy=240.0)
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


def test_markers_have_a_namespace_per_kind_and_the_track_id():
    array = maker().on_plane(people(5, 9), HEADER, CAMERA)
    assert keys(array, Marker.ADD) == [(kind, i) for kind in KINDS for i in (5, 9)]
    assert {m.header.frame_id for m in array.markers} == {"camera"}
    assert {(m.lifetime.sec, m.lifetime.nanosec) for m in array.markers} == {(1, 500_000_000)}
    (label,) = (m for m in array.markers if m.ns == "labels" and m.id == 9)
    assert label.text == "9"


def test_points_lie_on_the_plane():
    array = maker().on_plane(people(1), HEADER, CAMERA)
    (joints,) = (m for m in array.markers if m.ns == "joints")
    point = joints.points[10]  # pixel (330, 330)
    assert (point.x, point.y, point.z) == pytest.approx((10 / 500 * 2, 90 / 400 * 2, 2.0))
    (skeleton,) = (m for m in array.markers if m.ns == "skeleton")
    assert len(skeleton.points) == 2 * len(COCO_17.edges)


def test_sizes_on_the_plane_scale_with_the_person():
    near_and_far = people(1, 2, 3)
    near_and_far.poses.boxes[1:, 3] = [240.0, 200.0]  # half as tall, and no height at all
    array = maker().on_plane(near_and_far, HEADER, CAMERA)
    widths = {m.id: m.scale.x for m in array.markers if m.ns == "skeleton"}
    # 80 pixels at f = 400 on a plane 2 m away are 0.4 m; somebody of 1.7 m has lines of 3 cm.
    assert widths[1] == pytest.approx(0.03 * 0.4 / 1.7)
    assert widths[2] == pytest.approx(0.03 * 0.2 / 1.7)
    assert widths[3] > 0
    label = next(m for m in array.markers if m.ns == "labels" and m.id == 2)
    assert label.scale.z == pytest.approx(0.15 * 0.2 / 1.7)
    assert label.pose.position.y == pytest.approx(-40 / 400 * 2 - label.scale.z)


def test_color_depends_on_the_id_and_is_in_range():
    first = maker().on_plane(people(*range(1, 40)), HEADER, CAMERA)
    second = maker().on_plane(people(7), HEADER, CAMERA)
    colors = {m.id: (m.color.r, m.color.g, m.color.b) for m in first.markers}
    assert {(m.color.r, m.color.g, m.color.b) for m in second.markers} == {colors[7]}
    assert all(0 <= channel <= 1 for color in colors.values() for channel in color)
    assert len(set(colors.values())) == 39
    assert all(m.color.a == 1 for m in first.markers)


def test_markers_of_a_gone_track_are_deleted_once():
    markers = maker()
    markers.on_plane(people(1, 2), HEADER, CAMERA)
    second = markers.on_plane(people(2), HEADER, CAMERA)
    assert keys(second, Marker.DELETE) == [(kind, 1) for kind in KINDS]
    third = markers.on_plane(people(2), HEADER, CAMERA)
    assert keys(third, Marker.DELETE) == []
    assert keys(third, Marker.ADD) == [(kind, 2) for kind in KINDS]


@pytest.mark.parametrize("state", [TrackState.LOST, TrackState.REMOVED])
def test_invisible_tracks_have_no_markers(state):
    markers = maker()
    markers.on_plane(people(1), HEADER, CAMERA)
    array = markers.on_plane(people(1, states=[state]), HEADER, CAMERA)
    assert keys(array, Marker.ADD) == []
    assert keys(array, Marker.DELETE) == [(kind, 1) for kind in KINDS]


def test_unknown_or_low_score_keypoints_are_omitted_with_their_edges():
    tracked = people(1)
    tracked.poses.keypoint_scores[0, 9] = 0.1  # left wrist: one edge
    tracked.poses.keypoints[0, 0] = np.nan  # nose: two edges
    array = maker().on_plane(tracked, HEADER, CAMERA)
    points = {m.ns: [(p.x, p.y, p.z) for p in m.points] for m in array.markers}
    assert len(points["joints"]) == 15
    assert len(points["skeleton"]) == 2 * (len(COCO_17.edges) - 3)
    assert np.isfinite(points["joints"] + points["skeleton"]).all()


def test_marker_list_without_points_is_deleted():
    markers = maker()
    markers.on_plane(people(1), HEADER, CAMERA)
    hidden = people(1)
    hidden.poses.keypoint_scores[:] = 0
    array = markers.on_plane(hidden, HEADER, CAMERA)
    assert keys(array, Marker.ADD) == [("labels", 1)]
    assert keys(array, Marker.DELETE) == [("joints", 1), ("skeleton", 1)]


def test_clear_deletes_all_markers():
    markers = maker()
    markers.on_plane(people(1), HEADER, CAMERA)
    assert [m.action for m in markers.clear().markers] == [Marker.DELETEALL]
    assert keys(markers.on_plane(people(), HEADER, CAMERA), Marker.DELETE) == []


# From an optical frame (z ahead, y down) to one with x ahead and z up, 1 m above the ground.
TO_BASE = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
ABOVE = np.array([0.0, 0.0, 1.0])


def people_3d(tracked, points):
    """Space in a robot's frame, from (N, 17, 3) points in the optical frame."""
    moved = points @ TO_BASE.T + ABOVE
    stddevs = np.where(np.isnan(points[..., 0]), np.nan, 0.01)
    found = Points(moved, stddevs, moved[:, 0])
    return People3D(found, np.zeros((len(tracked), 3)), "base_link", TO_BASE @ [0.0, -1.0, 0.0])


def standing(n):
    """n people 4 m ahead, from head to foot: keypoint k is 0.1 k m below the first."""
    points = np.zeros((n, 17, 3))
    points[..., 1], points[..., 2] = 0.1 * np.arange(17) - 0.8, 4.0
    points[..., 0] = np.arange(n)[:, None]
    return points


def test_3d_markers_are_at_the_3d_positions():
    tracked = people(3, 4)
    array = maker().in_3d(tracked, HEADER, people_3d(tracked, standing(2)))
    assert {m.header.frame_id for m in array.markers} == {"base_link"}
    assert keys(array, Marker.ADD) == [(kind, i) for kind in KINDS for i in (3, 4)]
    joints = next(m for m in array.markers if (m.ns, m.id) == ("joints", 4))
    assert len(joints.points) == 17
    # The second stands 1 m to the right; its keypoint 10 is 0.2 m below the camera.
    place = joints.points[10]
    assert (place.x, place.y, place.z) == pytest.approx((4.0, -1.0, 0.8))
    label = next(m for m in array.markers if (m.ns, m.id) == ("labels", 4)).pose.position
    assert (label.x, label.y, label.z) == pytest.approx((4.0, -1.0, 1.8 + 0.15))


def test_unknown_3d_points_are_not_drawn():
    tracked = people(1, 2)
    points = standing(2)
    points[0, :3] = np.nan  # the first one's head
    points[1] = np.nan
    array = maker().in_3d(tracked, HEADER, people_3d(tracked, points))
    assert keys(array, Marker.ADD) == [(kind, 1) for kind in KINDS]
    drawn = [p for m in array.markers for p in (*m.points, m.pose.position)]
    assert np.isfinite([(p.x, p.y, p.z) for p in drawn]).all()
    label = next(m for m in array.markers if m.ns == "labels").pose.position
    assert label.z == pytest.approx(1.5 + 0.15)  # above keypoint 3


def test_skeleton_without_3d_position_is_deleted():
    markers, tracked = maker(), people(1)
    markers.in_3d(tracked, HEADER, people_3d(tracked, standing(1)))
    array = markers.in_3d(tracked, HEADER, people_3d(tracked, standing(1) * np.nan))
    assert keys(array, Marker.ADD) == []
    assert keys(array, Marker.DELETE) == [(kind, 1) for kind in KINDS]


def test_no_label_without_drawn_keypoints():
    tracked = people(1)
    tracked.poses.keypoint_scores[:] = 0
    array = maker().in_3d(tracked, HEADER, people_3d(tracked, standing(1)))
    assert not array.markers


def test_no_people_give_no_3d_markers():
    tracked = people()
    assert not maker().in_3d(tracked, HEADER, people_3d(tracked, standing(0))).markers


def test_label_texts_replace_the_track_ids_of_labels_only():
    markers = maker()
    markers.on_plane(people(1, 5), HEADER, CAMERA)
    array = markers.on_plane(people(5, 9), HEADER, CAMERA)
    set_label_texts(array, {5: "5 standing", 9: "9"})
    added = [m for m in array.markers if m.action == Marker.ADD]
    assert {m.id: m.text for m in added if m.ns == "labels"} == {5: "5 standing", 9: "9"}
    assert all(m.text == "" for m in array.markers if m.ns != "labels" or m not in added)
