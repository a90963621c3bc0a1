"""The lifecycle node of actions and behaviors: tracked poses in, labels out."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from poseflow_msgs.msg import TrackedActionArray, TrackedBehaviorArray, TrackedPoseArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos_overriding_options import InvalidQosOverridesError

from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.windows import PoseWindows
from poseflow_ros.config import ActionConfig, ConfigError, parameter_names
from poseflow_ros.parameter_files import unmatched_files
from poseflow_ros.recognition.action_classifier import ActionClassifier, Actions
from poseflow_ros.recognition.network import ClassifierError
from poseflow_ros.ros import parameters
from poseflow_ros.ros.action_loop import ActionJob, ActionLoop
from poseflow_ros.ros.action_messages import action_array, behavior_array
from poseflow_ros.ros.bond import ManagerBond
from poseflow_ros.ros.diagnostics import Alert, make_status
from poseflow_ros.ros.outputs import RELIABLE, create_publisher
from poseflow_ros.ros.rclpy_workarounds import log_exceptions, refuse_illegal_transitions, spin

_DIAGNOSTICS_PERIOD_S = 1.0
_RELEASE_WAIT_S = 0.08
_EXIT_WAIT_S = 0.5


@dataclass(slots=True)
class MessageCounts:
    """What the node received while it was active."""

    received: int = 0
    unusable: int = 0
    last_problem: str = ""
    """Why the last message could not be used; empty after one that could."""


class ActionNode(LifecycleNode):
    """Tracked poses in; actions and behaviors out.

    The executor's thread receives messages, collects windows and publishes behaviors; the action
    loop's thread runs the network.
    """

    def __init__(self, node_name: str = "actions", **node_options: Any) -> None:
        super().__init__(node_name, **node_options)
        parameters.declare(self, ActionConfig)
        for line in parameters.unknown(self, parameter_names(ActionConfig)):
            self.get_logger().warning(line)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        refuse_illegal_transitions(self)
        self._bond = ManagerBond(self)
        self.config: ActionConfig | None = None
        """All parameters, while the node is configured."""
        self._loop: ActionLoop | None = None
        self._counts = MessageCounts()
        self._resources = ExitStack()
        self._subscriptions_of_poses: list[Any] = []

    # Transitions

    @log_exceptions
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and load the network; fail with one line that says why."""
        try:
            self.config = config = parameters.read(self, ActionConfig)
            self._create_outputs()
            if config.classifier.model:
                self._create_loop(ActionClassifier(config.classifier))
        except (ConfigError, ClassifierError, InvalidQosOverridesError) as error:
            self.get_logger().error(f"cannot configure: {error}")
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._behaviors = BehaviorRecognizer(config.behaviors)
        self._windows = PoseWindows(config.windows)
        self.get_logger().info(f"configured: {config.classifier.model or 'behaviors only'}")
        return super().on_configure(state)

    @log_exceptions
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and publish."""
        assert self.config
        result = super().on_activate(state)
        for topic in self.config.poses.topics:
            subscription = self.create_subscription(
                TrackedPoseArray, topic, self._on_poses, RELIABLE
            )
            self._subscriptions_of_poses.append(subscription)
        self._bond.start()
        topics = ", ".join(one.topic_name for one in self._subscriptions_of_poses)
        self.get_logger().info(f"active: subscribed to {topics}")
        return result

    @log_exceptions
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and discard the poses collected; the network stays loaded."""
        self._stop()
        self.get_logger().info("inactive")
        return super().on_deactivate(state)

    @log_exceptions
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self._release()
        self.get_logger().info("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    @log_exceptions
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything, from any state."""
        self._release()
        self.get_logger().info("shut down")
        return TransitionCallbackReturn.SUCCESS

    @log_exceptions
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything, so that the node can be configured again."""
        self._release()
        self.get_logger().error("unconfigured after an error; configure to try again")
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Release everything, whatever the state."""
        self._release(_EXIT_WAIT_S)
        super().destroy_node()

    # Wiring

    def _create_outputs(self) -> None:
        """Create the publishers, and the timer of the diagnostics."""
        behaviors = create_publisher(self, TrackedBehaviorArray, "~/behaviors", RELIABLE)
        self._resources.callback(self.destroy_lifecycle_publisher, behaviors)
        self._behaviors_publisher = behaviors
        diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RELIABLE)
        self._resources.callback(self.destroy_publisher, diagnostics)
        self._diagnostics_publisher = diagnostics
        # The clock of a bag may stand still.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(_DIAGNOSTICS_PERIOD_S, self._on_timer, clock=clock)
        self._resources.callback(self.destroy_timer, timer)

    def _create_loop(self, classifier: ActionClassifier) -> None:
        """Create the publisher of actions and the loop that runs the network."""
        actions = create_publisher(self, TrackedActionArray, "~/actions", RELIABLE)
        self._resources.callback(self.destroy_lifecycle_publisher, actions)

        def publish(job: ActionJob, result: Actions) -> None:
            actions.publish(action_array(job.header, job.windows, result))

        self._loop = ActionLoop(classifier, publish, self.get_logger().error)

    def _stop(self) -> None:
        """Unsubscribe; windows that wait or are in progress are dropped."""
        self._bond.stop()
        for subscription in self._subscriptions_of_poses:
            self.destroy_subscription(subscription)
        self._subscriptions_of_poses.clear()
        if self._loop is not None:
            self._loop.clear()
        if self.config is not None:
            self._behaviors = BehaviorRecognizer(self.config.behaviors)
            self._windows = PoseWindows(self.config.windows)

    def _release(self, wait_s: float = _RELEASE_WAIT_S) -> None:
        """Release all that `on_configure` created, however far it got."""
        self._stop()
        if self._loop is not None:
            self._loop.close(wait_s)
        self._resources.close()
        self._loop = self.config = None

    # Callbacks

    def _on_poses(self, message: TrackedPoseArray) -> None:
        """Publish the behaviors, and let the windows that are complete be classified."""
        received_s = perf_counter()
        self._counts.received += 1
        try:
            frame = PoseFrame.from_message(message)
            behaviors = self._behaviors.update(frame)
        except ValueError as error:
            self._refuse(message, str(error))
            return
        self._counts.last_problem = ""
        self._behaviors_publisher.publish(behavior_array(message, behaviors))
        if self._loop is not None:
            windows = self._windows.update(frame)
            if len(windows):
                self._loop.put(ActionJob(message.header, windows, received_s))

    def _refuse(self, message: TrackedPoseArray, problem: str) -> None:
        """Count a message that cannot be used, and log the first of several."""
        if not self._counts.last_problem:
            self.get_logger().warning(f"poses of camera {message.camera!r} ignored: {problem}")
        self._counts.unusable += 1
        self._counts.last_problem = problem

    def _on_timer(self) -> None:
        """Publish diagnostics."""
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = [self._status()]
        self._diagnostics_publisher.publish(message)

    def _status(self) -> DiagnosticStatus:
        counts, alerts = self._counts, list[Alert]()
        values = {"received": str(counts.received), "unusable": str(counts.unusable)}
        if counts.last_problem:
            alerts.append((DiagnosticStatus.WARN, counts.last_problem))
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

    def _on_set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        """Refuse values that cannot be used, and changes while the node is configured."""
        try:
            parameters.changed(self, self.config, changes, ActionConfig)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; return 0."""
    rclpy.init(args=args)
    node = ActionNode()
    for line in unmatched_files(sys.argv, node.get_fully_qualified_name()):
        node.get_logger().warning(line)
    try:
        spin(node)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
