"""Nodes as separate processes: start, bring-up, diagnostics and stop."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import rclpy
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node

from poseflow_ros.bench.error import BenchError
from poseflow_ros.ros_data.header import seconds

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 10.0
# A client discovers a service before the service discovers the client; a response sent in between
# is lost.
_SETTLE_S = 0.5
# Of Fast DDS 2 and of 3.
_PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


class ProcessError(BenchError):
    """A process failed; the message gives the process and the failure."""


def use_large_images_profile() -> str:
    """Make Fast DDS use shared memory for whole images, unless a profile is set already.

    It applies to participants that this process and its future child processes create.

    Returns:
        The path of the profile in use.
    """
    share = Path(get_package_share_directory("poseflow_ros"))
    ours = str(share / "config" / "fastdds_large_images.xml")
    chosen = next((os.environ[name] for name in _PROFILES if os.environ.get(name)), ours)
    os.environ.update(dict.fromkeys(_PROFILES, chosen))
    return chosen


def executable(name: str) -> list[str]:
    """Return the command of one of the package's executables."""
    return [str(Path(get_package_prefix("poseflow_ros"), "lib", "poseflow_ros", name))]


def start(
    stack: ExitStack,
    command: Sequence[str],
    namespace: str,
    parameters: Sequence[str] = (),
    stdout: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a node; it is interrupted when the stack unwinds.

    Args:
        stack: stops the process when it is closed.
        command: of the node, as returned by `executable`.
        namespace: of the node, "/demo".
        parameters: "name:=value" each.
        stdout: `subprocess.PIPE` to read its output, or None.
    """
    ros = ["--ros-args", "-r", f"__ns:={namespace}", "--log-level", "warn"]
    assignments = [part for p in parameters for part in ("-p", p)]
    process = subprocess.Popen([*command, *ros, *assignments], stdout=stdout)
    stack.callback(_stop, process)
    return process


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def bring_up(node: Node, process: "subprocess.Popen[bytes]", name: str) -> None:
    """Configure and activate a lifecycle node, as a lifecycle manager does.

    Args:
        node: creates the service clients.
        process: the lifecycle node's.
        name: the lifecycle node's full name, "/demo/poseflow".

    Raises:
        ProcessError: the node ended, does not respond or rejects a transition.
    """
    client = node.create_client(ChangeState, f"{name}/change_state")
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not client.wait_for_service(0.2):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ProcessError(f"{name} did not start; see its lines above")
    time.sleep(_SETTLE_S)
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        rclpy.spin_until_future_complete(node, future, timeout_sec=_START_TIMEOUT_S)
        if not (future.done() and future.result().success):
            raise ProcessError(f"{name} refused transition {transition}; see above")
    node.destroy_client(client)


class DiagnosticsListener:
    """The latest diagnostics of each node on `/diagnostics`."""

    def __init__(self, node: Node) -> None:
        """Subscribe; the callbacks run while the caller spins the node."""
        self._values: dict[str, dict[str, str]] = {}
        self._stamps_s: dict[str, float] = {}
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._values[status.name] = {v.key: v.value for v in status.values}
            self._stamps_s[status.name] = seconds(message.header.stamp)

    def values(self, status: str) -> dict[str, str]:
        """Return the values of a status; empty before the first message."""
        return self._values.get(status, {})

    def stamp_s(self, status: str) -> float:
        """Return the stamp of the last message, by the publisher's clock, seconds; 0 if none."""
        return self._stamps_s.get(status, 0.0)

    def count(self, status: str, key: str) -> int:
        """Return a whole number, 0 before the first."""
        return int(self.values(status).get(key, 0))

    def number(self, status: str, key: str) -> float:
        """Return a number, 0 before the first."""
        return float(self.values(status).get(key, 0))
