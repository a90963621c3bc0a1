"""Ten minutes at 30 Hz: memory, latency and counts of the node, sampled every second.

Not run by default: `python -m pytest test/integration/test_soak.py -m soak -s`. SOAK_S is the
duration in seconds (600), SOAK_OUT the path of the plot (out/soak.png), with a CSV next to it.
"""

import csv
import os
import time
from contextlib import ExitStack
from dataclasses import astuple, dataclass, fields
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from poseflow_ros.bench.processes import DiagnosticsListener, executable, start
from poseflow_ros.imaging.video import open_source
from poseflow_ros.ros.inputs.images import to_message
from poseflow_ros.ros_data.header import seconds

PROFILE = Path(__file__).resolve().parents[2] / "config" / "fastdds_large_images.xml"
LENGTH_S = float(os.environ.get("SOAK_S", "600"))
PLOT = Path(os.environ.get("SOAK_OUT", "out/soak.png"))
# From then on memory stays: what is kept is as much as it gets.
SETTLED_S = min(60.0, LENGTH_S / 3)
RATE_HZ = 30.0
SIZE = (640, 360)
# Where people are large enough to be found.
WINDOW = np.s_[100:316, 300:684]
NODE = "/soak/poseflow"
STATUS = f"{NODE}: camera"
MIB = 2**20
BLUE, ORANGE, GREY = "#2a6f97", "#f08a24", "#9aa5b1"


@dataclass(frozen=True)
class Second:
    """What was seen in about a second; counts are those since the start."""

    at_s: float
    memory_mib: float
    latency_p50_ms: float
    latency_p99_ms: float
    published: int
    received: int
    processed: int
    dropped: int


class Stream:
    """A camera that people walk through, to and fro, and what the node answers."""

    def __init__(self, driver, video):
        frames = [image for image, _ in islice(open_source(video), 100)]
        there = [cv2.resize(f[WINDOW], SIZE, interpolation=cv2.INTER_AREA) for f in frames]
        to_and_fro = there + there[-2:0:-1]
        self._messages = cycle([to_message(image, Header(), "rgb8") for image in to_and_fro])
        self._node = driver.node
        self._latencies_ms = []
        self.published, self.sequences, self.people = 0, [], 0
        self._node.create_subscription(
            TrackedPoseArray, f"{NODE}/tracked_poses", self._on_poses, 100
        )
        self._publisher = driver.camera(Image, "/soak/image", qos_profile_sensor_data)
        self._timer = self._node.create_timer(1 / RATE_HZ, self._publish)

    def stop(self):
        self._node.destroy_timer(self._timer)

    def latencies_ms(self):
        """Return the 50th and 99th percentile since the last call, NaN where nothing came."""
        latencies, self._latencies_ms = self._latencies_ms, []
        return np.percentile(latencies, [50, 99]) if latencies else (np.nan, np.nan)

    def _publish(self):
        message = next(self._messages)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
        self.published += 1

    def _on_poses(self, message):
        now_s = self._node.get_clock().now().nanoseconds * 1e-9
        self._latencies_ms.append(1e3 * (now_s - seconds(message.header.stamp)))
        self.sequences.append(message.sequence)
        self.people += bool(message.poses)


def resident_mib(pid):
    return psutil.Process(pid).memory_info().rss / MIB


@pytest.fixture
def large_images(monkeypatch):
    """Shared memory that holds whole images, for this process and those it starts."""
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.setenv(name, str(PROFILE))


