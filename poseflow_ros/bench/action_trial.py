"""A run of the action node on tracked poses: two processes connected by DDS."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import rclpy
from poseflow_msgs.msg import Keypoint, TrackedActionArray, TrackedPose, TrackedPoseArray
from rclpy.signals import SignalHandlerOptions

from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.bench.node_trial import CpuMeter
from poseflow_ros.bench.processes import (
    DiagnosticsListener,
    ProcessError,
    bring_up,
    executable,
    start,
)
from poseflow_ros.ros.publisher import RELIABLE
from poseflow_ros.ros.stamps import duration
from poseflow_ros.ros_data.header import seconds

_PATIENCE_S = 60.0
# The diagnostics of the last second arrive in it.
_END_S = 1.5


class ActionTrial:
    """Plays tracked poses to the action node at their rate, and receives its actions."""

    def __init__(self, frames: Sequence[PoseFrame], parameters: Sequence[str]) -> None:
        """Make a trial.

        Args:
            frames: of one camera.
            parameters: of the node, "name:=value" each.
        """
        self._parameters = parameters
        self._namespace = f"/bench_{os.getpid()}"
        self._stamps_s = [frame.stamp_s - frames[0].stamp_s for frame in frames]
        self._messages = [
            poses_message(frame, stamp_s)
            for frame, stamp_s in zip(frames, self._stamps_s, strict=True)
        ]
        self._published_s: dict[float, float] = {}
        self._received: list[tuple[float, float, int]] = []
        """When actions were received, the stamp of their image, and their number."""

    def run(self) -> dict[str, float]:
        """Start the node, measure, stop it and return the figures.

        Raises:
            ProcessError: the node failed.
        """
        with ExitStack() as stack:
            # The caller handles signals.
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
            stack.callback(rclpy.try_shutdown)
            self._node = rclpy.create_node("benchmark", namespace=self._namespace)
            diagnostics = DiagnosticsListener(self._node)
            publisher = self._start_node(stack)
            meter = CpuMeter(self._process.pid)
            self._play(publisher)
            cpu_percent = meter.percent()
            self._spin_until(time.perf_counter() + _END_S)
        status = f"{self._namespace[1:]}/actions: actions"
        return self._figures() | {
            "dropped": diagnostics.count(status, "windows dropped"),
            "node_cpu_percent": round(cpu_percent, 1),
        }

    def _start_node(self, stack: ExitStack) -> Any:
        """Start the node; return the publisher of its poses once it subscribes."""
        topic = "actions/actions"
        self._node.create_subscription(TrackedActionArray, topic, self._on_actions, RELIABLE)
        publisher = self._node.create_publisher(TrackedPoseArray, "tracked_poses", RELIABLE)
        command = executable("action_node")
        self._process = start(stack, command, self._namespace, self._parameters)
        bring_up(self._node, self._process, f"{self._namespace}/actions")
        deadline_s = time.perf_counter() + _PATIENCE_S
        while not publisher.get_subscription_count():
            self._spin_until(time.perf_counter() + 0.1)
            if time.perf_counter() > deadline_s:
                raise ProcessError("the action node does not subscribe to tracked_poses")
        return publisher

    def _on_actions(self, message: TrackedActionArray) -> None:
        stamp_s = seconds(message.header.stamp)
        self._received.append((time.perf_counter(), stamp_s, len(message.actions)))

    def _play(self, publisher: Any) -> None:
        """Publish each message when it is due."""
        start_s = time.perf_counter()
        for stamp_s, message in zip(self._stamps_s, self._messages, strict=True):
            self._spin_until(start_s + stamp_s)
            self._published_s[seconds(message.header.stamp)] = time.perf_counter()
            publisher.publish(message)

    def _spin_until(self, end_s: float) -> None:
        """Receive messages until a time of `perf_counter`, and check that the node is alive."""
        if self._process.poll() is not None:
            raise ProcessError(f"the action node ended with code {self._process.returncode}")
        while (left_s := end_s - time.perf_counter()) > 0:
            rclpy.spin_once(self._node, timeout_sec=left_s)

    def _figures(self) -> dict[str, float]:
        """Return windows classified in a second, from the first answer to the last, and latency.

        Raises:
            ProcessError: fewer than two answers.
        """
        if len(self._received) < 2:
            raise ProcessError(
                f"the action node published {len(self._received)} times, which is too seldom to "
                "measure; let the benchmark run for more seconds"
            )
        first_s, last_s = self._received[0][0], self._received[-1][0]
        n_windows = sum(n for _, _, n in self._received[1:])
        latencies_s = [at_s - self._published_s[stamp_s] for at_s, stamp_s, _ in self._received]
        return {
            "windows_per_second": round(n_windows / (last_s - first_s), 1),
            "latency_p50_ms": round(1e3 * float(np.median(latencies_s)), 1),
        }


def poses_message(frame: PoseFrame, stamp_s: float) -> TrackedPoseArray:
    """Return the message of an image's people, in 2D."""
    stamp = duration(stamp_s)
    message = TrackedPoseArray(skeleton="coco17", epoch=frame.epoch, sequence=frame.sequence)
    message.header.stamp.sec, message.header.stamp.nanosec = stamp.sec, stamp.nanosec
    message.image_height, message.image_width = frame.image_size
    points = np.dstack([frame.keypoints, frame.scores]).tolist()
    columns = frame.track_ids.tolist(), frame.states.tolist(), points
    message.poses = [
        TrackedPose(
            track_id=track_id,
            state=state,
            keypoints=[Keypoint(x=x, y=y, score=score) for x, y, score in keypoints],
        )
        for track_id, state, keypoints in zip(*columns, strict=True)
    ]
    return message
