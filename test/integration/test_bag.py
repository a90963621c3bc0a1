"""`track` on a bag gives what the node publishes for the same bag with `cameras.replay`."""

import json

import numpy as np
import pytest
import yaml
from made_bag import image_message, make_bag
from made_recording import make_detections
from poseflow_msgs.msg import SkeletonDefinition, TrackedPoseArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import Image
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
    "markers": {"depth_m": 3.0, "lifetime_s": 2.5},
}


def stamp_s(index):
    return 1.7e9 + index / 30


def sideways(index):
    """Return (160, 120) gray values of 12 bits: an upright image turned to the left."""
    noise = np.random.default_rng(0).integers(1000, 5000, (120, 160), np.uint16)
    return np.rot90(np.roll(noise, 2 * index, axis=1))


@pytest.fixture
def bag(tmp_path):
    """A bag of images, the poses in them, and parameters of one camera."""
    messages = []
    for index in range(N_IMAGES):
        message = image_message(sideways(index), stamp_s(index), "mono16", "/front_optical")
        messages.append(("/front/image", stamp_s(index) + 0.01, message))
    make_detections(tmp_path / "poses.npz", n_frames=N_IMAGES - 2)  # both are lost at the end
    parameters = {"poseflow": {"ros__parameters": PARAMETERS}}
    (tmp_path / "parameters.yaml").write_text(yaml.safe_dump(parameters))
    return make_bag(tmp_path / "bag", messages)


@pytest.fixture
def heard(bag, driver, start_node, tmp_path, monkeypatch):
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
    publisher = driver.camera(Image, "front/image", QoSProfile(depth=100))
    with Reader(bag) as reader:
        for _, _, data in reader.messages():
            publisher.publish(deserialize_message(data, Image))
    driver.until(lambda: all(len(lists[topic]) == N_IMAGES for topic in list(TOPICS)[:2]), "all")
    return lists


def test_messages_of_track_equal_those_of_the_node(bag, heard, tmp_path):
    out = {name: tmp_path / f"out.{name}" for name in ("mcap", "json")}
    options = [f"--detections={tmp_path / 'poses.npz'}", f"--bag={out['mcap']}"]
    options += [f"--params={tmp_path / 'parameters.yaml'}", f"--json={out['json']}"]
    assert main(["track", str(bag), *options]) == 0
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
