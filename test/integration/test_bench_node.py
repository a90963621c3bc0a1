"""The command `bench node`: real processes over DDS, an independent subscriber, and errors."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from itertools import pairwise

import numpy as np
import psutil
import pytest
from poseflow_msgs.msg import TrackedPoseArray
from ros_domains import reserved_domain
from ros_driver import PATIENCE_S, open_driver
from sensor_msgs.msg import Image

from poseflow_ros.__main__ import main
from poseflow_ros.bench.image_stream import ImageStream
from poseflow_ros.bench.node_trial import cpu_s
from poseflow_ros.ros_data.header import seconds

pytestmark = pytest.mark.slow

SHORT = ["--width=160", "--height=120", "--rate=10", "--seconds=3", "--input-size=64"]
MARK = "BENCH_NODE_TEST"
N_IMAGES = 30
# A machine that stalls lets the publisher leave some out, and some be overwritten.
MOST_IMAGES = N_IMAGES * 2 // 3
KEYS = {
    "published", "received", "lost", "processed", "dropped", "dropped_by_reason",
    "latency_p50_ms", "latency_p99_ms", "latency_images", "overhead_p50_ms", "overhead_p99_ms",
    "wait_p50_ms", "convert_p50_ms", "publish_p50_ms", "estimate_p50_ms", "track_p50_ms",
    "node_cpu_percent", "node_idle_cpu_percent",
}  # fmt: skip


class Command:
    """The command running, and every process that it started."""

    def __init__(self, domain_id, *arguments, **environment):
        self._mark = str(uuid.uuid4())
        self.process = subprocess.Popen(
            [sys.executable, "-m", "poseflow_ros", *map(str, arguments)],
            env=os.environ | {"ROS_DOMAIN_ID": str(domain_id), MARK: self._mark} | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(self):
        """Return the exit code and what was said, once it has ended."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err

    def alive(self):
        """The command lines of what is left of it."""
        processes = psutil.process_iter(["environ", "cmdline"])
        return [
            " ".join(process.info["cmdline"])
            for process in processes
            if (process.info["environ"] or {}).get(MARK) == self._mark
        ]

    @property
    def namespace(self):
        """The namespace of its nodes."""
        return f"/bench_{self.process.pid}"

    def runs(self):
        """Whether it runs; fail if it ended with an error."""
        if self.process.poll() is None:
            return True
        assert self.process.returncode == 0, self.end()[2]
        return False


def topics(driver):
    return [name for name, _ in driver.node.get_topic_names_and_types()]


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory):
    """A short reliable run, and the images and poses that another process saw of it."""
    path = tmp_path_factory.mktemp("bench") / "report.json"
    with reserved_domain() as domain_id, open_driver(domain_id) as driver:
        command = Command(domain_id, "bench", "node", *SHORT, "--report", path)
        images = driver.listen(Image, f"{command.namespace}/image", 100)
        poses = []
        driver.node.create_subscription(
            TrackedPoseArray, f"{command.namespace}/poseflow/tracked_poses",
            lambda m: poses.append((time.time(), m)), 100,
        )  # fmt: skip
        driver.until(lambda: not command.runs(), "the end")
        _, out, _ = command.end()
        figures = json.loads(path.read_text())
        driver.until(lambda: len(images) >= figures["published"], "the images")
        driver.until(lambda: len(poses) >= figures["processed"], "the poses")
    return figures, out, command, images, poses


def test_counts_equal_those_of_an_independent_subscriber(witnessed):
    figures, _, _, images, poses = witnessed
    assert MOST_IMAGES <= figures["published"] == len(images) <= N_IMAGES
    assert figures["processed"] == len(poses) > 0
    assert figures["published"] == figures["received"] + figures["lost"]
    assert 0 <= figures["lost"] < figures["published"]
    assert figures["received"] == figures["processed"] + figures["dropped"]
    assert figures["dropped"] == sum(figures["dropped_by_reason"].values())


def test_latency_is_measured_from_publishing_to_poses_after_warm_up(witnessed):
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


def test_images_change_and_are_bgr8_of_the_given_size(witnessed):
    _, _, _, images, _ = witnessed
    assert {(m.width, m.height, m.encoding) for m in images} == {(160, 120, "bgr8")}
    assert all(bytes(a.data) != bytes(b.data) for a, b in pairwise(images))
    gaps_s = np.diff([seconds(m.header.stamp) for m in images])
    assert np.median(gaps_s) == pytest.approx(0.1, abs=0.02)


def test_prints_all_results_and_leaves_no_processes(witnessed):
    figures, out, command, _, _ = witnessed
    assert figures.keys() >= KEYS
    assert not figures.keys() & {"annotated", "per_camera"}
    assert all(name in out for name in KEYS - {"dropped_by_reason"})
    assert f"{figures['latency_p50_ms']}" in out
    assert (figures["width"], figures["rate_hz"], figures["input_size"]) == (160, 10, 64)
    assert command.alive() == []


def test_cpu_use_is_a_share_of_one_core(witnessed):
    figures, *_ = witnessed
    assert 0 <= figures["node_idle_cpu_percent"] < figures["node_cpu_percent"]
    assert figures["node_cpu_percent"] <= 100 * os.cpu_count()


