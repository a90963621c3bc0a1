"""A run of the node on a stream of images: three processes over DDS, and what they show."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from poseflow_ros.bench.image_stream import ImageStream
from poseflow_ros.config import EstimatorConfig
from poseflow_ros.ros.conversions import seconds
from poseflow_ros.ros.processes import (
    ProcessError,
    Told,
    bring_up,
    executable,
    start,
    use_large_images_profile,
)

_WARM_UP_S = 1.0
# What activating sets off is over after this.
_CALM_S = 1.0
_IDLE_S = 5.0
# After the last image: the node tells its counts once a second.
_LAST_WORD_S = 0.5
_PATIENCE_S = 20.0
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_DROPPED = "dropped: "
_PUBLISHER = [sys.executable, "-m", "poseflow_ros.ros.image_publisher"]
_TIMES = {
    "overhead_p50_ms": "overhead p50 (ms)",
    "overhead_p99_ms": "overhead p99 (ms)",
    "estimate_p50_ms": "estimate p50 (ms)",
    "track_p50_ms": "track p50 (ms)",
}


def cpu_s(pid: int) -> float:
    """Return the CPU time a process has taken, its own and the kernel's for it, seconds."""
    # The name, the second field, may hold spaces and brackets; utime and stime are 14 and 15.
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / _CLOCK_TICKS


@dataclass(slots=True)
class CpuMeter:
    """The share of one core that a process takes between two looks at it."""

    pid: int
    _at_first: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        self._at_first = (time.monotonic(), cpu_s(self.pid))

    def percent(self) -> float:
        """Return the share since the start, percent of one core."""
        then_s, taken_s = self._at_first
        return 100 * (cpu_s(self.pid) - taken_s) / (time.monotonic() - then_s)


@dataclass(slots=True)
class Heard:
    """The stamps of the poses that came, and when they did, seconds."""

    stamps_s: list[float] = field(default_factory=list)
    arrivals_s: list[float] = field(default_factory=list)

    def listen(self, node: Node, topic: str) -> None:
        """Subscribe."""
        clock = node.get_clock()

        def on_poses(message: TrackedPoseArray) -> None:
            self.arrivals_s.append(clock.now().nanoseconds * 1e-9)
            self.stamps_s.append(seconds(message.header.stamp))

        node.create_subscription(TrackedPoseArray, topic, on_poses, 100)

    def latencies_ms(self) -> np.ndarray:
        """Return the times from publishing an image to its poses, without those of warm-up."""
        stamps_s = np.array(self.stamps_s)
        warm = stamps_s >= stamps_s[:1] + _WARM_UP_S if len(stamps_s) else np.zeros(0, bool)
        return np.asarray(1e3 * (np.array(self.arrivals_s) - stamps_s)[warm])


