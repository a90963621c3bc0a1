"""One measurement of the bridge node as a process."""

import json
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from time import monotonic
from typing import Any

import numpy as np
import rclpy
from poseflow_msgs.msg import Keypoint, TrackedPose, TrackedPoseArray
from rclpy.node import Node

from poseflow_ros.bench.processes import (
    DiagnosticsListener,
    ProcessError,
    bring_up,
    executable,
    start,
)
from poseflow_ros.bench.repetition import percentile

_SIZE = (640, 480)
_TIMEOUT_S = 30.0
# A topic of each format and its type; follow publishes nothing before somebody is followed.
_TOPICS = {
    "hri": ("/humans/bodies/tracked", "hri_msgs", "IdsList"),
    "vision": ("bridge/detections", "vision_msgs", "Detection2DArray"),
    "people": ("bridge/people", "people_msgs", "People"),
    "image_marker": ("bridge/image_marker", "visualization_msgs", "ImageMarker"),
    "foxglove": ("bridge/image_annotations", "foxglove_msgs", "ImageAnnotations"),
}


def measure(
    people: int, rate_hz: float, seconds: float, formats: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return figures for each format: messages received, and the time since their poses, ms.

    The row "(in the node)" is the time from the start of the callback to the last publish.

    Raises:
        ProcessError: the bridge does not start, or lacks the package of a format.
    """
    namespace = f"/bench_{os.getpid()}"
    with ExitStack() as stack:
        rclpy.init()
        stack.callback(rclpy.try_shutdown)
        node = rclpy.create_node("bench", namespace=namespace)
        listed = json.dumps(list(formats))
        parameters = [f"outputs.formats:={listed}", f"poses.topics:=['{namespace}/poses']"]
        process = start(stack, executable("bridge_node"), namespace, parameters)
        bring_up(node, process, f"{namespace}/bridge")
        latencies_ms, diagnostics = _Latencies(node, formats), DiagnosticsListener(node)
        publisher = node.create_publisher(TrackedPoseArray, "poses", 10)
        _wait(node, lambda: publisher.get_subscription_count() > 0 and latencies_ms.connected())
        message = _message(people)
        for _ in range(round(seconds * rate_hz)):
            due_s = monotonic() + 1 / rate_hz
            latencies_ms.sent_s = monotonic()
            message.header.stamp = node.get_clock().now().to_msg()
            message.sequence += 1
            publisher.publish(message)
            while (left_s := due_s - monotonic()) > 0:
                rclpy.spin_once(node, timeout_sec=left_s)
        figures = latencies_ms.figures()
        status, key = f"{namespace[1:]}/bridge: bridge", "processing {} (ms)"
        _wait(node, lambda: diagnostics.count(status, "received") >= message.sequence)
        times = {x: diagnostics.number(status, key.format(x)) for x in ("p50", "p99")}
        n_received = diagnostics.count(status, "received")
        return figures | {
            "(in the node)": {
                "messages": n_received, "p50_ms": times["p50"], "p99_ms": times["p99"]
            }
        }  # fmt: skip


class _Latencies:
    """How long after the last poses each message arrived."""

    def __init__(self, node: Node, formats: Sequence[str]) -> None:
        self.sent_s = 0.0
        self._node = node
        self._ms: dict[str, list[float]] = {}
        for topic, package, kind in (_TOPICS[name] for name in formats if name in _TOPICS):
            message_type = getattr(import_module(f"{package}.msg"), kind)
            values = self._ms[topic] = []
            node.create_subscription(
                message_type, topic, lambda _, values=values: self._add(values), 10
            )

    def _add(self, values: list[float]) -> None:
        values.append(1e3 * (monotonic() - self.sent_s))

    def connected(self) -> bool:
        """Return whether every topic has a publisher."""
        return all(self._node.count_publishers(topic) for topic in self._ms)

    def figures(self) -> dict[str, dict[str, float]]:
        """Return the number of messages, and percentiles of the latency, of each topic."""
        return {
            topic: {
                "messages": len(values),
                "p50_ms": percentile(values, 50),
                "p99_ms": percentile(values, 99),
            }
            for topic, values in self._ms.items()
            if values
        }


def _wait(node: Node, condition: Any) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise ProcessError("the bridge node does not publish")
        rclpy.spin_once(node, timeout_sec=0.1)


def _message(people: int) -> TrackedPoseArray:
    """Return the poses of people at random places."""
    rng = np.random.default_rng(1)
    width, height = _SIZE
    message = TrackedPoseArray(skeleton="coco17", image_width=width, image_height=height)
    for track_id in range(1, people + 1):
        pose = TrackedPose(track_id=track_id, state=TrackedPose.STATE_CONFIRMED)
        xy = rng.uniform((0, 0), _SIZE, (17, 2))
        pose.keypoints = [Keypoint(x=x, y=y, score=0.9) for x, y in xy.tolist()]
        message.poses.append(pose)
    return message
