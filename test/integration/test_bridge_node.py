"""The bridge node over DDS: tracked poses in, the messages of other packages out."""

import sys

import interface_packages
import numpy as np
import pytest
from bodies import LEFT, image_of, raised_arm, standing, waving_arm
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PointStamped, PoseStamped, TwistStamped
from pose_messages import FRAME, poses_message
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray
from poseflow_msgs.srv import Follow
from visualization_msgs.msg import ImageMarker

from poseflow_ros.skeletons.coco17 import COCO_17

NODE = "/bridge"
LOST, REMOVED = TrackedPose.STATE_LOST, TrackedPose.STATE_REMOVED
LONG_S = 60.0


@pytest.fixture(scope="module")
def other_packages(tmp_path_factory):
    """The packages of the messages are importable."""
    interface_packages.use(interface_packages.build(tmp_path_factory.mktemp("interfaces")))


def person(track_id, position=(0.0, 1.0, 4.0), body=None):
    """Return a track with its image and its 3D keypoints."""
    body = standing() if body is None else body
    return track_id, image_of(body, position), body + np.asarray(position)


class Stream:
    """An active bridge, and the images that it receives."""

    def __init__(self, driver, start, formats, parameters=None, camera=""):
        start({"outputs.formats": formats, "outputs.silence_s": LONG_S} | (parameters or {}))
        assert driver.change("configure", NODE)
        assert driver.change("activate", NODE)
        self.driver, self.camera, self.index = driver, camera, 0
        self._publisher = driver.node.create_publisher(TrackedPoseArray, "tracked_poses", 10)
        driver.until(lambda: self._publisher.get_subscription_count() > 0, "the bridge")

    def listen(self, message_type, topic):
        """Return a list of the messages of a topic that the bridge publishes.

        The topic of a camera with a name exists from its first image on.
        """
        heard = self.driver.listen(message_type, topic)
        if topic.startswith(f"{NODE}/") and "followed" not in topic:
            self.send(depth=True)
        self.driver.until(lambda: self.driver.node.count_publishers(topic) > 0, topic)
        self.driver.wait_until_known_to(NODE)
        heard.clear()
        return heard

    def send(self, *people, depth=True, **options):
        """Publish an image of these people; return the message."""
        options = {"camera": self.camera, "depth": depth} | options
        message = poses_message(people, self.index, **options)
        self._publisher.publish(message)
        self.index += 1
        return message

    def answer(self, heard, *people, **options):
        """Publish an image of these people; return the message and what is heard then."""
        n = len(heard)
        message = self.send(*people, **options)
        self.driver.until(lambda: len(heard) > n, "an answer")
        return message, heard[-1]


@pytest.fixture
def stream(driver, start_bridge_node, other_packages):
    """A function that starts an active bridge."""
    return lambda *args, **kwargs: Stream(driver, start_bridge_node, *args, **kwargs)


@pytest.mark.parametrize(
    ("format_", "package"),
    [("hri", "hri_msgs"), ("vision", "vision_msgs"), ("people", "people_msgs"),
     ("foxglove", "foxglove_msgs"), ("follow", "tf2_msgs")],
)  # fmt: skip
def test_a_missing_package_is_one_line(
    driver, start_bridge_node, monkeypatch, capfd, format_, package
):
    for name in (package, f"{package}.msg"):
        monkeypatch.setitem(sys.modules, name, None)
    start_bridge_node({"outputs.formats": ["image_marker", format_]})
    assert not driver.change("configure", NODE)
    assert driver.state(NODE) == "unconfigured"
    error = capfd.readouterr().err
    assert f"cannot configure: {package} is not installed" in error
    assert f"apt install ros-$ROS_DISTRO-{package.replace('_', '-')}" in error
    assert "Traceback" not in error


def test_an_image_marker_has_the_lines_of_everybody(driver, start_bridge_node):
    stream = Stream(driver, start_bridge_node, ["image_marker"])
    heard = stream.listen(ImageMarker, "/bridge/image_marker")
    hidden = person(7)
    hidden[1][:11, 2] = 0.1  # only the legs are shown
    message, marker = stream.answer(heard, person(3), hidden)
    assert marker.header == message.header
    assert (marker.type, marker.action) == (ImageMarker.LINE_LIST, ImageMarker.ADD)
    n_edges = len(marker.outline_colors)
    assert len(marker.points) == 2 * n_edges
    # All edges of one person; both shins, both thighs and the hips of the other.
    assert n_edges == len(COCO_17.edges) + 5
    corners = {(round(p.x, 2), round(p.y, 2)) for p in marker.points}
    assert {(round(x, 2), round(y, 2)) for x, y in person(3)[1][:, :2].tolist()} <= corners
    assert len({(c.r, c.g, c.b) for c in marker.outline_colors}) == 2
    message, marker = stream.answer(heard)
    assert (marker.header, list(marker.points)) == (message.header, [])


