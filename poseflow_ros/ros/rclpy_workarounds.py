"""Workarounds for defects of rclpy and bondpy, with their upstream issues and fixes."""

import functools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from poseflow_ros.estimation.weights import expand_home
from poseflow_ros.ros import stop_signals

_MAX_WAIT_S = 0.5
_FOREVER_S = 365 * 86400.0

NodeT = TypeVar("NodeT", bound=LifecycleNode)
Transition = Callable[[NodeT, LifecycleState], TransitionCallbackReturn]


def log_exceptions(transition: Transition[NodeT]) -> Transition[NodeT]:
    """Log exceptions of a transition callback.

    rclpy converts the exception to ERROR without logging it: ros2/rclpy#1673 (open).
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
    """Make the node reject illegal transitions.

    rclpy before 8.0.0 (Humble, Jazzy) raises out of the executor instead, which terminates the
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


def release_state_machine(node: LifecycleNode) -> None:
    """Make a destroyed node leave the ROS graph.

    The state machine keeps rcl's node, and rclpy does not destroy it: the node stays in the graph,
    without topics and services, until Python collects it as garbage. No upstream issue was found;
    ros2/rclpy#1710 is the same defect of another part of a node.
    """
    node._state_machine = None


def init(args: list[str] | None) -> None:
    """Initialize rclpy; where that is impossible, end the process with one line and code 2.

    - rclpy's signal handlers shut ROS down in another thread, while callbacks still publish or
      create publishers: they raise RCLError (ros2/rclpy#1166). `spin` handles signals instead.
    - rcl writes logs below $HOME and fails where that is not set, as in containers that run with
      an unknown user id. No upstream issue was found.
    - rclpy reports a parameter file that is missing or is not YAML by a traceback.
    """
    if not any(os.environ.get(name) for name in ("HOME", "ROS_HOME", "ROS_LOG_DIR")):
        os.environ["ROS_LOG_DIR"] = str(expand_home(Path("~/.ros/log")))
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except (rclpy_implementation.RCLError, UnicodeError) as error:
        # rcl appends the places in its source.
        text = " ".join(str(error).split()).partition(", at /")[0]
        print(f"cannot start: {text}", file=sys.stderr)
        raise SystemExit(2) from error


def override_names(node: Node) -> list[str]:
    """Return the names of parameter overrides, declared or not.

    rclpy ignores the undeclared ones and has no public way to list them. No upstream issue was
    found.
    """
    return list(node._parameter_overrides)


def spin(node: Node, done: Callable[[], bool] = lambda: False) -> None:
    """Spin the node until `done` returns true, or SIGINT or SIGTERM is received.

    ROS stays initialized, so that the node can publish during cleanup. A signal does not wake the
    executor, therefore its waits are limited to 0.5 s.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    with stop_signals.recorded():
        try:
            while not (done() or stop_signals.received()):
                executor.spin_once(timeout_sec=_MAX_WAIT_S)
        except KeyboardInterrupt:
            pass  # from `Worker.call`
        finally:
            executor.shutdown()


def make_bond(node: Node, topic: str, bond_id: str) -> Any:
    """Return a bond that ignores missing heartbeats of the other end.

    bondpy has no option for that, so the timeout is set to a year. No upstream issue was found.

    Raises:
        ImportError: bondpy is not installed.
    """
    from bondpy.bondpy import Bond

    bond = Bond(node, topic, bond_id)
    bond.heartbeat_timeout = _FOREVER_S
    return bond


def shut_down_bond(node: Node, bond: Any) -> None:
    """Shut a bond down and destroy its subscription and publisher.

    bondpy leaves both in the node's lists, which makes the executor fail. No upstream issue was
    found; ros/bond_core#113 reports errors of bondpy when a node is activated again.
    """
    node.destroy_subscription(bond.sub)
    bond.shutdown()
    node.destroy_publisher(bond.pub)
