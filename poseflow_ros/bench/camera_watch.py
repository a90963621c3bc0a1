"""The published poses and diagnostics of one camera of a node."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from poseflow_ros.bench.processes import DiagnosticsListener
from poseflow_ros.poses import FloatArray
from poseflow_ros.ros_data.header import seconds

WARM_UP_S = 1.0
_COUNTS = ("received", "processed", "dropped")
_DROPPED = "dropped: "


def percentiles_ms(latencies_ms: FloatArray) -> dict[str, float | None]:
    """Return the 50th and 99th percentile, None if there are no latencies."""
    values = np.percentile(latencies_ms, [50, 99]).round(2).tolist() if len(latencies_ms) else []
    p50, p99 = values or (None, None)
    return {"latency_p50_ms": p50, "latency_p99_ms": p99}


@dataclass(slots=True)
class PoseLog:
    """Stamps and reception times of the received poses, seconds."""

    stamps_s: list[float] = field(default_factory=list)
    received_s: list[float] = field(default_factory=list)

    def listen(self, node: Node, topic: str) -> None:
        """Subscribe."""
        clock = node.get_clock()

        def on_poses(message: TrackedPoseArray) -> None:
            self.received_s.append(clock.now().nanoseconds * 1e-9)
            self.stamps_s.append(seconds(message.header.stamp))

        node.create_subscription(TrackedPoseArray, topic, on_poses, 100)

    def latencies_ms(self) -> FloatArray:
        """Return the latencies from publishing an image to receiving its poses, after warm-up."""
        stamps_s = np.array(self.stamps_s)
        warm = stamps_s >= stamps_s[:1] + WARM_UP_S if len(stamps_s) else np.zeros(0, bool)
        return np.asarray(1e3 * (np.array(self.received_s) - stamps_s)[warm], float)


class CameraWatch:
    """Subscribes to the poses and diagnostics of one camera."""

    def __init__(
        self, node: Node, diagnostics: DiagnosticsListener, poseflow: str, name: str
    ) -> None:
        """Subscribe; the callbacks run while the caller spins the node.

        Args:
            node: creates the subscriptions.
            diagnostics: of all nodes.
            poseflow: the PoseFlow node's full name, "/demo/poseflow".
            name: the camera's, "" where it is the only one.
        """
        self._node = node
        self._diagnostics = diagnostics
        self._outputs = f"{poseflow}/{name}".rstrip("/")
        self._status = f"{poseflow}: camera {name}".rstrip()
        self.annotated = 0
        self.poses = PoseLog()
        self.poses.listen(node, f"{self._outputs}/tracked_poses")

    def listen_to_annotated(self) -> None:
        """Subscribe to the annotated images and count them."""

        def on_image(_: bytes) -> None:
            self.annotated += 1

        topic, qos = f"{self._outputs}/annotated", qos_profile_sensor_data
        self._node.create_subscription(Image, topic, on_image, qos, raw=True)

    def status_stamp_s(self) -> float:
        """Return the stamp of the last diagnostics, by the node's clock, seconds; 0 if none."""
        return self._diagnostics.stamp_s(self._status)

    def in_progress(self) -> int:
        """Return the number of images in progress: received, not yet processed or dropped."""
        received, processed, dropped = self.counts().values()
        return received - processed - dropped

    def counts(self) -> dict[str, int]:
        """Return the numbers of received, processed and dropped images."""
        return {name: self._diagnostics.count(self._status, name) for name in _COUNTS}

    def reasons(self) -> dict[str, int]:
        """Return the number of dropped images by reason."""
        values = self._diagnostics.values(self._status)
        return {k.removeprefix(_DROPPED): int(v) for k, v in values.items() if _DROPPED in k}

    def number(self, key: str) -> float:
        """Return a number from the camera's diagnostics, 0 if missing."""
        return self._diagnostics.number(self._status, key)

    def figures(self, published: int, duration_s: float) -> dict[str, Any]:
        """Return the camera's part of the report.

        Args:
            published: number of published images.
            duration_s: from the first image to the end, seconds.
        """
        latencies_ms = self.poses.latencies_ms()
        rate_hz = round(len(latencies_ms) / (duration_s - WARM_UP_S), 2)
        return (
            {"published": published}
            | self.counts()
            | {"rate_hz": rate_hz}
            | percentiles_ms(latencies_ms)
        )
