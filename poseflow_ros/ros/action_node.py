"""The lifecycle node of actions and behaviors: tracked poses in, labels out."""

import sys
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from poseflow_msgs.msg import TrackedActionArray, TrackedBehaviorArray

from poseflow_ros.action_config import ActionConfig
from poseflow_ros.actions.windows import PoseWindows
from poseflow_ros.recognition.action_classifier import ActionClassifier, Actions
from poseflow_ros.recognition.network import ClassifierError
from poseflow_ros.ros.action_loop import ActionJob, ActionLoop
from poseflow_ros.ros.diagnostics import Alert, make_status
from poseflow_ros.ros.inputs.pose_subscriptions import PoseSubscriptions
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.managed_node import ManagedNode, run
from poseflow_ros.ros.outputs.action_messages import action_array, behavior_array


class ActionNode(ManagedNode[ActionConfig]):
    """Tracked poses in; actions and behaviors out.

    The executor's thread receives messages, collects windows and publishes behaviors; the action
    loop's thread runs the network.
    """

    config_class = ActionConfig
    setup_errors = (ClassifierError,)

    def __init__(self, node_name: str = "actions", **node_options: Any) -> None:
        super().__init__(node_name, **node_options)
        self._loop: ActionLoop | None = None
        self._subscriptions_of_poses: PoseSubscriptions | None = None

    def set_up(self, config: ActionConfig) -> str:
        """Load the network and create the publishers."""
        self._behaviors_publisher = self.publisher(TrackedBehaviorArray, "~/behaviors")
        if config.classifier.model:
            self._create_loop(ActionClassifier(config.classifier))
        return config.classifier.model or "behaviors only"

    def start(self) -> list[str]:
        """Subscribe to the poses."""
        assert self.config
        self._windows = PoseWindows(self.config.windows)
        self._subscriptions_of_poses = PoseSubscriptions(
            self, self.config.poses.topics, self.config.behaviors, self._on_poses
        )
        return self._subscriptions_of_poses.topics

    def stop(self) -> None:
        """Unsubscribe and discard the windows not yet classified."""
        if self._subscriptions_of_poses is not None:
            self._subscriptions_of_poses.destroy()
        self._subscriptions_of_poses = None
        if self._loop is not None:
            self._loop.clear()

    def tear_down(self, wait_s: float) -> None:
        """Close the network."""
        if self._loop is not None:
            self._loop.close(wait_s)
        self._loop = None

    def statuses(self) -> list[DiagnosticStatus]:
        """Return the diagnostics of the messages received and the network."""
        return [self._status()]

    def _create_loop(self, classifier: ActionClassifier) -> None:
        """Create the publisher of actions and the loop that runs the network."""
        actions = self.publisher(TrackedActionArray, "~/actions")

        def publish(job: ActionJob, result: Actions) -> None:
            actions.publish(action_array(job.header, job.windows, result))

        self._loop = ActionLoop(classifier, publish, self.get_logger().error)

    # Callbacks

    def _on_poses(self, poses: ReceivedPoses) -> None:
        """Publish the behaviors, and let the windows that are complete be classified."""
        self._behaviors_publisher.publish(behavior_array(poses.message, poses.behaviors))
        if self._loop is not None:
            windows = self._windows.update(poses.frame)
            if len(windows):
                self._loop.put(ActionJob(poses.message.header, windows, poses.received_s))

    def _status(self) -> DiagnosticStatus:
        poses, alerts, values = self._subscriptions_of_poses, list[Alert](), dict[str, str]()
        if poses is not None:
            alerts, values = poses.alerts(), poses.values()
        if self._loop is not None:
            figures, latencies_s = self._loop.figures()
            for name in ("classified", "dropped", "failed"):
                values[f"windows {name}"] = str(getattr(figures, name))
            if latencies_s:
                p50, p99 = np.percentile(latencies_s, [50, 99]) * 1e3
                values |= {"latency p50 (ms)": f"{p50:.2f}", "latency p99 (ms)": f"{p99:.2f}"}
            if figures.last_failure:
                alerts.append((DiagnosticStatus.ERROR, figures.last_failure))
        name = f"{self.get_fully_qualified_name()[1:]}: actions"
        return make_status(name, "actions", alerts, values)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; return 0."""
    return run(ActionNode, args)


if __name__ == "__main__":
    sys.exit(main())
