"""A lost GPU: how the process ends, and what the next process knows about it.

CUDA cannot be used again in a process in which the device failed. The process ends and is started
again; if the device is still missing then, `auto` would select a slower network unnoticed.
"""

import os
from contextlib import suppress
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus

from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.ros.diagnostics import Alert

EXIT_CODE = 75
"""Exit code of a process whose GPU was lost: sysexits.h's EX_TEMPFAIL, try again."""


def record(node_name: str, reason: str) -> None:
    """Remember the loss for the next process of this node, if the folder can be written."""
    path = _path(node_name)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reason)


def alerts(node_name: str, estimator: PoseEstimator, device: str) -> list[Alert]:
    """Return an ERROR if a network runs without the GPU that an earlier process lost.

    The loss is forgotten once a network runs on a GPU again, or `estimator.device` is cpu.

    Args:
        node_name: fully qualified.
        estimator: the network in use.
        device: the parameter `estimator.device`.
    """
    path = _path(node_name)
    try:
        reason = path.read_text()
    except OSError:
        return []
    if estimator.device_bytes or device == "cpu":
        path.unlink(missing_ok=True)
        return []
    text = f"the GPU was lost ({reason}) and this network runs without it"
    return [(DiagnosticStatus.ERROR, text)]


def _path(node_name: str) -> Path:
    """Return the file that remembers the loss, in the folder that ROS uses for its logs."""
    home = Path(os.environ.get("ROS_HOME", "~/.ros")).expanduser()
    return home / "poseflow" / f"{node_name.strip('/').replace('/', '.')}.device_lost"
