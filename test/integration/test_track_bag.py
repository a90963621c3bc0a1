"""`track` on a bag gives what the node publishes for the same bag with `cameras.replay`."""

import json

import numpy as np
import pytest
import yaml
from made_bag import camera_info_message, image_message, make_bag
from made_recording import make_detections
from poseflow_msgs.msg import SkeletonDefinition, TrackedPoseArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import MarkerArray

from poseflow_ros.__main__ import main
from poseflow_ros.estimation.recorded import RecordedPoses

N_IMAGES = 10
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
TOPICS = {
    "/poseflow/front/tracked_poses": TrackedPoseArray,
    "/poseflow/front/markers": MarkerArray,
    "/poseflow/skeleton": SkeletonDefinition,
}
PARAMETERS = {
    "cameras": {"names": ["front"], "rotate": [90], "mono16_range": [1000, 5000]},
    "tracker": {"association": "robust", "publish_tentative": True, "publish_lost": True},
    "markers": {"depth_m": 3.0, "lifetime_s": 2.5, "behaviors": True},
}


def stamp_s(index):
    return 1.7e9 + index / 30


def sideways(index):
    """Return (160, 120) gray values of 12 bits: an upright image turned to the left."""
    noise = np.random.default_rng(0).integers(1000, 5000, (120, 160), np.uint16)
    return np.rot90(np.roll(noise, 2 * index, axis=1))


def depth(index):
    """Return (160, 120) metres: a wall that comes nearer."""
    return np.full((160, 120), 5 - 0.1 * index, np.float32)


@pytest.fixture(params=[False, True], ids=["2D", "3D"])
def with_depth(request):
    """Whether the bag has depth images and a calibration."""
    return request.param


@pytest.fixture
def bag(with_depth, tmp_path):
    """A bag of images, the poses in them, and parameters of one camera."""
    messages = []
    for index in range(N_IMAGES):
        time_s, frame_id = stamp_s(index), "/front_optical"
        image = image_message(sideways(index), time_s, "mono16", frame_id)
        messages.append(("/front/image", time_s + 0.01, image))
        if with_depth:
            info = camera_info_message((160, 120), 150.0, time_s, frame_id)
            messages.append(("/front/camera_info", time_s + 0.011, info))
        if with_depth and index != 3:
            # Depth comes after its image, 4 ms apart; one is missing.
            image = image_message(depth(index), time_s + 0.004, "32FC1", frame_id)
            messages.append(("/front/depth", time_s + 0.02, image))
    make_detections(tmp_path / "poses.npz", n_frames=N_IMAGES - 2)  # both are lost at the end
    parameters = {"poseflow": {"ros__parameters": PARAMETERS}}
    (tmp_path / "parameters.yaml").write_text(yaml.safe_dump(parameters))
    return make_bag(tmp_path / "bag", messages)


@pytest.fixture
def heard(bag, with_depth, driver, start_node, tmp_path, monkeypatch):
    """Play the bag to a node; return the messages of each topic."""
    monkeypatch.setattr(
        "poseflow_ros.ros.node.make_estimator", lambda *_: RecordedPoses(tmp_path / "poses.npz")
    )
    names = {f"{p}__{n}": v for p, group in PARAMETERS.items() for n, v in group.items()}
    start_node(cameras__replay=True, **names)
    assert driver.change("configure")
    lists = {
        topic: driver.listen(kind, topic, LATCHED if "skeleton" in topic else 100)
        for topic, kind in TOPICS.items()
    }
    assert driver.change("activate")
    kinds = {"/front/image": Image}
    if with_depth:
        kinds |= {"/front/camera_info": CameraInfo, "/front/depth": Image}
    burst = QoSProfile(depth=100)
    publishers = {topic: driver.camera(kind, topic, burst) for topic, kind in kinds.items()}
    with Reader(bag) as reader:
        for connection, _, data in reader.messages():
            message = deserialize_message(data, kinds[connection.topic])
            publishers[connection.topic].publish(message)
    driver.until(lambda: all(len(lists[topic]) == N_IMAGES for topic in list(TOPICS)[:2]), "all")
    return lists


def test_messages_of_track_equal_those_of_the_node(bag, with_depth, heard, tmp_path):
    out = {name: tmp_path / f"out.{name}" for name in ("mcap", "json")}
    options = [f"--detections={tmp_path / 'poses.npz'}", f"--bag={out['mcap']}"]
    options += [f"--params={tmp_path / 'parameters.yaml'}", f"--json={out['json']}"]
    options += ["--depth=/front/depth"] if with_depth else []
    assert main(["track", str(bag), "--topic=/front/image", *options]) == 0
    written = {topic: [] for topic in TOPICS}
    with Reader(out["mcap"]) as reader:
        for connection, _, data in reader.messages():
            message = deserialize_message(data, TOPICS[connection.topic])
            written[connection.topic].append(message)
    for topic, messages in written.items():
        # In the text NaN equals NaN.
        assert [repr(message) for message in messages] == [repr(m) for m in heard[topic]], topic
    arrays = heard["/poseflow/front/tracked_poses"]
    assert {pose.state for array in arrays for pose in array.poses} >= {1, 2}
    if with_depth:
        assert {array.frame_3d for array in arrays} == {"front_optical"}
        distances_m = [pose.position.z for pose in arrays[4].poses]
        assert distances_m == pytest.approx([4.6] * len(distances_m), abs=1e-3)
        assert all(np.isnan(pose.position.z) for pose in arrays[3].poses)
    check_json(json.loads(out["json"].read_text())["frames"], arrays)


def check_json(frames, arrays):
    """Compare the frames of a JSON file with the messages of the node."""
    assert len(frames) == len(arrays)
    for frame, array in zip(frames, arrays, strict=True):
        stamp = array.header.stamp
        assert frame["stamp_s"] == round(stamp.sec + 1e-9 * stamp.nanosec, 6)
        poses = [pose for pose in array.poses if pose.state != pose.STATE_LOST]
        states = ["tentative", "confirmed"]
        assert [(p["track_id"], p["state"]) for p in frame["people"]] == [
            (pose.track_id, states[pose.state]) for pose in poses
        ]
        for person, pose in zip(frame["people"], poses, strict=True):
            assert person["score"] == pytest.approx(pose.score, abs=1e-4)
            assert person["box"] == pytest.approx(pose.box, abs=0.01)
            points = [(point.x, point.y, point.score) for point in pose.keypoints]
            np.testing.assert_allclose(person["keypoints"], points, atol=0.01)
