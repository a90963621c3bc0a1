"""The outputs of the active node for each image."""

import math
import re
import threading

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from poseflow_msgs.msg import SkeletonDefinition, TrackedPose, TrackedPoseArray
from rcl_interfaces.srv import GetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from ros_driver import PATIENCE_S, stamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker, MarkerArray

import poseflow_ros.ros.node as node_module
import poseflow_ros.ros.outputs.camera_outputs as outputs_module
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.ros.video_publisher import camera_info
from poseflow_ros.skeletons.coco17 import COCO_17

BLANK = np.zeros((120, 160, 3), np.uint8)
POSES = "/poseflow/tracked_poses"
# The classic association confirms every person at the first observation.
AT_FIRST_SIGHT = {"movenet__input_size": 512, "tracker__association": "classic"}


def diagnosed(heard):
    """Return the newest values of the camera's status."""
    values = {}
    for array in heard:
        for status in array.status:
            if status.name == "/poseflow: camera":
                values = {v.key: v.value for v in status.values} | {"message": status.message}
    return values


def wait_for_drops(driver, node, reason, n):
    """Wait until so many images were dropped for this reason."""
    # Not from the topic, which tells once a second.
    driver.until(
        lambda: node.cameras[""].statistics.values().get(f"dropped: {reason}") == str(n),
        f"{n} {reason}",
    )


def publish_each(driver, camera, images, heard, start_s=1.0):
    """Publish images 0.1 s apart by their stamps, each after the answer to the one before."""
    for i, image in enumerate(images):
        before = len(heard)
        camera.publish(stamped(image, start_s + 0.1 * i))
        driver.until(lambda n=before: len(heard) > n, f"the answer to image {i}")


def test_people_are_published_as_messages(driver, active_node, pedestrians):
    active_node(**AT_FIRST_SIGHT)
    heard = driver.listen(TrackedPoseArray, POSES)
    publish_each(driver, driver.camera(), pedestrians[:4], heard)
    last = heard[-1]
    assert (last.header.frame_id, last.header.stamp.sec) == ("camera", 1)
    assert last.header.stamp.nanosec == 300_000_000
    assert (last.image_width, last.image_height) == (768, 576)
    assert (last.skeleton, last.camera, last.frame_3d, last.epoch) == ("coco17", "", "", 1)
    assert [array.sequence for array in heard] == [0, 1, 2, 3]
    assert len(last.poses) >= 3
    assert len({person.track_id for person in last.poses}) == len(last.poses)
    first_ids = {person.track_id for person in heard[0].poses}
    assert first_ids & {person.track_id for person in last.poses}
    for person in last.poses:
        assert person.state == TrackedPose.STATE_CONFIRMED
        assert len(person.keypoints) == 17
        assert 0.2 <= person.score <= 1
        assert all(0 <= keypoint.score <= 1 for keypoint in person.keypoints)
        x1, y1, x2, y2 = person.box
        assert -10 < x1 < x2 < 778 and -10 < y1 < y2 < 586
        assert not person.keypoints_3d
        assert math.isnan(person.position.x) and math.isnan(person.velocity_3d.z)


def test_image_without_people_gives_an_empty_array(driver, active_node):
    active_node()
    heard = driver.listen(TrackedPoseArray, POSES)
    publish_each(driver, driver.camera(), [BLANK, BLANK], heard)
    assert [len(array.poses) for array in heard] == [0, 0]


def test_the_skeleton_is_latched(driver, active_node):
    active_node()
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    heard = driver.listen(SkeletonDefinition, "/poseflow/skeleton", latched)
    driver.until(lambda: heard, "the skeleton")
    assert heard[0].name == "coco17"
    assert tuple(heard[0].keypoint_names) == COCO_17.keypoint_names
    assert len(heard[0].edges) == 2 * len(COCO_17.edges)