@pytest.mark.slow
def test_a_body_has_region_skeleton_posture_gesture_position_and_frame(stream):
    from hri_msgs.msg import (
        BodyPosture,
        Gesture,
        IdsList,
        NormalizedRegionOfInterest2D,
        Skeleton2D,
    )
    from tf2_msgs.msg import TFMessage

    bridge = stream(["hri"])
    tracked = bridge.listen(IdsList, "/humans/bodies/tracked")
    message, ids = bridge.answer(tracked, person(4, body=raised_arm(standing(), LEFT)))
    assert (ids.header, list(ids.ids)) == (message.header, ["b0_4"])
    types = {
        "roi": NormalizedRegionOfInterest2D, "skeleton2d": Skeleton2D, "posture": BodyPosture,
        "gesture": Gesture, "position": PointStamped, "velocity": TwistStamped,
    }  # fmt: skip
    heard = {name: bridge.listen(t, f"/humans/bodies/b0_4/{name}") for name, t in types.items()}
    frames = bridge.listen(TFMessage, "/tf")
    track_id, image, points = person(4, body=raised_arm(standing(), LEFT))
    for _ in range(8):  # until the gesture is held
        message, _ = bridge.answer(tracked, (track_id, image, points))
    bridge.driver.until(lambda: len(frames) == 8 and all(map(len, heard.values())), "the body")
    last = message.header
    bridge.driver.until(lambda: all(x[-1].header == last for x in heard.values()), "the last")
    assert heard["posture"][-1].posture == BodyPosture.STANDING
    assert heard["gesture"][-1].gesture == Gesture.LEFT_HAND_RAISED
    shares = (image[:, :2] + 0.5) / (640, 480)
    roi = heard["roi"][-1]
    low, high = shares.min(axis=0), shares.max(axis=0)
    np.testing.assert_allclose([roi.xmin, roi.ymin], low, atol=1e-5)
    np.testing.assert_allclose([roi.xmax, roi.ymax], high, atol=1e-5)
    assert roi.c == 0.75
    skeleton = [(p.x, p.y) for p in heard["skeleton2d"][-1].skeleton]
    assert len(skeleton) == 18
    # REP 155: 0 nose, 1 neck, 2 right shoulder, 7 left wrist, 10 right ankle, 14 left eye.
    for place, expected in (
        (0, shares[0]), (1, shares[5:7].mean(axis=0)), (2, shares[6]), (7, shares[9]),
        (10, shares[16]), (14, shares[1]),
    ):  # fmt: skip
        np.testing.assert_allclose(skeleton[place], expected, atol=1e-5)
    point = heard["position"][-1].point
    np.testing.assert_allclose([point.x, point.y, point.z], points.mean(axis=0), atol=1e-5)
    assert heard["velocity"][-1].twist.linear.z == -0.25
    (transform,) = frames[-1].transforms
    assert (transform.header.frame_id, transform.child_frame_id) == (FRAME, "body_b0_4")
    origin = transform.transform.translation
    np.testing.assert_allclose(
        [origin.x, origin.y, origin.z], points[11:13].mean(axis=0), atol=1e-5
    )


@pytest.mark.slow
def test_without_depth_a_body_has_no_position(stream):
    from hri_msgs.msg import IdsList

    bridge = stream(["hri"])
    tracked = bridge.listen(IdsList, "/humans/bodies/tracked")
    bridge.answer(tracked, person(4)[:2], depth=False)
    positions = bridge.listen(PointStamped, "/humans/bodies/b0_4/position")
    for _ in range(3):
        _, ids = bridge.answer(tracked, person(4)[:2], depth=False)
    assert list(ids.ids) == ["b0_4"]
    assert positions == []


