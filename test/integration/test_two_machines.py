"""Camera and node on different machines: two network namespaces and a virtual link."""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import ros_driver

from poseflow_ros.bench.processes import executable, start

pytestmark = pytest.mark.slow

ADDRESSES = {"camera": "10.77.0.1", "robot": "10.77.0.2"}  # inside the namespaces only
CUT_S = 5.0
# What was under way when the wire was cut is over after this.
UNDER_WAY_S = 1.0
PATIENCE_S = 180.0
HEIGHT, WIDTH = 576, 768

# Two machines share no memory, and what this one's shell has set is not for them.
ENVIRONMENT = {"ROS_DOMAIN_ID": "1", "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}
NOT_HERE = ["FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE", "CYCLONEDDS_URI",
            "ROS_DISCOVERY_SERVER", "ROS_LOCALHOST_ONLY"]  # fmt: skip
MULTICAST = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "ROS_STATIC_PEERS": ""}
NAMED_PEERS = {
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    "ROS_STATIC_PEERS": ";".join(ADDRESSES.values()),
}

OPERATOR = """
import json

from poseflow_msgs.msg import TrackedPoseArray
from ros_driver import Driver

from poseflow_ros.ros_data.header import seconds

def tell(array):
    print(json.dumps({
        "stamp_s": seconds(array.header.stamp), "epoch": array.epoch,
        "sequence": array.sequence, "people": len(array.poses),
    }), flush=True)

driver = Driver(None)
driver.node.create_subscription(TrackedPoseArray, "/poseflow/tracked_poses", tell, 10)
assert driver.change("configure") and driver.change("activate")
driver.spin(300)
"""

COMPRESSED_CAMERA = """
import itertools, time

import cv2
import rclpy
from sensor_msgs.msg import CompressedImage

from poseflow_ros.imaging.video import open_source

rclpy.init()
node = rclpy.create_node("camera")
video = node.declare_parameter("video", "").value
publisher = node.create_publisher(CompressedImage, "image", 5)
for image, _ in itertools.chain.from_iterable(open_source(video) for _ in itertools.count()):
    jpeg = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
    message = CompressedImage(format="jpeg", data=jpeg)
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)
    time.sleep(0.1)
"""


def ip(*words):
    """Run `ip`; return what it prints."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def need(*words):
    """Run `ip` for what not every machine permits; skip with its reason."""
    try:
        ip(*words)
    except FileNotFoundError:
        pytest.skip("there is no command ip (package iproute2)")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"ip {' '.join(words)}: {error.stderr.strip()}")


@dataclass(frozen=True)
class Machine:
    """A network namespace with one end of the wire in it."""

    name: str
    stack: ExitStack

    def start(self, command, *parameters, stdout=None):
        inside = ["ip", "netns", "exec", self.name, *command]
        return start(self.stack, inside, "/", parameters, stdout)

    def wire(self, *words):
        ip("-n", self.name, "link", "set", "wire", *words)

    def has_carrier(self):
        (wire,) = json.loads(ip("-n", self.name, "-j", "link", "show", "wire"))
        return wire["operstate"] == "UP"

    def received_bytes(self):
        (wire,) = json.loads(ip("-n", self.name, "-s", "-j", "link", "show", "wire"))
        return wire["stats64"]["rx"]["bytes"]


@pytest.fixture
def machines(monkeypatch):
    """Two machines, each with `lo` and one end of a wire."""
    for name in NOT_HERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(ros_driver.__file__).parent), prepend=os.pathsep)
    with ExitStack() as stack:
        camera, robot = (Machine(f"poseflow_{name}_{os.getpid()}", stack) for name in ADDRESSES)
        for machine in (camera, robot):
            need("netns", "add", machine.name)
            stack.callback(ip, "netns", "del", machine.name)
        need("link", "add", "wire", "netns", camera.name, "type", "veth",
             "peer", "wire", "netns", robot.name)  # fmt: skip
        for machine, address in zip((camera, robot), ADDRESSES.values(), strict=True):
            ip("-n", machine.name, "address", "add", f"{address}/24", "dev", "wire")
            ip("-n", machine.name, "link", "set", "lo", "up")
            machine.wire("up")
        # Fast DDS ignores an interface that has no carrier when a participant is created.
        until(lambda: camera.has_carrier() and robot.has_carrier(), "carrier on the wire", [])
        yield camera, robot


def multicasts(process):
    """How many multicast packets the machine of a process has sent."""
    lines = Path(f"/proc/{process.pid}/net/netstat").read_text().splitlines()
    names, counts = (line.split() for line in lines if line.startswith("IpExt:"))
    return int(counts[names.index("OutMcastPkts")])


def until(condition, what, processes):
    """Wait until the condition holds; fail where it never does or a process has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert [process.poll() for process in processes] == [None] * len(processes)
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for {what}"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("discovery", "transport", "image_bytes"),
    [
        pytest.param(MULTICAST, "raw", 3 * HEIGHT * WIDTH, id="raw images, multicast"),
        pytest.param(NAMED_PEERS, "compressed", 20_000, id="compressed images, named peers"),
    ],
)
def test_poses_are_received_over_a_link_and_after_its_interruption(
    machines, monkeypatch, tmp_path, sample_video, discovery, transport, image_bytes
):
    for name, value in (ENVIRONMENT | discovery).items():
        monkeypatch.setenv(name, value)
    camera, robot = machines
    compressed = [sys.executable, "-c", COMPRESSED_CAMERA]
    source = executable("video_publisher") if transport == "raw" else compressed
    record = tmp_path / "heard.jsonl"

    def heard(since_s=0.0):
        arrays = [json.loads(line) for line in record.read_text().split("\n")[:-1]]
        return [array for array in arrays if array["stamp_s"] > since_s]

    def with_people(since_s=0.0):
        return sum(array["people"] > 0 for array in heard(since_s))

    with record.open("w") as file:
        processes = [
            robot.start(executable("poseflow_node"), "estimator.name:=movenet",
                        f"cameras.image_transport:={transport}"),
            camera.start(source, f"video:={sample_video}", "loop:=true"),
            camera.start([sys.executable, "-c", OPERATOR], stdout=file.fileno()),
        ]  # fmt: skip

    until(lambda: with_people() >= 10, "poses", processes)
    assert robot.received_bytes() >= len(heard()) * image_bytes
    assert (multicasts(processes[0]) > 0) == (discovery is MULTICAST)

    camera.wire("down")
    time.sleep(UNDER_WAY_S)
    before = heard()
    time.sleep(CUT_S - UNDER_WAY_S)
    assert heard() == before
    camera.wire("up")
    restored_s = time.time()

    until(lambda: with_people(restored_s) >= 10, "poses after the cut", processes)
    assert len({array["epoch"] for array in heard()}) == 1
    sequence = [array["sequence"] for array in heard()]
    assert sequence == sorted(set(sequence))