MALFORMED = [
    pytest.param({"data": b""}, "data", id="no data"),
    pytest.param({"data": bytes(100)}, "100", id="data too short"),
    pytest.param({"encoding": "bgr9"}, "bgr9", id="unknown encoding"),
    pytest.param({"height": 0}, "0", id="zero pixels"),
    pytest.param({"step": 7}, "7", id="step shorter than a row"),
]


@pytest.mark.parametrize(("fields", "said"), MALFORMED)
def test_malformed_image_is_dropped_and_the_node_continues(
    driver, active_node, fields, said, capfd
):
    node = active_node()
    heard = driver.listen(TrackedPoseArray, POSES)
    diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
    camera = driver.camera()
    publish_each(driver, camera, [BLANK], heard)
    for n in range(1, 4):
        bad = stamped(BLANK, 1.5)
        for name, value in fields.items():
            setattr(bad, name, value)
        camera.publish(bad)
        wait_for_drops(driver, node, "malformed", n)
    publish_each(driver, camera, [BLANK], heard, start_s=2.0)
    assert [array.sequence for array in heard] == [0, 1]
    assert heard[-1].dropped_since_last == 3
    driver.until(lambda: diagnosed(diagnostics).get("processed") == "2", "diagnostics")
    assert diagnosed(diagnostics)["dropped: malformed"] == "3"
    lines = [line for line in capfd.readouterr().err.splitlines() if "image dropped" in line]
    assert len(lines) == 1  # within 5 s
    assert said in lines[0]


def test_compressed_images_and_a_truncated_one(driver, active_node, capfd):
    node = active_node(cameras__image_transport="compressed")
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = driver.camera(CompressedImage)
    jpeg = cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes()
    png = cv2.imencode(".png", BLANK)[1].tobytes()
    for i, (name, data) in enumerate([("jpeg", jpeg), ("jpeg", jpeg[:-50]), ("png", png)]):
        message = CompressedImage(format=name, data=data)
        message.header.stamp.sec = 1 + i
        camera.publish(message)
        done = i + 1 - (i > 0)
        driver.until(lambda n=done: len(heard) == n, "the whole images so far")
        if i == 1:
            wait_for_drops(driver, node, "malformed", 1)
    assert [array.header.stamp.sec for array in heard] == [1, 3]
    assert (heard[1].image_width, heard[1].image_height) == (160, 120)
    assert "truncated" in capfd.readouterr().err


class GatedEstimator:
    """The real estimator, whose every image waits until the test lets it through."""

    def __init__(self, estimator):
        self._estimator = estimator
        self.skeleton, self.description = estimator.skeleton, estimator.description
        self.batches, self.device_bytes = estimator.batches, estimator.device_bytes
        self.close = estimator.close
        self.entered, self.gate = threading.Semaphore(0), threading.Semaphore(0)

    def estimate_batch(self, images):
        self.entered.release()
        assert self.gate.acquire(timeout=PATIENCE_S)
        return self._estimator.estimate_batch(images)


@pytest.fixture
def gated(monkeypatch):
    made = []

    def make(config, log):
        made.append(GatedEstimator(make_estimator(config, log)))
        return made[-1]

    monkeypatch.setattr(node_module, "make_estimator", make)
    yield made
    for estimator in made:
        estimator.gate.release(1000)


def test_newest_image_is_processed_and_older_ones_are_counted_as_dropped(
    driver, active_node, gated
):
    active_node()
    heard = driver.listen(TrackedPoseArray, POSES)
    diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
    camera = driver.camera()
    camera.publish(stamped(BLANK, 1.0))
    driver.until(lambda: gated[0].entered.acquire(blocking=False), "inference of the first image")
    for i in range(1, 6):
        camera.publish(stamped(BLANK, 1.0 + i))
        driver.until(lambda n=i: diagnosed(diagnostics).get("received") == str(n + 1), "arrival")
    gated[0].gate.release(2)
    driver.until(lambda: len(heard) == 2, "two answers")
    assert [array.header.stamp.sec for array in heard] == [1, 6]
    assert sum(array.dropped_since_last for array in heard) == 4
    driver.until(lambda: diagnosed(diagnostics).get("processed") == "2", "diagnostics")
    values = diagnosed(diagnostics)
    assert (values["received"], values["dropped"]) == ("6", "4")


