"""Subscriptions of tracked poses, for the nodes that process what the PoseFlow node publishes."""

from collections.abc import Callable
from functools import partial

from diagnostic_msgs.msg import DiagnosticStatus
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.node import Node

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.behaviors import BehaviorFrame, BehaviorRecognizer
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.ros.diagnostics import Alert
from poseflow_ros.ros.publisher import RELIABLE

OnPoses = Callable[[TrackedPoseArray, PoseFrame, BehaviorFrame], None]
"""Receives a message, the same as arrays, and the behaviors of the people observed."""


class PoseSubscriptions:
    """Receives tracked poses of several cameras; counts and refuses messages that are invalid."""

    def __init__(
        self, node: Node, topics: tuple[str, ...], config: BehaviorsConfig, on_poses: OnPoses
    ) -> None:
        """Subscribe.

        Args:
            node: owner of the subscriptions.
            topics: of poseflow_msgs/TrackedPoseArray.
            config: of the behaviors.
            on_poses: called by the executor's thread.
        """
        self._node = node
        self._recognizer = BehaviorRecognizer(config)
        self._on_poses = on_poses
        self._n_received = self._n_unusable = 0
        self._problem = ""
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
        """Return the counts for the diagnostics."""
        return {"received": str(self._n_received), "unusable": str(self._n_unusable)}

    def alerts(self) -> list[Alert]:
        """Return why the last message could not be used, if it could not."""
        return [(DiagnosticStatus.WARN, self._problem)] if self._problem else []

    def _receive(self, message: TrackedPoseArray) -> None:
        self._n_received += 1
        try:
            frame = PoseFrame.from_message(message)
            behaviors = self._recognizer.update(frame)
        except ValueError as error:
            self._refuse(message, str(error))
            return
        self._problem = ""
        self._on_poses(message, frame, behaviors)

    def _refuse(self, message: TrackedPoseArray, problem: str) -> None:
        """Count a message that cannot be used, and log the first of several."""
        if not self._problem:
            text = f"poses of camera {message.camera!r} ignored: {problem}"
            self._node.get_logger().warning(text)
        self._n_unusable += 1
        self._problem = problem
