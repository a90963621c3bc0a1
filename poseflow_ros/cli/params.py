"""The configuration of a command without ROS, and which parameters it cannot use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poseflow_ros.config import Config
from poseflow_ros.parameter_files import read_parameters
from poseflow_ros.parameter_group import parameters

# Parameters of every ROS node.
_ROS_ONLY = ("use_sim_time", "qos_overrides.", "start_type_description_service")
_NODE_ONLY = (
    "cameras.image_transport", "cameras.max_image_age_s", "cameras.reliability",
    "cameras.replay", "depth.image_transport", "depth.wait_s", "diagnostics.",
    "estimator.timeout_s",
)  # fmt: skip
_MESSAGES_ONLY = (
    "cameras.names", "cameras.rectified", "depth.", "markers.depth_m", "markers.lifetime_s",
    "tracker.publish_lost",
)  # fmt: skip


def node_parameters(path: Path | None) -> dict[str, Any]:
    """Return the values in a parameter file of the node, without those of every ROS node.

    Raises:
        ConfigError: it cannot be read, or sets no parameters of the node.
    """
    values = read_parameters(path) if path else {}
    return {name: value for name, value in values.items() if not name.startswith(_ROS_ONLY)}


def unused_parameters(path: Path | None, config: Config, messages: bool) -> list[str]:
    """Return the names of what a file sets for the node and a command does not use.

    Args:
        path: of the file that `config` was read from.
        config: values equal to the defaults are not reported.
        messages: whether the command writes messages of the node.
    """
    defaults = {parameter.name: parameter.default for parameter in parameters(Config)}
    values: Mapping[str, Any] = read_parameters(path) if path else {}
    present = config.as_parameters()
    unused = _NODE_ONLY if messages else _NODE_ONLY + _MESSAGES_ONLY
    return [
        name
        for name, value in values.items()
        if (name.startswith(_ROS_ONLY) and value)
        or (name.startswith(unused) and present[name] != defaults[name])
    ]
