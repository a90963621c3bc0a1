"""The lifecycle, parameters and diagnostics that all nodes of this package share."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, ClassVar, Generic

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import InvalidQosOverridesError

from poseflow_ros.parameter_files import unmatched_files
from poseflow_ros.parameter_group import ConfigError, ConfigT, parameter_names
from poseflow_ros.ros import parameters
from poseflow_ros.ros.bond import ManagerBond
from poseflow_ros.ros.publisher import RELIABLE, create_publisher
from poseflow_ros.ros.rclpy_workarounds import (
    init,
    log_exceptions,
    refuse_illegal_transitions,
    release_state_machine,
    spin,
)

_DIAGNOSTICS_PERIOD_S = 1.0
# A transition takes at most 100 ms; what takes longer to stop is closed when it has finished.
_RELEASE_WAIT_S = 0.08
_EXIT_WAIT_S = 0.5


class ManagedNode(LifecycleNode, Generic[ConfigT]):
    """A lifecycle node with checked parameters and diagnostics.

    A subclass names its parameters and implements `set_up`, `start`, `stop`, `tear_down`,
    `apply` and `statuses`. The executor's thread calls all of them.
    """

    config_class: type[ConfigT]
    """The node's parameters."""
    setup_errors: ClassVar[tuple[type[Exception], ...]] = ()
    """What `set_up` raises, besides invalid parameters, where the node cannot be configured."""

    def __init__(self, node_name: str, **node_options: Any) -> None:
        super().__init__(node_name, **node_options)
        parameters.declare(self, self.config_class)
        for line in parameters.unknown(self, parameter_names(self.config_class)):
            self.get_logger().warning(line)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        refuse_illegal_transitions(self)
        self._bond = ManagerBond(self)
        self.config: ConfigT | None = None
        """All parameters, while the node is configured."""
        self.resources = ExitStack()
        """Closed when the node is unconfigured."""
        self.gave_up = False
        """Whether the next deactivation is an error transition."""
        self.exit_code = 0
        """Not 0 once the process must end."""

    # What a subclass implements

    def set_up(self, config: ConfigT) -> str:
        """Create what the node needs, and return a description of it for the log."""
        raise NotImplementedError

    def start(self) -> list[str]:
        """Subscribe, and return the topics' names.

        Raises:
            InvalidQosOverridesError: a parameter overrides a QoS with an invalid one.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Unsubscribe and drop what is in progress; `set_up` may not have completed."""
        raise NotImplementedError

    def tear_down(self, wait_s: float) -> None:
        """Release what `set_up` created, even if it did not complete, within `wait_s` seconds."""

    def apply(self, config: ConfigT) -> None:
        """Use changed live parameters; the node is configured."""

    def statuses(self) -> list[DiagnosticStatus]:
        """Return the diagnostics; empty: publish none. Called once a second while configured."""
        raise NotImplementedError

    # Transitions

    @log_exceptions
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and set up; on failure log the reason in one line."""
        try:
            self.config = parameters.read(self, self.config_class)
            description = self.set_up(self.config)
            self._create_diagnostics()
        except (ConfigError, InvalidQosOverridesError, *self.setup_errors) as error:
            self.get_logger().error(f"cannot configure: {error}")
            self._release()
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f"configured: {description}")
        return super().on_configure(state)

    @log_exceptions
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and publish."""
        result = super().on_activate(state)
        try:
            topics = self.start()
        except InvalidQosOverridesError as error:
            self.get_logger().error(f"cannot activate: {error}")
            self._stop()
            return TransitionCallbackReturn.FAILURE
        self._bond.start()
        self.get_logger().info(f"active: subscribed to {', '.join(topics)}")
        return result

    @log_exceptions
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop publishing; what was loaded stays loaded."""
        self._stop()
        if self.gave_up:
            return TransitionCallbackReturn.ERROR
        self.get_logger().info("inactive")
        return super().on_deactivate(state)

    @log_exceptions
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release all resources."""
        self._release()
        self.get_logger().info("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    @log_exceptions
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release all resources, from any state."""
        self._release()
        self.get_logger().info("shut down")
        return TransitionCallbackReturn.SUCCESS

    @log_exceptions
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release all resources, so that the node can be configured again."""
        self._release()
        self.gave_up = False
        advice = "the process ends" if self.exit_code else "configure to try again"
        self.get_logger().error(f"unconfigured after an error; {advice}")
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Release all resources, in any state, and leave the ROS graph."""
        self._stop()
        self._wait_for_acknowledgments()
        self._release(_EXIT_WAIT_S)
        super().destroy_node()
        release_state_machine(self)

    # Resources

    def publisher(self, message_type: type[Any], topic: str, qos: QoSProfile = RELIABLE) -> Any:
        """Return a lifecycle publisher that is destroyed when the node is unconfigured.

        Raises:
            InvalidQosOverridesError: a parameter overrides the QoS with an invalid one.
        """
        publisher = create_publisher(self, message_type, topic, qos)
        self.resources.callback(self.destroy_lifecycle_publisher, publisher)
        return publisher

    def _create_diagnostics(self) -> None:
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RELIABLE)
        self.resources.callback(self.destroy_publisher, self._diagnostics)
        # ROS time stops while a bag is paused.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(_DIAGNOSTICS_PERIOD_S, self._on_timer, clock=clock)
        self.resources.callback(self.destroy_timer, timer)

    def _wait_for_acknowledgments(self) -> None:
        """Wait until subscribers have acknowledged the last messages, at most 0.5 s in all.

        Messages without acknowledgment, such as the deletion of the markers, can be lost when the
        process ends.
        """
        end_s = time.monotonic() + _EXIT_WAIT_S
        # Raised where ROS has been shut down, or the middleware cannot wait.
        with suppress(rclpy_implementation.RCLError):
            for publisher in self.publishers:
                publisher.wait_for_all_acked(Duration(seconds=max(0.0, end_s - time.monotonic())))

    def _stop(self) -> None:
        self._bond.stop()
        self.stop()

    def _release(self, wait_s: float = _RELEASE_WAIT_S) -> None:
        """Release what `on_configure` created, even if it did not complete."""
        self._stop()
        self.tear_down(wait_s)
        self.resources.close()
        self.config = None

    # Callbacks

    def _on_timer(self) -> None:
        if statuses := self.statuses():
            message = DiagnosticArray(status=statuses)
            message.header.stamp = self.get_clock().now().to_msg()
            self._diagnostics.publish(message)

    def _on_set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        """Apply all changed parameters, or reject all of them."""
        try:
            config = parameters.changed(self, self.config, changes, self.config_class)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self.config is not None:
            self.config = config
            self.apply(config)
        return SetParametersResult(successful=True)


def run(make_node: Callable[[], ManagedNode[Any]], args: list[str] | None) -> int:
    """Run a node until it is interrupted or must end; return its exit code."""
    init(args)
    node = make_node()
    for line in unmatched_files(sys.argv, node.get_fully_qualified_name()):
        node.get_logger().warning(line)
    try:
        spin(node, lambda: node.exit_code != 0)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return node.exit_code
