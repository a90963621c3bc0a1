"""`bench node` as a command: real processes over DDS, watched by one more, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from poseflow_msgs.msg import TrackedPoseArray
from sensor_msgs.msg import Image

from poseflow_ros.bench.image_stream import ImageStream
from poseflow_ros.ros.conversions import seconds

SHORT = ["--width=160", "--height=120", "--rate=10", "--seconds=3", "--input-size=64"]
N_IMAGES = 30
KEYS = {
    "published", "received", "lost", "processed", "dropped", "dropped_by_reason",
    "latency_p50_ms", "latency_p99_ms", "latency_images", "overhead_p50_ms", "overhead_p99_ms",
    "estimate_p50_ms", "track_p50_ms", "node_cpu_percent", "node_idle_cpu_percent",
}  # fmt: skip


class Command:
    """The command running, and every process that it started."""

    def __init__(self, domain_id, *arguments, program="poseflow_ros", **environment):
        self._mark = f"BENCH_NODE_TEST={uuid.uuid4()}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", program, *map(str, arguments)],
            env=os.environ | {"ROS_DOMAIN_ID": str(domain_id), name: value} | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(self):
        """Return the exit code and what was said, once it has ended."""
        out, err = self.process.communicate(timeout=90)
        return self.process.returncode, out, err

    def alive(self):
        """The command lines of what is left of it."""
        lines = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    lines.append((folder / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue  # another's, or ended meanwhile
        return lines


def topics(driver, ending):
    return [name for name, _ in driver.node.get_topic_names_and_types() if name.endswith(ending)]


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory):
    """A short reliable run, and the images and poses that another process saw of it."""
    from ros_driver import Driver

    driver = Driver(2 + os.getpid() % 90)
    path = tmp_path_factory.mktemp("bench") / "report.json"
    command = Command(driver.domain_id, "bench", "node", *SHORT, "--report", path)
    driver.until(lambda: topics(driver, "/poseflow/tracked_poses"), "the node")
    (poses_topic,) = topics(driver, "/poseflow/tracked_poses")
    images = driver.listen(Image, poses_topic.replace("poseflow/tracked_poses", "image"), 100)
    poses = []
    driver.node.create_subscription(
        TrackedPoseArray, poses_topic, lambda m: poses.append((time.time(), m)), 100
    )
    driver.until(lambda: command.process.poll() is not None, "the end")
    code, out, err = command.end()
    driver.close()
    assert code == 0, err
    return json.loads(path.read_text()), out, command, images, poses


def test_its_counts_are_those_of_a_witness(witnessed):
    figures, _, _, images, poses = witnessed
    assert figures["published"] == len(images) == N_IMAGES
    assert figures["processed"] == len(poses) > 0
    assert figures["published"] == figures["received"] + figures["lost"]
    # The publisher begins when the witness listens, at times before the node is found.
    assert 0 <= figures["lost"] < N_IMAGES
    assert figures["received"] == figures["processed"] + figures["dropped"]
    assert figures["dropped"] == sum(figures["dropped_by_reason"].values())


def test_its_latency_is_from_publishing_to_poses_after_warm_up(witnessed):
    figures, _, _, _, poses = witnessed
    stamps_s = np.array([seconds(message.header.stamp) for _, message in poses])
    seen_ms = 1e3 * (np.array([arrived_s for arrived_s, _ in poses]) - stamps_s)
    warm = stamps_s >= stamps_s[0] + 1
    assert figures["latency_images"] == warm.sum()
    assert 0 < figures["latency_p50_ms"] <= figures["latency_p99_ms"]
    # Another process hears the same poses a little sooner or later.
    assert figures["latency_p50_ms"] == pytest.approx(np.median(seen_ms[warm]), rel=0.7, abs=5)
    assert 0 < figures["estimate_p50_ms"] < figures["latency_p99_ms"]
    assert 0 < figures["overhead_p50_ms"] <= figures["overhead_p99_ms"]
    assert figures["track_p50_ms"] > 0


def test_images_change_and_are_bgr8_of_the_size(witnessed):
    _, _, _, images, _ = witnessed
    assert {(m.width, m.height, m.encoding) for m in images} == {(160, 120, "bgr8")}
    assert all(bytes(a.data) != bytes(b.data) for a, b in pairwise(images))
    gaps_s = np.diff([seconds(m.header.stamp) for m in images])
    assert np.median(gaps_s) == pytest.approx(0.1, abs=0.02)


def test_it_prints_everything_and_leaves_nothing_running(witnessed):
    figures, out, command, _, _ = witnessed
    assert figures.keys() >= KEYS
    assert all(name in out for name in KEYS - {"dropped_by_reason"})
    assert f"{figures['latency_p50_ms']}" in out
    assert (figures["width"], figures["rate_hz"], figures["input_size"]) == (160, 10, 64)
    assert command.alive() == []


def test_processor_time_is_a_share_of_one_core(witnessed):
    figures, *_ = witnessed
    assert 0 <= figures["node_idle_cpu_percent"] < figures["node_cpu_percent"]
    assert figures["node_cpu_percent"] <= 100 * os.cpu_count()


def test_best_effort_images_are_answered_too(driver, tmp_path):
    path = tmp_path / "report.json"
    command = Command(
        driver.domain_id, "bench", "node", *SHORT, "--qos=best_effort", "--report", path
    )
    offered = set()

    def ended():
        for topic in topics(driver, "/image"):
            for publisher in driver.node.get_publishers_info_by_topic(topic):
                offered.add(publisher.qos_profile.reliability.name)
        return command.process.poll() is not None

    driver.until(ended, "the end")
    code, _, err = command.end()
    assert code == 0, err
    assert offered == {"BEST_EFFORT"}
    figures = json.loads(path.read_text())
    assert figures["published"] == N_IMAGES
    assert figures["published"] == figures["received"] + figures["lost"]
    assert figures["received"] == figures["processed"] + figures["dropped"]
    assert 0 <= figures["lost"] <= N_IMAGES // 3  # a machine that stalls lets some be overwritten


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_command_alone_stops_everything(driver, number):
    command = Command(driver.domain_id, "bench", "node", *SHORT)
    driver.until(lambda: topics(driver, "/image"), "the active node")
    command.process.send_signal(number)
    code, _, err = command.end()
    assert code == 130
    assert "Traceback" not in err
    assert command.alive() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--width=31"], "width is 31, must be from 32 to 4096"),
        (["--height=5000"], "height is 5000, must be from 32 to 4096"),
        (["--rate=0"], "rate_hz is 0, must be from 1 to 1000"),
        (["--rate=nan"], "rate_hz is nan, must be"),
        (["--seconds=2"], "seconds is 2, must be from 3 to 3600"),
        (["--input-size=100"], "input_size is 100, must be"),
        (["--report=/nowhere/report.json"], "/nowhere/report.json cannot be written"),
    ],
)
@pytest.mark.parametrize("program", ["poseflow_ros", "poseflow_ros.ros.node_benchmark"])
def test_bad_input_is_one_line(driver, program, arguments, said):
    words = ["bench", "node"] if program == "poseflow_ros" else []
    code, out, err = Command(driver.domain_id, *words, *arguments, program=program).end()
    assert (code, out) == (2, "")
    assert err.startswith("poseflow_ros: ") and err.count("\n") == 1
    assert said in err


def test_without_ros_it_says_so_in_one_line(driver, tmp_path):
    (tmp_path / "rclpy.py").write_text("raise ImportError('no ROS here')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    code, out, err = Command(driver.domain_id, "bench", "node", PYTHONPATH=path).end()
    assert (code, out) == (2, "")
    assert err.startswith("poseflow_ros: this benchmark needs ROS 2") and err.count("\n") == 1
    assert "no ROS here" in err


def test_a_node_that_does_not_start_is_a_line_and_leaves_nothing(driver, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif any(a.endswith('poseflow_node') for a in sys.orig_argv): os._exit(3)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = Command(driver.domain_id, "bench", "node", *SHORT, PYTHONPATH=path)
    code, _, err = command.end()
    assert code == 2
    assert "poseflow_ros: the PoseFlow node did not start" in err
    assert "Traceback" not in err
    assert command.alive() == []


def test_images_are_tiles_that_move_to_and_fro():
    pictures = ImageStream(70, 40, 10, 3).pictures()
    assert all(p.shape == (40, 70, 3) and p.dtype == np.uint8 for p in pictures)
    for before, after in zip(pictures, pictures[1:] + pictures[:1], strict=True):
        shift_left = np.array_equal(before[:, 4:], after[:, :-4])
        shift_right = np.array_equal(after[:, 4:], before[:, :-4])
        assert shift_left != shift_right