class NodeTrial:
    """Runs the node once on a stream of images."""

    def __init__(self, stream: ImageStream, estimator: EstimatorConfig) -> None:
        self._stream = stream
        self._estimator = estimator
        # Two of them in one domain do not hear each other's images.
        self._namespace = f"/bench_{os.getpid()}"
        self._status = f"{self._namespace}/poseflow: camera"
        self._heard = Heard()

    def run(self) -> dict[str, Any]:
        """Start the processes, measure, stop them and return the figures.

        Raises:
            ProcessError: one of them did not do its part.
        """
        profile = use_large_images_profile()
        with ExitStack() as stack:
            # A signal is the caller's to answer: rclpy's own would only end the waiting at times.
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
            stack.callback(rclpy.try_shutdown)
            self._node = rclpy.create_node("benchmark", namespace=self._namespace)
            self._told = Told(self._node)
            self._heard.listen(self._node, f"{self._namespace}/poseflow/tracked_poses")
            self._start_node(stack)
            idle_percent = self._measure_idle()
            published, busy_percent = self._feed(stack)
            self._await_last_word()
        names = ("estimator", "input_size")
        return (
            asdict(self._stream)
            | {name: getattr(self._estimator, name) for name in names}
            | {"fastdds_profile": Path(profile).name}
            | self._counts(published)
            | self._times()
            | {"node_cpu_percent": busy_percent, "node_idle_cpu_percent": idle_percent}
        )

    def _start_node(self, stack: ExitStack) -> None:
        network = [f"estimator:={self._estimator.estimator}"]
        network += [f"input_size:={self._estimator.input_size}"]
        command = executable("poseflow_node")
        self._process = start(stack, command, self._namespace, network)
        bring_up(self._node, self._process, f"{self._namespace}/poseflow")

    def _measure_idle(self) -> float:
        """Return what the active node takes while no image comes, percent of one core."""
        self._spin(_CALM_S)
        meter = CpuMeter(self._process.pid)
        self._spin(_IDLE_S)
        return round(meter.percent(), 1)

    def _feed(self, stack: ExitStack) -> tuple[int, float | None]:
        """Send the images; return how many were sent, and what the node took meanwhile."""
        command = [*_PUBLISHER, json.dumps(asdict(self._stream))]
        publisher = start(stack, command, self._namespace, stdout=subprocess.PIPE)
        ended = self._until(lambda: bool(self._heard.stamps_s), publisher)
        percent = None
        if not ended:
            self._spin(_WARM_UP_S)
            meter = CpuMeter(self._process.pid)
            self._spin(self._stream.seconds - _WARM_UP_S)
            percent = round(meter.percent(), 1)
        while not ended:
            ended = self._until(lambda: False, publisher)
        assert publisher.stdout
        said = publisher.stdout.read()
        if publisher.returncode:
            raise ProcessError(f"the image publisher ended with code {publisher.returncode}")
        return int(said), percent

    def _until(self, condition: Callable[[], bool], publisher: "subprocess.Popen[bytes]") -> bool:
        """Spin until the condition holds or the publisher's end; tell whether it was the end."""
        while not condition():
            if publisher.poll() is not None:
                return True
            self._spin(0.0)
        return False

    def _await_last_word(self) -> None:
        """Wait until the node told its counts with every image in them."""
        end_s = self._now_s() + _LAST_WORD_S
        deadline = time.monotonic() + _PATIENCE_S
        while self._told.stamp_s(self._status) < end_s or self._in_work() > 0:
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"the node still had {self._in_work()} images in work at the end"
                )
            self._spin(0.0)

    def _in_work(self) -> int:
        received, processed, dropped = (
            self._count(n) for n in ("received", "processed", "dropped")
        )
        return received - processed - dropped

    def _counts(self, published: int) -> dict[str, Any]:
        received = self._count("received")
        told = self._told.values(self._status)
        reasons = {k.removeprefix(_DROPPED): int(v) for k, v in told.items() if _DROPPED in k}
        return {
            "published": published,
            "received": received,
            "lost": published - received,
            "processed": self._count("processed"),
            "dropped": self._count("dropped"),
            "dropped_by_reason": reasons,
        }

    def _times(self) -> dict[str, Any]:
        latencies_ms = self._heard.latencies_ms()
        p50, p99 = np.percentile(latencies_ms, [50, 99]) if len(latencies_ms) else (None, None)
        return {
            "latency_images": len(latencies_ms),
            "latency_p50_ms": None if p50 is None else round(float(p50), 2),
            "latency_p99_ms": None if p99 is None else round(float(p99), 2),
        } | {name: self._told.number(self._status, key) for name, key in _TIMES.items()}

    def _count(self, key: str) -> int:
        return self._told.count(self._status, key)

    def _now_s(self) -> float:
        return float(self._node.get_clock().now().nanoseconds * 1e-9)

    def _spin(self, duration_s: float) -> None:
        """Take messages for a while, seconds, and see that the node lives."""
        end = time.monotonic() + duration_s
        while True:
            rclpy.spin_once(self._node, timeout_sec=0.1)
            if self._process.poll() is not None:
                code = self._process.returncode
                raise ProcessError(f"the PoseFlow node ended with code {code}")
            if time.monotonic() >= end:
                return