@pytest.mark.slow
def test_a_person_who_leaves_and_returns_keeps_the_body(stream):
    from hri_msgs.msg import IdsList, Skeleton2D

    bridge = stream(["hri"])
    tracked = bridge.listen(IdsList, "/humans/bodies/tracked")
    _, ids = bridge.answer(tracked, person(4), person(9, (1.0, 1.0, 4.0)))
    assert sorted(ids.ids) == ["b0_4", "b0_9"]
    skeletons = bridge.listen(Skeleton2D, "/humans/bodies/b0_4/skeleton2d")
    others = person(9, (1.0, 1.0, 4.0))
    _, ids = bridge.answer(tracked, person(4), others, states={4: LOST})
    assert list(ids.ids) == ["b0_9"]
    _, ids = bridge.answer(tracked, others)  # lost tracks need not be published
    assert list(ids.ids) == ["b0_9"]
    message, ids = bridge.answer(tracked, person(4), others)
    assert sorted(ids.ids) == ["b0_4", "b0_9"]
    # On the same topic; nothing of the images in which the person was lost.
    bridge.driver.until(lambda: skeletons[-1:] and skeletons[-1].header == message.header, "it")
    first_ns = poses_message([], 0).header.stamp
    assert {s.header.stamp.nanosec for s in skeletons[:-1]} <= {first_ns.nanosec}
    _, ids = bridge.answer(tracked, person(4), others, states={4: REMOVED})
    assert list(ids.ids) == ["b0_9"]
    topic = "/humans/bodies/b0_4/skeleton2d"
    bridge.driver.until(lambda: not bridge.driver.node.count_publishers(topic), "the body's end")


@pytest.mark.slow
def test_bodies_of_an_earlier_epoch_end(stream):
    from hri_msgs.msg import IdsList

    bridge = stream(["hri"], camera="front")
    tracked = bridge.listen(IdsList, "/humans/bodies/tracked")
    _, ids = bridge.answer(tracked, person(4), epoch=1)
    assert list(ids.ids) == ["b_front_1_4"]
    bridge.send(person(4), epoch=2)
    bridge.driver.until(lambda: list(tracked[-1].ids) == ["b_front_2_4"], "the new body")
    node, topic = bridge.driver.node, "/humans/bodies/b_front_1_4/roi"
    bridge.driver.until(lambda: not node.count_publishers(topic), "the body's end")


@pytest.mark.slow
def test_the_bodies_end_when_the_tracker_starts_again(stream):
    from hri_msgs.msg import IdsList

    bridge = stream(["hri"])
    tracked = bridge.listen(IdsList, "/humans/bodies/tracked")
    bridge.answer(tracked, person(4), sequence=50)
    bridge.send(person(4), sequence=0)
    bridge.driver.until(lambda: len(tracked) >= 3, "the end and the beginning")
    assert [list(ids.ids) for ids in tracked[-3:]] == [["b0_4"], [], ["b0_4"]]


@pytest.mark.slow
def test_the_bodies_of_a_camera_that_stops_are_no_longer_tracked(stream):
    from hri_msgs.msg import IdsList

    bridge = stream(["hri"], {"outputs.silence_s": 0.5})
    tracked = bridge.listen(IdsList, "/humans/bodies/tracked")
    bridge.answer(tracked, person(4))
    bridge.driver.until(lambda: list(tracked[-1].ids) == [], "an empty list")
    _, ids = bridge.answer(tracked, person(4))
    assert list(ids.ids) == ["b0_4"]


@pytest.mark.slow
def test_deactivation_ends_all_bodies(stream):
    from hri_msgs.msg import IdsList

    bridge = stream(["hri"])
    tracked = bridge.listen(IdsList, "/humans/bodies/tracked")
    bridge.answer(tracked, person(4))
    assert bridge.driver.change("deactivate", NODE)
    bridge.driver.until(lambda: list(tracked[-1].ids) == [], "an empty list")
    node = bridge.driver.node
    bridge.driver.until(lambda: not node.count_publishers("/humans/bodies/b0_4/roi"), "the end")


