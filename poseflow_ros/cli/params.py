"""Parameters from a ROS 2 YAML file, read without ROS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poseflow_ros.config import ConfigError
from poseflow_ros.yaml_file import read_yaml

NODE_NAME = "poseflow"
_SECTIONS = ("/**", NODE_NAME, f"/{NODE_NAME}")
# Parameters of every ROS node; without ROS they have no meaning.
_ROS_ONLY = ("use_sim_time", "qos_overrides")


def read_parameters(path: Path) -> dict[str, Any]:
    """Return the node's parameters from a file such as config/poseflow.yaml.

    Raises:
        ConfigError: the file cannot be read, is not valid YAML, or has no `ros__parameters` of
            this node.
    """
    document = read_yaml(path)
    sections = document if isinstance(document, Mapping) else {}
    values: dict[str, Any] = {}
    for name in _SECTIONS:
        section = sections.get(name)
        if isinstance(section, Mapping) and isinstance(section.get("ros__parameters"), Mapping):
            values |= _flat(section["ros__parameters"])
    if not values:
        raise ConfigError(f"{path} sets no parameters: expected /**: or {NODE_NAME}: with "
                          "ros__parameters: below it")  # fmt: skip
    return {k: v for k, v in values.items() if not k.startswith(_ROS_ONLY)}


def _flat(parameters: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested groups by full names: {tracker: {max_lost_s: 3.0}} -> tracker.max_lost_s."""
    values: dict[str, Any] = {}
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        values |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return values