def test_services_and_parameters_respond_during_inference(driver, active_node, gated):
    active_node(estimator__timeout_s=0.0)  # no limit: the gate may be closed for long
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = driver.camera()
    camera.publish(stamped(BLANK, 1.0))
    driver.until(lambda: gated[0].entered.acquire(blocking=False), "inference")
    # The network is busy until the gate opens: whatever is answered, is answered meanwhile.
    assert driver.call(GetParameters, "/poseflow/get_parameters", names=["classic.num"]).values
    assert driver.call(Trigger, "/poseflow/reset").success
    assert driver.state() == "active"
    assert driver.change("deactivate")
    driver.until(lambda: camera.get_subscription_count() == 0, "the end of the old subscription")
    assert driver.change("cleanup")
    gated[0].gate.release()  # a new network is made when the old one has ended
    assert driver.change("configure")
    assert driver.change("activate")
    assert len(gated) == 2
    gated[1].gate.release()
    driver.camera().publish(stamped(BLANK, 2.0))
    driver.until(lambda: heard, "an answer of the new network")
    # An image from before the deactivation is not answered after it.
    assert [array.header.stamp.sec for array in heard] == [2]


def test_reset_drops_the_image_in_progress_and_keeps_waiting_images(driver, active_node, gated):
    node = active_node(cameras__replay=True, movenet__input_size=64)
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = driver.camera()
    for i in range(1, 4):
        camera.publish(stamped(BLANK, float(i)))
    received = node.cameras[""].statistics.values
    driver.until(lambda: received()["received"] == "3", "the images")
    driver.until(lambda: gated[0].entered.acquire(blocking=False), "inference of the first image")
    assert driver.call(Trigger, "/poseflow/reset").success
    gated[0].gate.release(3)
    driver.until(lambda: len(heard) == 2, "the images that waited")
    assert [(a.header.stamp.sec, a.epoch, a.dropped_since_last) for a in heard] == [
        (2, 2, 1), (3, 2, 0),
    ]  # fmt: skip
    wait_for_drops(driver, node, "reset", 1)


def test_estimator_error_drops_only_the_image(driver, active_node, gated, capfd):
    node = active_node()
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = driver.camera()
    gated[0].estimate_batch, estimate = lambda images: 1 / 0, gated[0].estimate_batch
    camera.publish(stamped(BLANK, 1.0))
    wait_for_drops(driver, node, "failed", 1)
    gated[0].estimate_batch = estimate
    gated[0].gate.release()
    publish_each(driver, camera, [BLANK], heard, start_s=2.0)
    assert heard[0].dropped_since_last == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("stamp_s", "epochs"),
    [
        pytest.param(3.9, [1, 2], id="the stamp goes back by more than a second"),
        pytest.param(4000.0, [1, 1], id="a long pause"),
    ],
)
def test_a_jump_back_begins_a_new_epoch(driver, active_node, stamp_s, epochs, capfd):
    active_node()
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = driver.camera()
    publish_each(driver, camera, [BLANK], heard, start_s=5.0)
    publish_each(driver, camera, [BLANK], heard, start_s=stamp_s)
    assert [array.epoch for array in heard] == epochs
    assert capfd.readouterr().err.count("tracking reset") == epochs[-1] - 1


def test_reset_starts_a_new_epoch_and_clears_the_markers(driver, active_node, pedestrians):
    active_node(movenet__input_size=512)
    heard = driver.listen(TrackedPoseArray, POSES)
    markers = driver.listen(MarkerArray, "/poseflow/markers")
    camera = driver.camera()
    publish_each(driver, camera, pedestrians[:1], heard)
    answer = driver.call(Trigger, "/poseflow/reset")
    assert answer.success and "epoch 2" in answer.message
    publish_each(driver, camera, pedestrians[1:2], heard, start_s=2.0)
    assert [array.epoch for array in heard] == [1, 2]
    assert not {p.track_id for p in heard[0].poses} & {p.track_id for p in heard[1].poses}
    driver.until(lambda: any(deletes_all(m) for m in markers), "DELETEALL")


