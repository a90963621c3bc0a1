"""The executables as separate processes over DDS, also with another DDS implementation."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import DiagnosticArray
from poseflow_msgs.msg import TrackedPoseArray
from ros_driver import PATIENCE_S

from poseflow_ros.imaging.video import VideoWriter

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "config" / "fastdds_large_images.xml"


@pytest.mark.skipif(
    Path(get_package_prefix("poseflow_ros")) != ROOT / "install" / "poseflow_ros",
    reason="another installation than the checkout's own is sourced",
)
def test_overlay_links_to_the_sources(tmp_path):
    # Where setuptools is too new colcon copies instead, and edits count no more.
    code = "import poseflow_ros; print(poseflow_ros.__file__)"
    found = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True)
    assert Path(found.strip()).resolve() == ROOT / "poseflow_ros" / "__init__.py"


@pytest.fixture
def start(driver):
    """A function that starts one of the package's executables."""
    processes = []

    def start(executable, *parameters, namespace="/", **environment):
        program = Path(get_package_prefix("poseflow_ros"), "lib", "poseflow_ros", executable)
        arguments = ["--ros-args", "-r", f"__ns:={namespace}"]
        arguments += [part for p in parameters for part in ("-p", p)]
        environment = os.environ | {"ROS_DOMAIN_ID": str(driver.domain_id)} | environment
        process = subprocess.Popen(
            [program, *arguments], env=environment, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def film(path, width, height):
    """Write 20 frames at 10 Hz with nobody in them; return the path."""
    rng = np.random.default_rng(0)
    background = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    with VideoWriter(path, 10.0) as writer:
        for _ in range(20):
            writer.write(background)
    return path


@pytest.fixture
def video(tmp_path):
    return film(tmp_path / "nobody.mp4", 320, 240)


def accounted_for(arrays):
    """How many images were answered, or counted as dropped before an answer."""
    return len(arrays) + sum(array.dropped_since_last for array in arrays)


@pytest.mark.slow
@pytest.mark.parametrize(
    "profile",
    [
        pytest.param({}, id="default transport"),
        pytest.param(
            {"FASTRTPS_DEFAULT_PROFILES_FILE": str(PROFILE)}, id="large images profile",
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_every_frame_of_a_video_is_processed_or_counted_as_dropped(driver, start, video, profile):
    heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses", 100)
    diagnostics = driver.listen(DiagnosticArray, "/diagnostics", 100)
    start("poseflow_node", "movenet.input_size:=64", **profile)
    assert driver.change("configure")
    assert driver.change("activate")
    publisher = start("video_publisher", f"video:={video}", **profile)

    driver.until(lambda: accounted_for(heard) == 20, "all frames")
    # On a machine that stalls several may come at once, and only the newest is worked on.
    assert len(heard) > 1
    driver.until(lambda: publisher.poll() is not None, "the publisher's end")
    said = publisher.stderr.read()
    assert publisher.returncode == 0
    assert "published 20 frames" in said
    assert [array.sequence for array in heard] == list(range(len(heard)))
    stamps = [a.header.stamp.sec + 1e-9 * a.header.stamp.nanosec for a in heard]
    assert stamps[-1] - stamps[0] > 1.5

    def published():
        name = "/video_publisher: video"
        statuses = [s for a in diagnostics for s in a.status if s.name == name]
        return [v.value for s in statuses for v in s.values if v.key == "published"]

    driver.until(lambda: "20" in published(), "the last diagnostics of the publisher")


@pytest.mark.slow
def test_two_robots_on_one_network_receive_only_their_own_messages(driver, start, tmp_path):
    sizes = {"/robot1": (320, 240), "/robot2": (256, 192)}
    heard = {}
    for robot in sizes:
        heard[robot] = driver.listen(TrackedPoseArray, f"{robot}/poseflow/tracked_poses", 100)
        start("poseflow_node", "movenet.input_size:=64", namespace=robot)
        assert driver.change("configure", f"{robot}/poseflow")
        assert driver.change("activate", f"{robot}/poseflow")
    for robot, size in sizes.items():
        video = film(tmp_path / f"{robot[1:]}.mp4", *size)
        start("video_publisher", f"video:={video}", namespace=robot)
    driver.until(lambda: all(accounted_for(arrays) == 20 for arrays in heard.values()), "frames")
    for robot, size in sizes.items():
        arrays = heard[robot]
        assert {(array.image_width, array.image_height) for array in arrays} == {size}
        assert [array.sequence for array in arrays] == list(range(len(arrays)))


def test_repeated_ctrl_c_acts_like_one(driver, start):
    # `ros2 launch` passes it on to processes that have it from the terminal already.
    node = start("poseflow_node")
    assert driver.state() == "unconfigured"
    while node.poll() is None:
        node.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert (node.returncode, node.stderr.read()) == (0, "")


@pytest.mark.slow
def test_killed_node_can_be_restarted(driver, start, video):
    profile = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(PROFILE)}
    heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses", 100)
    publisher = start("video_publisher", f"video:={video}", "loop:=true", **profile)
    known = set()

    def nodes():
        infos = driver.node.get_publishers_info_by_topic("/poseflow/transition_event")
        return {bytes(info.endpoint_gid) for info in infos}

    for _ in range(2):
        node = start(
            "poseflow_node", "movenet.input_size:=64", "estimator.name:=movenet", **profile
        )
        # A killed process is still listed for a while.
        driver.until(lambda: nodes() - known, "the new node")
        known.update(nodes())
        assert driver.change("configure") and driver.change("activate")
        heard.clear()
        driver.until(lambda: len(heard) > 3, "answers")
        node.kill()
        node.wait(10)
    assert publisher.poll() is None


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ([], "parameter video is empty"),
        (["video:=/nowhere.mp4"], "/nowhere.mp4 is not a file"),
        (["video:=/etc/passwd"], "/etc/passwd is not a video"),
        (["video:=/tmp", "rate_hz:=-1.0"], "rate_hz is -1.0, must be from 0"),
        (["video:=/tmp", "reliability:=best"], "reliability is 'best', must be one of"),
        (["video:=/tmp", "horizontal_fov_deg:=200.0"], "horizontal_fov_deg is 200.0"),
        (["video:=77"], "camera 77 cannot be opened"),
        (["video:=/tmp", "loop:=maybe"], "loop is 'maybe', must be of type bool"),
    ],
)
def test_invalid_source_ends_the_publisher_with_one_line(start, parameters, said):
    process = start("video_publisher", *parameters)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert said in stderr
    assert "Traceback" not in stderr


STRANGER = """
import json, sys, time
from dataclasses import dataclass
from cyclonedds.core import Qos, Policy
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, float32, float64, int32, sequence, uint32, uint8
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32

@dataclass
class Duration(IdlStruct, typename="builtin_interfaces::msg::dds_::Duration_"):
    sec: int32
    nanosec: uint32

@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str

@dataclass
class Point32(IdlStruct, typename="geometry_msgs::msg::dds_::Point32_"):
    x: float32
    y: float32
    z: float32

@dataclass
class Point(IdlStruct, typename="geometry_msgs::msg::dds_::Point_"):
    x: float64
    y: float64
    z: float64

@dataclass
class Vector3(IdlStruct, typename="geometry_msgs::msg::dds_::Vector3_"):
    x: float64
    y: float64
    z: float64

@dataclass
class Keypoint(IdlStruct, typename="poseflow_msgs::msg::dds_::Keypoint_"):
    x: float32
    y: float32
    score: float32

@dataclass
class Keypoint3D(IdlStruct, typename="poseflow_msgs::msg::dds_::Keypoint3D_"):
    point: Point32
    stddev: float32

@dataclass
class TrackedPose(IdlStruct, typename="poseflow_msgs::msg::dds_::TrackedPose_"):
    track_id: uint32
    state: uint8
    score: float32
    match_score: float32
    age: Duration
    time_since_update: Duration
    hits: uint32
    box: array[float32, 4]
    velocity: array[float32, 2]
    keypoints: sequence[Keypoint]
    keypoints_3d: sequence[Keypoint3D]
    position: Point
    velocity_3d: Vector3

@dataclass
class TrackedPoseArray(IdlStruct, typename="poseflow_msgs::msg::dds_::TrackedPoseArray_"):
    header: Header
    camera: str
    skeleton: str
    frame_3d: str
    image_width: uint32
    image_height: uint32
    epoch: uint32
    sequence: uint32
    dropped_since_last: uint32
    poses: sequence[TrackedPose]

participant = DomainParticipant(int(sys.argv[1]))
topic = Topic(participant, "rt/poseflow/tracked_poses", TrackedPoseArray)
reader = DataReader(participant, topic, qos=Qos(Policy.Reliability.Reliable(10**9)))
print("listening", flush=True)
while True:
    for sample in reader.take(10):
        if sample.poses:
            person = sample.poses[0]
            print(json.dumps({
                "stamp": [sample.header.stamp.sec, sample.header.stamp.nanosec],
                "skeleton": sample.skeleton, "size": [sample.image_width, sample.image_height],
                "ids": [p.track_id for p in sample.poses], "box": list(person.box),
                "keypoints": [[k.x, k.y, k.score] for k in person.keypoints],
                "hits": person.hits, "epoch": sample.epoch, "sequence": sample.sequence,
            }))
            sys.exit(0)
    time.sleep(0.02)
"""


@pytest.mark.slow
def test_other_dds_implementation_receives_tracked_poses(driver, start, sample_video):
    pytest.importorskip("cyclonedds", reason="cyclonedds is not installed")
    stranger = subprocess.Popen(
        [sys.executable, "-c", STRANGER, str(driver.domain_id)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert stranger.stdout.readline() == "listening\n"
        heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses", 100)
        start("poseflow_node")
        assert driver.change("configure")
        assert driver.change("activate")
        start("video_publisher", f"video:={sample_video}")
        driver.until(lambda: stranger.poll() is not None, "the stranger")
        assert stranger.returncode == 0
        got = json.loads(stranger.stdout.read())
    finally:
        stranger.kill()

    def same():
        return [a for a in heard if [a.header.stamp.sec, a.header.stamp.nanosec] == got["stamp"]]

    driver.until(same, "the same message")
    (ours,) = same()
    assert got["ids"] == [person.track_id for person in ours.poses]
    assert got["box"] == list(ours.poses[0].box)
    assert got["keypoints"] == [[k.x, k.y, k.score] for k in ours.poses[0].keypoints]
    assert (got["hits"], got["epoch"], got["sequence"]) == (
        ours.poses[0].hits,
        ours.epoch,
        ours.sequence,
    )
    assert (got["skeleton"], got["size"]) == ("coco17", [768, 576])
