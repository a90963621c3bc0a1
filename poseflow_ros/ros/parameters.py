"""The configuration as ROS parameters."""

from collections.abc import Iterable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from poseflow_ros.config import Config, parameters

_LIVE = "may be changed while active"
_FIXED = "read when the node is configured"


def declare(node: Node) -> None:
    """Declare every parameter with its default and description.

    Types and ranges are checked in `read` and not by rclpy, which would end the process over a
    bad value in a YAML file; here the node stays alive and logs what is allowed.
    """
    for parameter in parameters():
        spec = parameter.spec
        node.declare_parameter(
            parameter.name,
            parameter.default,
            ParameterDescriptor(
                description=f"{spec.description}; {_LIVE if spec.live else _FIXED}",
                additional_constraints=spec.allowed(),
                dynamic_typing=True,
            ),
        )


def fixed(names: Iterable[str]) -> list[str]:
    """Return those of these parameters that are read when the node is configured."""
    live = {parameter.name for parameter in parameters() if parameter.spec.live}
    return [name for name in names if name not in live]


def read(node: Node) -> Config:
    """Return the configuration of a node for which `declare` was called.

    Raises:
        ConfigError: a wrong type or a value out of its range.
    """
    names = [parameter.name for parameter in parameters()]
    values: dict[str, Any] = {p.name: p.value for p in node.get_parameters(names)}
    return Config.from_parameters(values)