@pytest.mark.slow
def test_detections_have_boxes_ids_and_scores(stream):
    from vision_msgs.msg import Detection2DArray, Detection3DArray

    bridge = stream(["vision"])
    flat = bridge.listen(Detection2DArray, "/bridge/detections")
    solid = bridge.listen(Detection3DArray, "/bridge/detections_3d")
    _, image, points = person(4)
    message, array = bridge.answer(flat, person(4), person(5), states={5: LOST})
    (detection,) = array.detections
    assert (array.header, detection.header, detection.id) == (message.header, message.header, "4")
    low, high = image[:, :2].min(axis=0), image[:, :2].max(axis=0)
    center = detection.bbox.center.position
    np.testing.assert_allclose([center.x, center.y], (low + high) / 2, atol=1e-3)
    size = [detection.bbox.size_x, detection.bbox.size_y]
    np.testing.assert_allclose(size, high - low, atol=1e-3)
    (result,) = detection.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ("person", 0.75)
    bridge.driver.until(lambda: solid, "3D detections")
    (box,) = solid[-1].detections
    assert (box.id, box.header.frame_id) == ("4", FRAME)
    place, size = box.bbox.center.position, box.bbox.size
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose([place.x, place.y, place.z], (low + high) / 2, atol=1e-5)
    np.testing.assert_allclose([size.x, size.y, size.z], high - low, atol=1e-5)


@pytest.mark.slow
def test_people_have_positions_velocities_and_behaviors(stream):
    import people_msgs.msg

    bridge = stream(["people"])
    heard = bridge.listen(people_msgs.msg.People, "/bridge/people")
    nowhere = person(5)[:2]
    for _ in range(8):  # until the posture is held
        message, people = bridge.answer(heard, person(4), nowhere)
    assert (people.header.stamp, people.header.frame_id) == (message.header.stamp, FRAME)
    (found,) = people.people
    assert found.name == "0_4"
    place = person(4)[2].mean(axis=0)
    np.testing.assert_allclose([found.position.x, found.position.z], place[[0, 2]], atol=1e-5)
    assert (found.velocity.x, found.velocity.z) == (0.5, -0.25)
    assert found.reliability == 0.75
    assert "standing" in found.tags
    assert list(found.tagnames) == ["behavior"] * len(found.tags)


@pytest.mark.slow
def test_annotations_are_half_a_pixel_from_ours(stream):
    from foxglove_msgs.msg import ImageAnnotations, PointsAnnotation

    bridge = stream(["foxglove"])
    heard = bridge.listen(ImageAnnotations, "/bridge/image_annotations")
    message, annotations = bridge.answer(heard, person(4))
    (lines,) = annotations.points
    assert (lines.timestamp, lines.type) == (message.header.stamp, PointsAnnotation.LINE_LIST)
    corners = {(round(p.x - 0.5, 2), round(p.y - 0.5, 2)) for p in lines.points}
    assert corners == {(round(x, 2), round(y, 2)) for x, y in person(4)[1][:, :2].tolist()}
    (label,) = annotations.texts
    assert label.text == "4"


NEAR, FAR = (0.0, 1.0, 2.0), (1.0, 1.0, 5.0)


def follow(bridge, **request):
    return bridge.driver.call(Follow, f"{NODE}/follow", **request)


@pytest.mark.slow
def test_a_requested_person_is_followed_until_the_track_ends(stream):
    from tf2_msgs.msg import TFMessage

    bridge = stream(["follow", "image_marker"])
    markers = bridge.listen(ImageMarker, "/bridge/image_marker")
    poses = bridge.listen(PoseStamped, "/bridge/followed_pose")
    frames = bridge.listen(TFMessage, "/tf")
    refused = follow(bridge, track_id=9)
    assert (refused.success, refused.message) == (
        False,
        "person 9 is not tracked; tracked: nobody",
    )
    bridge.answer(markers, person(4, NEAR), person(9, FAR))
    assert poses == []
    refused = follow(bridge, track_id=7)
    assert refused.message == "person 7 is not tracked; tracked: person 4, person 9"
    assert follow(bridge, track_id=9).success
    message, pose = bridge.answer(poses, person(4, NEAR), person(9, FAR))
    assert (pose.header.stamp, pose.header.frame_id) == (message.header.stamp, FRAME)
    hips = person(9, FAR)[2][11:13].mean(axis=0)
    place = pose.pose.position
    np.testing.assert_allclose([place.x, place.y, place.z], hips, atol=1e-5)
    bridge.driver.until(lambda: frames, "a TF frame")
    assert frames[-1].transforms[0].child_frame_id == "followed_person"
    n = len(poses)
    for state in (LOST, REMOVED):
        bridge.answer(markers, person(4, NEAR), person(9, FAR), states={9: state})
    bridge.answer(markers, person(4, NEAR), person(9, FAR))
    bridge.driver.spin(0.2)
    assert len(poses) == n