def deletes_all(array):
    return any(marker.action == Marker.DELETEALL for marker in array.markers)


def test_markers_lie_on_the_plane_and_are_deleted_with_the_track(driver, active_node, pedestrians):
    node = active_node(**AT_FIRST_SIGHT, markers__depth_m=2.0)
    poses = driver.listen(TrackedPoseArray, POSES)
    markers = driver.listen(MarkerArray, "/poseflow/markers")
    camera = driver.camera()
    infos = driver.camera(CameraInfo, "camera_info")
    infos.publish(camera_info(stamped(BLANK, 1.0).header, (576, 768), 90.0))
    projector = node.cameras[""].projector
    driver.until(lambda: projector.calibration is not None, "the calibration")
    publish_each(driver, camera, pedestrians[:2], poses)
    driver.until(
        lambda: markers and markers[-1].markers[0].header.stamp == poses[-1].header.stamp,
        "the markers of the last image",
    )
    last = {m.id: m for m in markers[-1].markers if m.ns == "joints" and m.action == Marker.ADD}
    people = {p.track_id: p for p in poses[-1].poses}
    assert last.keys() == people.keys()
    track_id, joints = next(iter(last.items()))
    shown = [k for k in people[track_id].keypoints if k.score >= 0.2]
    assert len(joints.points) == len(shown)
    for point, keypoint in zip(joints.points, shown, strict=True):
        # 90 degrees across 768 pixels: a focal length of 384.
        assert point.x == pytest.approx((keypoint.x - 383.5) / 384 * 2.0, abs=1e-4)
        assert point.y == pytest.approx((keypoint.y - 287.5) / 384 * 2.0, abs=1e-4)
        assert point.z == 2.0
    assert driver.change("deactivate")
    driver.until(lambda: deletes_all(markers[-1]), "DELETEALL")