def test_cpu_time_equals_that_of_the_process_clock():
    program = "import time\nwhile time.process_time() < 0.3: pass\nprint(time.process_time())"
    child = subprocess.Popen(
        [sys.executable, "-uc", f"{program}\ninput()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said_s = float(child.stdout.readline())
    assert cpu_s(child.pid) == pytest.approx(said_s, abs=0.02)
    child.communicate("\n")


@pytest.fixture(scope="module")
def two_cameras(tmp_path_factory):
    """A short best-effort run of two cameras, and what another process saw of each."""
    path = tmp_path_factory.mktemp("bench") / "report.json"
    options = ["--qos=best_effort", "--cameras=2", "--annotated", "--report", path]
    cameras, offered = ("camera1", "camera2"), {}
    with reserved_domain() as domain_id, open_driver(domain_id) as driver:
        command = Command(domain_id, "bench", "node", *SHORT, *options)
        poses = {
            camera: driver.listen(
                TrackedPoseArray, f"{command.namespace}/poseflow/{camera}/tracked_poses", 100
            )
            for camera in cameras
        }

        def ended():
            for camera in cameras:
                topic = f"{command.namespace}/{camera}/image"
                for publisher in driver.node.get_publishers_info_by_topic(topic):
                    offered[camera] = publisher.qos_profile.reliability.name
            return not command.runs()

        driver.until(ended, "the end")
        _, out, _ = command.end()
        figures = json.loads(path.read_text())
        for camera, counts in figures["per_camera"].items():
            driver.until(
                lambda c=camera, n=counts["processed"]: len(poses[c]) >= n, f"poses of {camera}"
            )
    assert offered == {"camera1": "BEST_EFFORT", "camera2": "BEST_EFFORT"}
    return figures, out, poses


def test_each_camera_is_counted_separately(two_cameras):
    figures, out, poses = two_cameras
    assert figures["per_camera"].keys() == poses.keys()
    for name, camera in figures["per_camera"].items():
        assert f"  {name}  " in out
        assert MOST_IMAGES <= camera["received"] <= camera["published"] <= N_IMAGES
        assert camera["received"] == camera["processed"] + camera["dropped"]
        assert camera["processed"] == len(poses[name]) > 0
        stamps_s = [seconds(message.header.stamp) for message in poses[name]]
        assert camera["rate_hz"] == sum(s >= stamps_s[0] + 1 for s in stamps_s) / 2
        assert 0 < camera["latency_p50_ms"] <= camera["latency_p99_ms"]


def test_results_of_two_cameras_are_combined(two_cameras):
    figures, _, _ = two_cameras
    cameras = figures["per_camera"].values()
    for name in ("published", "received", "processed", "dropped"):
        assert figures[name] == sum(camera[name] for camera in cameras)
    assert figures["lost"] == figures["published"] - figures["received"]
    assert figures["dropped"] == sum(figures["dropped_by_reason"].values())
    p50s = [camera["latency_p50_ms"] for camera in cameras]
    assert min(p50s) <= figures["latency_p50_ms"] <= max(p50s)


def test_two_cameras_take_turns(two_cameras):
    _, _, poses = two_cameras
    first_s, second_s = (
        np.array([seconds(m.header.stamp) for m in poses[name]]) for name in ("camera1", "camera2")
    )
    after_s = (second_s[:, None] - first_s[None]) % 0.1
    assert np.median(after_s) == pytest.approx(0.05, abs=0.02)


def test_annotated_option_receives_annotated_images(two_cameras):
    figures, _, _ = two_cameras
    assert 0 < figures["annotated"] <= figures["processed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_command_alone_stops_everything(driver, number):
    command = Command(driver.domain_id, "bench", "node", *SHORT)
    # Another command in this domain would have another namespace.
    image = f"{command.namespace}/image"
    driver.until(lambda: not command.runs() or image in topics(driver), "the active node")
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
        (["--cameras=0"], "cameras is 0, must be from 1 to 16"),
        (["--input-size=100"], "movenet.input_size is 100, must be"),
        (["--report=/nowhere/report.json"], "/nowhere/report.json cannot be written"),
    ],
)
def test_invalid_input_is_reported_in_one_line(arguments, said, capfd):
    assert main(["bench", "node", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("poseflow_ros: ") and err.count("\n") == 1
    assert said in err


def test_missing_ros_is_reported_in_one_line(driver, tmp_path):
    (tmp_path / "rclpy.py").write_text("raise ImportError('no ROS here')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    code, out, err = Command(driver.domain_id, "bench", "node", PYTHONPATH=path).end()
    assert (code, out) == (2, "")
    assert err.startswith("poseflow_ros: this benchmark needs ROS 2") and err.count("\n") == 1
    assert "no ROS here" in err


def test_node_that_does_not_start_is_reported_and_leaves_no_processes(driver, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif any(a.endswith('poseflow_node') for a in sys.orig_argv): os._exit(3)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = Command(driver.domain_id, "bench", "node", *SHORT, PYTHONPATH=path)
    code, _, err = command.end()
    assert code == 2
    assert "/poseflow did not start; see its lines above" in err
    assert "Traceback" not in err
    assert command.alive() == []


def test_images_are_tiles_that_move_back_and_forth():
    images = ImageStream(70, 40, 10, 3).images()
    assert all(p.shape == (40, 70, 3) and p.dtype == np.uint8 for p in images)
    for before, after in zip(images, images[1:] + images[:1], strict=True):
        shift_left = np.array_equal(before[:, 4:], after[:, :-4])
        shift_right = np.array_equal(after[:, 4:], before[:, :-4])
        assert shift_left != shift_right