@pytest.mark.slow
def test_the_nearest_person_is_followed_and_kept(stream):
    bridge = stream(["follow"], {"follow.select": "nearest"})
    poses = bridge.listen(PoseStamped, "/bridge/followed_pose")
    _, pose = bridge.answer(poses, person(4, FAR), person(9, NEAR))
    assert pose.pose.position.z == pytest.approx(NEAR[2])
    # Somebody who comes nearer does not take over.
    _, pose = bridge.answer(poses, person(4, (0.0, 1.0, 1.5)), person(9, NEAR))
    assert pose.pose.position.z == pytest.approx(NEAR[2])
    people = person(4, FAR), person(9, NEAR)
    _, pose = bridge.answer(poses, *people, states={9: REMOVED})
    assert pose.pose.position.z == pytest.approx(FAR[2])


@pytest.mark.slow
def test_the_person_who_waves_is_followed(stream):
    bridge = stream(["follow", "image_marker"], {"follow.select": "waving"})
    markers = bridge.listen(ImageMarker, "/bridge/image_marker")
    poses = bridge.listen(PoseStamped, "/bridge/followed_pose")
    for i in range(40):
        angle = 0.6 * np.sin(2 * np.pi * 1.5 * i / 10)
        waving = person(9, FAR, waving_arm(standing(), LEFT, angle))
        bridge.answer(markers, person(4, NEAR), waving)
    bridge.driver.until(lambda: poses, "a pose")
    assert poses[-1].pose.position.z == pytest.approx(FAR[2])


@pytest.mark.slow
def test_two_people_who_cross_keep_their_names_in_every_format(stream):
    import people_msgs.msg
    from hri_msgs.msg import IdsList
    from vision_msgs.msg import Detection2DArray

    bridge = stream(["hri", "vision", "people", "follow"])
    tracked = bridge.listen(IdsList, "/humans/bodies/tracked")
    detections = bridge.listen(Detection2DArray, "/bridge/detections")
    people = bridge.listen(people_msgs.msg.People, "/bridge/people")
    poses = bridge.listen(PoseStamped, "/bridge/followed_pose")
    bridge.answer(people, person(4, (-1.0, 1.0, 4.0)), person(9, (1.0, 1.0, 4.0)))
    assert follow(bridge, track_id=4).success
    where = bridge.listen(PointStamped, "/humans/bodies/b0_4/position")
    for i in range(1, 21):
        x = -1.0 + 0.1 * i
        bridge.answer(poses, person(4, (x, 1.0, 4.0)), person(9, (-x, 1.0, 4.2)))
        assert poses[-1].pose.position.x == pytest.approx(x)

    def with_people():
        return [array for array in detections if array.detections]

    bridge.driver.until(lambda: len(people) == len(with_people()) == 21, "all")
    assert sorted(tracked[-1].ids) == ["b0_4", "b0_9"]
    bridge.driver.until(lambda: len(where) == 20, "all positions")
    np.testing.assert_allclose(np.diff([p.point.x for p in where]), 0.1, atol=1e-4)
    ours = [
        [each.bbox.center.position.x for each in array.detections if each.id == "4"]
        for array in with_people()
    ]
    assert np.all(np.diff(np.array(ours)[:, 0]) > 0)
    named = [[p.position.x for p in array.people if p.name == "0_4"] for array in people]
    assert np.all(np.diff(np.array(named)[:, 0]) > 0)


def test_invalid_poses_are_reported_and_the_node_lives(driver, start_bridge_node):
    stream = Stream(driver, start_bridge_node, ["image_marker"])
    heard = stream.listen(ImageMarker, "/bridge/image_marker")
    diagnostics = stream.listen(DiagnosticArray, "/diagnostics")
    track_id, image, _ = person(4)
    stream.send((track_id, image[:14]), (5, image), depth=False)

    def latest():
        statuses = [s for message in diagnostics for s in message.status if "bridge" in s.name]
        return statuses[-1] if statuses else DiagnosticStatus()

    driver.until(lambda: latest().level == DiagnosticStatus.WARN, "a warning")
    assert latest().message == "people must have equal numbers of keypoints, got [14, 17]"
    stream.answer(heard, person(4))
    driver.until(lambda: latest().level == DiagnosticStatus.OK, "recovery")
