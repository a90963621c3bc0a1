"""A run of the node on a stream of images, with three processes connected by DDS."""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions

from poseflow_ros.bench.camera_watch import WARM_UP_S, CameraWatch, percentiles_ms
from poseflow_ros.bench.image_stream import ImageStream
from poseflow_ros.bench.processes import (
    DiagnosticsListener,
    ProcessError,
    bring_up,
    executable,
    start,
    use_large_images_profile,
)
from poseflow_ros.config import MovenetConfig

# After this the effects of the activation are over, including rclpy's slow first warning.
_CALM_S = 4.5
_IDLE_S = 4.0
# After the last image: the node publishes its counts once a second.
_LAST_COUNTS_S = 0.5
_PATIENCE_S = 20.0
_PUBLISHER = [sys.executable, "-m", "poseflow_ros.bench.image_publisher"]
_TIMES = {
    "overhead_p50_ms": "overhead p50 (ms)",
    "overhead_p99_ms": "overhead p99 (ms)",
    "queueing_p50_ms": "queueing p50 (ms)",
    "wait_p50_ms": "wait p50 (ms)",
    "convert_p50_ms": "convert p50 (ms)",
    "publish_p50_ms": "publish p50 (ms)",
    "estimate_p50_ms": "estimate p50 (ms)",
    "track_p50_ms": "track p50 (ms)",
}


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process in user and kernel mode, seconds.

    psutil counts it in ticks of 10 ms; an idle node takes 14 ms in the 4 s that it is measured.
    """
    clock = ctypes.c_int()
    if code := ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise OSError(code, f"no processor time of process {pid}: {os.strerror(code)}")
    return time.clock_gettime(clock.value)


@dataclass(slots=True)
class CpuMeter:
    """CPU use of a process since a start time, in percent of one core."""

    pid: int
    _at_first: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        self._at_first = (time.monotonic(), cpu_s(self.pid))

    def percent(self) -> float:
        """Return the CPU use since the start, percent of one core."""
        then_s, taken_s = self._at_first
        return 100 * (cpu_s(self.pid) - taken_s) / (time.monotonic() - then_s)


class NodeTrial:
    """Runs the node once on a stream of images."""

    def __init__(
        self, stream: ImageStream, movenet: MovenetConfig, annotated: bool = False
    ) -> None:
        """Make a trial.

        Args:
            stream: the input of the node.
            movenet: settings of the network.
            annotated: also subscribe to the annotated images, so that the node draws them.
        """
        self._stream = stream
        self._movenet = movenet
        self._annotated = annotated
        # Separate namespaces, so that two trials in one domain do not receive each other's images.
        self._namespace = f"/bench_{os.getpid()}"

    def run(self) -> dict[str, Any]:
        """Start the processes, measure, stop them and return the figures.

        Raises:
            ProcessError: a process failed.
        """
        profile = use_large_images_profile()
        with ExitStack() as stack:
            # The caller handles signals; rclpy's handlers would only interrupt some of the waits.
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
            stack.callback(rclpy.try_shutdown)
            self._node = rclpy.create_node("benchmark", namespace=self._namespace)
            self._cameras = self._listen()
            self._start_node(stack)
            idle_percent = self._measure_idle()
            published, busy_percent = self._feed(stack)
            self._await_last_counts()
        return (
            asdict(self._stream)
            | {"estimator": "movenet", "tiles": self._movenet.tiles}
            | {"input_size": self._movenet.input_size}
            | {"fastdds_profile": Path(profile).name}
            | self._counts(published)
            | self._times()
            | {"node_cpu_percent": busy_percent, "node_idle_cpu_percent": idle_percent}
            | self._per_camera(published)
        )

    def _listen(self) -> dict[str, CameraWatch]:
        diagnostics, poseflow = DiagnosticsListener(self._node), f"{self._namespace}/poseflow"
        names = self._stream.camera_names
        cameras = {name: CameraWatch(self._node, diagnostics, poseflow, name) for name in names}
        if self._annotated:
            for camera in cameras.values():
                camera.listen_to_annotated()
        return cameras

    def _start_node(self, stack: ExitStack) -> None:
        parameters = ["estimator.name:=movenet"]
        parameters += [f"movenet.tiles:={self._movenet.tiles}"]
        parameters += [f"movenet.input_size:={self._movenet.input_size}"]
        if self._stream.cameras > 1:
            parameters += [f"cameras.names:=[{', '.join(self._stream.camera_names)}]"]
        command = executable("poseflow_node")
        self._process = start(stack, command, self._namespace, parameters)
        bring_up(self._node, self._process, f"{self._namespace}/poseflow")

    def _measure_idle(self) -> float:
        """Return the CPU use of the active node without images, percent of one core."""
        self._spin(_CALM_S)
        meter = CpuMeter(self._process.pid)
        self._spin(_IDLE_S)
        return round(meter.percent(), 2)

    def _feed(self, stack: ExitStack) -> tuple[dict[str, int], float | None]:
        """Publish the images; return their number per camera, and the CPU use of the node."""
        command = [*_PUBLISHER, json.dumps(asdict(self._stream)), str(self._subscriptions())]
        publisher = start(stack, command, self._namespace, stdout=subprocess.PIPE)
        ended = self._until(self._received_any, publisher)
        percent = None
        if not ended:
            self._spin(WARM_UP_S)
            meter = CpuMeter(self._process.pid)
            self._spin(self._stream.seconds - WARM_UP_S)
            percent = round(meter.percent(), 1)
        while not ended:
            ended = self._until(lambda: False, publisher)
        assert publisher.stdout
        report = publisher.stdout.read()
        if publisher.returncode:
            raise ProcessError(f"the image publisher ended with code {publisher.returncode}")
        return json.loads(report), percent

    def _subscriptions(self) -> int:
        """Return how many subscriptions each image topic has: the node's and any others."""
        topics = [f"{name}/image".lstrip("/") for name in self._stream.camera_names]
        return min(self._node.count_subscribers(topic) for topic in topics)

    def _received_any(self) -> bool:
        return any(camera.poses.stamps_s for camera in self._cameras.values())

    def _until(self, condition: Callable[[], bool], publisher: "subprocess.Popen[bytes]") -> bool:
        """Spin until the condition holds or the publisher ends; return True if it ended."""
        while not condition():
            if publisher.poll() is not None:
                return True
            self._spin(0.0)
        return False

    def _await_last_counts(self) -> None:
        """Wait for diagnostics whose counts include every image."""
        end_s = self._now_s() + _LAST_COUNTS_S
        deadline = time.monotonic() + _PATIENCE_S
        cameras = self._cameras.values()
        while min(c.status_stamp_s() for c in cameras) < end_s or any(
            c.in_progress() for c in cameras
        ):
            if time.monotonic() > deadline:
                in_progress = sum(c.in_progress() for c in cameras)
                raise ProcessError(
                    f"the node still had {in_progress} images in progress at the end"
                )
            self._spin(0.0)

    def _counts(self, published: Mapping[str, int]) -> dict[str, Any]:
        """Return the counts summed over all cameras."""
        counts, reasons = Counter[str](), Counter[str]()
        for camera in self._cameras.values():
            counts.update(camera.counts())
            reasons.update(camera.reasons())
        total = sum(published.values())
        return {
            "published": total,
            "received": counts["received"],
            "lost": total - counts["received"],
            "processed": counts["processed"],
            "dropped": counts["dropped"],
            "dropped_by_reason": dict(reasons),
        }

    def _times(self) -> dict[str, Any]:
        """Return the latencies of all images, and the stage times of the slowest camera."""
        cameras = self._cameras.values()
        latencies_ms = np.concatenate([camera.poses.latencies_ms() for camera in cameras])
        return (
            {"latency_images": len(latencies_ms)}
            | percentiles_ms(latencies_ms)
            | {name: max(c.number(key) for c in cameras) for name, key in _TIMES.items()}
        )

    def _per_camera(self, published: Mapping[str, int]) -> dict[str, Any]:
        """Return the optional parts of the report: per camera, and annotated images."""
        figures: dict[str, Any] = {}
        if self._annotated:
            figures["annotated"] = sum(c.annotated for c in self._cameras.values())
        if self._stream.cameras > 1:
            figures["per_camera"] = {
                name: camera.figures(published[name], self._stream.seconds)
                for name, camera in self._cameras.items()
            }
        return figures

    def _now_s(self) -> float:
        return float(self._node.get_clock().now().nanoseconds * 1e-9)

    def _spin(self, duration_s: float) -> None:
        """Receive messages for some seconds, and check that the node is alive."""
        end = time.monotonic() + duration_s
        while True:
            rclpy.spin_once(self._node, timeout_sec=0.1)
            if self._process.poll() is not None:
                code = self._process.returncode
                raise ProcessError(f"the PoseFlow node ended with code {code}")
            if time.monotonic() >= end:
                return