@pytest.mark.soak
def test_memory_is_constant_and_every_image_is_accounted_for(
    large_images, driver, sample_video, monkeypatch
):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(driver.domain_id))
    with ExitStack() as stack:
        process = start(
            stack,
            executable("poseflow_node"),
            "/soak",
            ["movenet.tiles:=1x1", "movenet.input_size:=256"],
        )
        assert driver.change("configure", NODE)
        assert driver.change("activate", NODE)
        diagnostics = DiagnosticsListener(driver.node)
        stream = Stream(driver, sample_video)
        history = watched(driver, process, diagnostics, stream)
        stream.stop()
        last = await_last_counts(driver, diagnostics)
    write(history)

    lost = stream.published - last["received"]
    print(f"\npublished {stream.published}, lost on the wire {lost}, {last}")
    assert lost >= 0
    assert last["received"] == last["processed"] + last["dropped"]
    assert last["dropped"] == sum(n for k, n in last.items() if k.startswith("dropped: "))
    assert stream.sequences == list(range(last["processed"]))
    assert stream.people > 0.5 * last["processed"]
    memory = np.array([second.memory_mib for second in history])
    settled = np.array([second.at_s >= SETTLED_S for second in history])
    assert memory[settled] == pytest.approx(memory[settled][0], rel=0.05)


def watched(driver, process, diagnostics, stream):
    """Run the stream; return a sample for each diagnostics message of the node."""
    history, begin_s, stamp_s = [], time.monotonic(), diagnostics.stamp_s(STATUS)
    while time.monotonic() - begin_s < LENGTH_S:
        driver.until(lambda then_s=stamp_s: diagnostics.stamp_s(STATUS) > then_s, "diagnostics")
        stamp_s = diagnostics.stamp_s(STATUS)
        counts = [diagnostics.count(STATUS, key) for key in ("received", "processed", "dropped")]
        history.append(
            Second(
                time.monotonic() - begin_s,
                resident_mib(process.pid),
                *stream.latencies_ms(),
                stream.published,
                *counts,
            )
        )
    return history


def await_last_counts(driver, diagnostics):
    """Return the counts of the first diagnostics after the last image."""
    end_s = 1e-9 * driver.node.get_clock().now().nanoseconds
    driver.until(lambda: diagnostics.stamp_s(STATUS) > end_s + 1, "the last counts")
    return {k: int(v) for k, v in diagnostics.values(STATUS).items() if v.isdecimal()}


def write(history):
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    with PLOT.with_suffix(".csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(field.name for field in fields(Second))
        rows.writerows(map(astuple, history))
    plot(history)


def plot(history):
    """Draw memory, latency and what was not answered over time."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = {f.name: np.array([getattr(h, f.name) for h in history]) for f in fields(Second)}
    figure, (memory, latency, missing) = plt.subplots(1, 3, figsize=(12, 3.8), dpi=100)
    plot_memory(memory, columns)
    plot_latency(latency, columns)
    plot_missing(missing, columns)
    for axes in (memory, latency, missing):
        axes.set(xlabel="minutes", xlim=(0, columns["at_s"][-1] / 60))
        axes.legend(frameon=False, loc="upper left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(PLOT)
    plt.close(figure)


def plot_memory(axes, columns):
    memory_mib = columns["memory_mib"]
    settled = memory_mib[columns["at_s"] >= SETTLED_S][0]
    axes.axhspan(
        0.95 * settled, 1.05 * settled, color=GREY, alpha=0.3, lw=0, label="5 % up and down"
    )
    axes.plot(columns["at_s"] / 60, memory_mib, color=BLUE)
    axes.set(title="Memory of the node (MiB)", ylim=(0, 1.3 * memory_mib.max()))


def plot_latency(axes, columns):
    for name, color, label in (
        ("latency_p99_ms", ORANGE, "99th percentile"),
        ("latency_p50_ms", BLUE, "median"),
    ):
        axes.plot(columns["at_s"] / 60, columns[name], color=color, lw=1.2, label=label)
    axes.set(title="From image to poses, each second (ms)")
    axes.set_ylim(0, 1.3 * np.nanmax(columns["latency_p99_ms"]))


def plot_missing(axes, columns):
    dropped, lost = columns["dropped"], columns["published"] - columns["received"]
    axes.plot(columns["at_s"] / 60, dropped, color=BLUE, label="dropped by the node")
    axes.plot(columns["at_s"] / 60, lost, color=ORANGE, label="lost on the wire")
    axes.set(title=f"Not answered of {columns['published'][-1]:,} images, so far")
    axes.set_ylim(0, 1.3 * max(10, dropped.max(), lost.max()))
