"""Workarounds for rclpy and bondpy: what goes wrong, where it is reported, when it is fixed."""

import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node

from poseflow_ros.estimation.weights import expand_home

_MAX_WAIT_S = 0.5
_FOREVER_S = 365 * 86400.0

NodeT = TypeVar("NodeT", bound=LifecycleNode)
Transition = Callable[[NodeT, LifecycleState], TransitionCallbackReturn]


def log_exceptions(transition: Transition[NodeT]) -> Transition[NodeT]:
    """Log what a transition callback raises.

    rclpy takes the exception for ERROR and discards it: ros2/rclpy#1673 (open).
    """

    @functools.wraps(transition)
    def wrapper(node: NodeT, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().error(f"{transition.__name__} failed:\n{traceback.format_exc()}")
            raise

    return wrapper


def refuse_illegal_transitions(node: LifecycleNode) -> None:
    """Let the node answer an illegal transition with a refusal.

    rclpy before 8.0.0 (Humble, Jazzy) raises out of the executor instead, which ends the
    process: ros2/rclpy#1209, fixed by ros2/rclpy#1319.
    """
    service = node._service_change_state
    change_state = service.callback

    def refusing(request: Any, response: Any) -> Any:
        try:
            return change_state(request, response)
        except rclpy_implementation.RCLError:
            state = node._state_machine.current_state[1]
            wanted = request.transition.label or request.transition.id
            node.get_logger().error(f"transition {wanted} is not possible when {state}")
            response.success = False
            return response

    service.callback = refusing


def init(args: list[str] | None) -> None:
    """Initialize rclpy; where that is impossible, end the process with one line and code 2.

    - rcl writes logs below $HOME and fails where that is not set, as in containers that run with
      an unknown user id. No upstream issue was found.
    - rclpy reports a parameter file that is missing or is not YAML by a traceback.
    """
    if not any(os.environ.get(name) for name in ("HOME", "ROS_HOME", "ROS_LOG_DIR")):
        os.environ["ROS_LOG_DIR"] = str(expand_home(Path("~/.ros/log")))
    try:
        rclpy.init(args=args)
    except (rclpy_implementation.RCLError, UnicodeError) as error:
        # rcl appends the places in its source.
        text = " ".join(str(error).split()).partition(", at /")[0]
        print(f"cannot start: {text}", file=sys.stderr)
        raise SystemExit(2) from error


def override_names(node: Node) -> list[str]:
    """Return the parameters that are set from outside, declared or not.

    rclpy ignores the undeclared ones and has no public way to list them. No upstream issue was
    found.
    """
    return list(node._parameter_overrides)


def spin(node: Node, done: Callable[[], bool] = lambda: False) -> None:
    """Execute the node's callbacks until it is done or SIGINT or SIGTERM ends it.

    SIGINT is ignored from then on: nothing may follow but cleaning up.

    - About one signal in fifty does not wake the executor, which would wait until the next
      message: no wait is longer than 0.5 s. No upstream issue was found.
    - A signal between two steps of the executor invalidates the context under it, which raises
      RCLError and not ExternalShutdownException: ros2/rclpy#1166.
    - `ros2 launch` passes on a Ctrl-C that the process already has from the terminal:
      ros2/launch#830.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not done():
            executor.spin_once(timeout_sec=_MAX_WAIT_S)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # how a node is meant to end
    except rclpy_implementation.RCLError:
        if rclpy.ok():
            raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        executor.shutdown()


def make_bond(node: Node, topic: str, bond_id: str) -> Any:
    """Return a bond that does not raise after a signal has shut ROS down under its thread.

    bondpy publishes its heartbeat without asking whether the context is still valid. It also
    cannot be told to ignore the other end's silence, so that its timeout is a year. No upstream
    issue was found for either.

    Raises:
        ImportError: bondpy is not installed.
    """
    from bondpy.bondpy import Bond

    class QuietBond(Bond):
        def _publish(self, active: bool) -> None:
            try:
                super()._publish(active)
            except rclpy_implementation.RCLError:
                if self.node.context.ok():
                    raise

    bond = QuietBond(node, topic, bond_id)
    bond.heartbeat_timeout = _FOREVER_S
    return bond


def shut_down_bond(node: Node, bond: Any) -> None:
    """Shut a bond down and destroy its subscription and publisher.

    bondpy leaves both in the node's lists, where the executor fails on them. No upstream issue
    was found; ros/bond_core#113 reports errors of bondpy when a node is activated again.
    """
    node.destroy_subscription(bond.sub)
    bond.shutdown()
    node.destroy_publisher(bond.pub)
