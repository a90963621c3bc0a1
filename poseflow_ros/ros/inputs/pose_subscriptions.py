"""Subscriptions of tracked poses, for the nodes that process what the PoseFlow node publishes."""

from collections import deque
from collections.abc import Callable
from functools import partial
from time import perf_counter

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.node import Node

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.behaviors import BehaviorFrame, BehaviorRecognizer
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.ros.diagnostics import Alert
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.publisher import RELIABLE

_WINDOW = 300  # number of messages for the percentiles
NO_BEHAVIORS = BehaviorFrame.empty()


class PoseSubscriptions:
    """Receives tracked poses of several cameras; counts and refuses messages that are invalid."""

    def __init__(
        self,
        node: Node,
        topics: tuple[str, ...],
        config: BehaviorsConfig | None,
        on_poses: Callable[[ReceivedPoses], None],
    ) -> None:
        """Subscribe.

        Args:
            node: owner of the subscriptions.
            topics: of poseflow_msgs/TrackedPoseArray.
            config: of the behaviors; None: they are not needed, and skeletons may have any number
                of keypoints.
            on_poses: called by the executor's thread.
        """
        self._node = node
        self._recognizer = BehaviorRecognizer(config) if config else None
        self._on_poses = on_poses
        self._n_received = self._n_unusable = 0
        self._problem = ""
        self._times_s: deque[float] = deque(maxlen=_WINDOW)
        subscribe = partial(node.create_subscription, TrackedPoseArray)
        self._subscriptions = [subscribe(topic, self._receive, RELIABLE) for topic in topics]

    @property
    def topics(self) -> list[str]:
        """The full names of the topics."""
        return [subscription.topic_name for subscription in self._subscriptions]

    def destroy(self) -> None:
        """Unsubscribe."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def values(self) -> dict[str, str]:
        """Return counts, and the time from a callback to its end, for the diagnostics."""
        values = {"received": str(self._n_received), "unusable": str(self._n_unusable)}
        if self._times_s:
            p50, p99 = 1e3 * np.percentile(self._times_s, [50, 99])
            values |= {"processing p50 (ms)": f"{p50:.2f}", "processing p99 (ms)": f"{p99:.2f}"}
        return values

    def alerts(self) -> list[Alert]:
        """Return why the last message could not be used, if it could not."""
        return [(DiagnosticStatus.WARN, self._problem)] if self._problem else []

    def _receive(self, message: TrackedPoseArray) -> None:
        received_s = perf_counter()
        self._n_received += 1
        try:
            frame = PoseFrame.from_message(message)
            behaviors = self._recognizer.update(frame) if self._recognizer else NO_BEHAVIORS
        except ValueError as error:
            self._refuse(message, str(error))
            return
        self._problem = ""
        self._on_poses(ReceivedPoses(message, frame, behaviors, received_s))
        self._times_s.append(perf_counter() - received_s)

    def _refuse(self, message: TrackedPoseArray, problem: str) -> None:
        """Count a message that cannot be used, and log the first of several."""
        if not self._problem:
            text = f"poses of camera {message.camera!r} ignored: {problem}"
            self._node.get_logger().warning(text)
        self._n_unusable += 1
        self._problem = problem