def test_the_annotated_image_comes_as_a_jpeg_too(driver, active_node, pedestrians):
    node = active_node(**AT_FIRST_SIGHT)
    poses = driver.listen(TrackedPoseArray, POSES)
    camera, topic = driver.camera(), "/poseflow/annotated/compressed"
    heard = driver.listen(CompressedImage, topic, qos_profile_sensor_data)
    driver.until(lambda: node.count_subscribers(topic), "the subscriber")
    publish_each(driver, camera, pedestrians[:2], poses)
    driver.until(lambda: heard, "a JPEG")
    assert heard[-1].format == "rgb8; jpeg compressed bgr8"
    assert heard[-1].header.frame_id == "camera"
    image = cv2.imdecode(np.frombuffer(heard[-1].data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert image.shape == (576, 768, 3)
    changed = np.abs(image.astype(int) - pedestrians[1]).max(axis=2) > 100
    x1, y1, x2, y2 = (round(v) for v in poses[-1].poses[0].box)
    assert changed[y1:y2, x1:x2].any()
    assert changed.mean() < 0.3


def test_annotated_image_is_published_only_with_subscribers(driver, active_node, pedestrians):
    node = active_node(**AT_FIRST_SIGHT)
    drawn = []
    draw = outputs_module.draw
    outputs_module.draw = lambda *args: drawn.append(1) or draw(*args)
    try:
        poses = driver.listen(TrackedPoseArray, POSES)
        camera = driver.camera()
        publish_each(driver, camera, pedestrians[:2], poses)
        assert not drawn
        heard = driver.listen(Image, "/poseflow/annotated", qos_profile_sensor_data)
        driver.until(lambda: node.count_subscribers("/poseflow/annotated"), "the subscriber")
        stamp_s = 2.0
        while not heard:  # best effort: the first ones may be lost
            publish_each(driver, camera, pedestrians[2:3], poses, stamp_s)
            driver.spin(0.1)
            stamp_s += 0.1
            assert stamp_s < 6
    finally:
        outputs_module.draw = draw
    assert drawn
    assert (heard[0].width, heard[0].height, heard[0].encoding) == (768, 576, "rgb8")
    image = np.frombuffer(heard[0].data, np.uint8).reshape(576, 768, 3)
    changed = (image != pedestrians[2]).any(axis=2)
    x1, y1, x2, y2 = (round(v) for v in poses[-1].poses[0].box)
    assert changed[y1:y2, x1:x2].any()
    assert changed.mean() < 0.3


@pytest.mark.parametrize("qos", [5, qos_profile_sensor_data], ids=["reliable", "best effort"])
def test_auto_reliability_receives_from_every_kind_of_publisher(driver, active_node, qos):
    active_node()
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = driver.camera(qos=qos)
    stamp_s = 1.0
    while not heard:
        camera.publish(stamped(BLANK, stamp_s))
        driver.spin(0.2)
        stamp_s += 0.1
        assert stamp_s < 6


def test_auto_reliability_follows_the_publishers(driver, active_node):
    node = active_node()

    def offered():
        (info,) = node.get_subscriptions_info_by_topic("/image")
        return info.qos_profile.reliability.name

    assert offered() == "RELIABLE"
    weak = driver.node.create_publisher(Image, "image", qos_profile_sensor_data)
    driver.until(lambda: subscribed(node, "BEST_EFFORT"), "best effort")
    driver.node.destroy_publisher(weak)
    strong = driver.node.create_publisher(Image, "image", 5)
    driver.until(lambda: subscribed(node, "RELIABLE"), "reliable again")
    driver.node.destroy_publisher(strong)


def subscribed(node, reliability):
    infos = node.get_subscriptions_info_by_topic("/image")
    return [info.qos_profile.reliability.name for info in infos] == [reliability]


SILENT = [
    # publisher, configured reliability, diagnostics text
    pytest.param(None, "auto", "the topic has no publishers", id="nobody"),
    pytest.param(
        (CompressedImage, 5), "auto",
        "/driver publishes sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image; set "
        "cameras.image_transport to compressed",
        id="another type",
    ),
    pytest.param(
        (Image, qos_profile_sensor_data), "reliable",
        "/driver offers best effort, but cameras.reliability is reliable",
        id="less than required",
    ),
    pytest.param(
        (Image, 5), "auto", "/driver is compatible but publishes nothing", id="a silent camera"
    ),
    pytest.param(
        (Image, qos_profile_sensor_data), "best_effort",
        "/driver is compatible but publishes nothing",
        id="a silent camera of best effort",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("publisher", "reliability", "said"), SILENT)
def test_silence_is_reported_in_the_diagnostics(
    publisher, reliability, said, driver, active_node, capfd
):
    if publisher is not None:
        driver.node.create_publisher(publisher[0], "image", publisher[1])
    active_node(cameras__reliability=reliability)
    diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
    driver.until(lambda: "no image" in diagnosed(diagnostics).get("message", ""), "a warning")
    line = re.compile(rf"no image on /image for \d+ s: {re.escape(said)}")
    assert line.fullmatch(diagnosed(diagnostics)["message"])
    assert len(line.findall(capfd.readouterr().err)) == 1


def test_lost_tracks_are_published_if_publish_lost_is_set(driver, active_node, pedestrians):
    active_node(**AT_FIRST_SIGHT, tracker__publish_lost=True, classic__link_len=3)
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = driver.camera()
    nobody = np.zeros_like(pedestrians[0])
    publish_each(driver, camera, [pedestrians[0], nobody, nobody, nobody, nobody], heard)
    seen = {p.track_id for p in heard[0].poses}
    states = [{p.track_id: p.state for p in array.poses} for array in heard]
    lost, removed = TrackedPose.STATE_LOST, TrackedPose.STATE_REMOVED
    assert states[1:] == [
        dict.fromkeys(seen, lost),
        dict.fromkeys(seen, lost),
        dict.fromkeys(seen, removed),
        {},
    ]
    assert heard[2].poses[0].time_since_update.nanosec == 200_000_000


def test_removed_track_is_published_once(driver, active_node, pedestrians):
    active_node(**AT_FIRST_SIGHT, classic__link_len=2)
    heard = driver.listen(TrackedPoseArray, POSES)
    nobody = np.zeros_like(pedestrians[0])
    publish_each(driver, driver.camera(), [pedestrians[0], nobody, nobody, nobody], heard)
    seen = {p.track_id for p in heard[0].poses}
    assert [len(array.poses) for array in heard[1:]] == [0, len(seen), 0]
    assert {p.track_id for p in heard[2].poses} == seen
    assert {p.state for p in heard[2].poses} == {TrackedPose.STATE_REMOVED}


def test_tentative_tracks_are_published_if_publish_tentative_is_set(
    driver, active_node, pedestrians
):
    active_node(movenet__input_size=512, tracker__publish_tentative=True)
    heard = driver.listen(TrackedPoseArray, POSES)
    publish_each(driver, driver.camera(), [pedestrians[0]] * 8, heard)
    states = [{p.track_id: p.state for p in array.poses} for array in heard]
    assert set(states[0].values()) == {TrackedPose.STATE_TENTATIVE}
    assert len(states[0]) >= 3
    assert states[-1] == dict.fromkeys(states[0], TrackedPose.STATE_CONFIRMED)


def test_tentative_tracks_are_not_published_by_default(driver, active_node, pedestrians):
    active_node(movenet__input_size=512)
    heard = driver.listen(TrackedPoseArray, POSES)
    publish_each(driver, driver.camera(), [pedestrians[0]] * 8, heard)
    assert [len(array.poses) for array in heard[:2]] == [0, 0]
    assert len(heard[-1].poses) >= 3


def publish_delayed(driver, node, images, start_s):
    """Publish images 0.1 s apart by their stamps, each once the one before is tracked."""
    camera, publisher = node.cameras[""], driver.camera()

    def tracked():
        return camera.pipeline.n_delayed + int(camera.statistics.values()["processed"])

    for i, image in enumerate(images):
        publisher.publish(stamped(image, start_s + 0.1 * i))
        driver.until(lambda n=i: tracked() > n, f"image {i}")
    return publisher


def test_delayed_frames_keep_their_stamps_and_people(driver, active_node, pedestrians):
    node = active_node(movenet__input_size=512, tracker__flow_window_s=0.7)
    heard = driver.listen(TrackedPoseArray, POSES)
    publish_delayed(driver, node, [pedestrians[0]] * 10, start_s=1.0)
    driver.until(lambda: len(heard) == 3, "the frames of 0.7 s before")
    assert [round(a.header.stamp.nanosec / 1e8) for a in heard] == [0, 1, 2]
    # Tracks that were tentative then are confirmed now.
    assert [len(array.poses) for array in heard] == [len(heard[0].poses)] * 3
    assert len(heard[0].poses) >= 3
    assert driver.call(Trigger, "/poseflow/reset").success
    values = node.cameras[""].statistics.values()
    assert (values["processed"], values["dropped: reset"]) == ("3", "7")


def test_delayed_frames_are_published_in_their_own_epoch_at_a_discontinuity(driver, active_node):
    node = active_node(movenet__input_size=64, tracker__flow_window_s=0.7)
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = publish_delayed(driver, node, [BLANK] * 4, start_s=11.0)
    assert not heard
    camera.publish(stamped(BLANK, 1.0))
    driver.until(lambda: len(heard) == 4, "the frames from before the stamp went back")
    assert [(array.epoch, array.header.stamp.sec) for array in heard] == [(1, 11)] * 4
    assert [array.dropped_since_last for array in heard] == [0] * 4
