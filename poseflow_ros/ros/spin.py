"""Running a node until it is done or a signal ends it, without rclpy's races at the end."""

import signal
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

# About one signal in fifty comes while rclpy waits and does not wake it: so it never waits longer.
_LONGEST_WAIT_S = 0.5


def spin(node: Node, done: Callable[[], bool] = lambda: False) -> None:
    """Execute the node's callbacks until it is done or a signal (SIGINT, SIGTERM) ends it.

    SIGINT is ignored from then on: nothing may follow but cleaning up.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not done():
            executor.spin_once(timeout_sec=_LONGEST_WAIT_S)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # how a node is meant to end
    except rclpy_implementation.RCLError:
        if rclpy.ok():  # otherwise the signal came between two of rclpy's steps
            raise
    finally:
        # `ros2 launch` passes on a Ctrl-C that the process has from the terminal already.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        executor.shutdown()
