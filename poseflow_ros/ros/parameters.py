"""The configuration as ROS parameters."""

from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from poseflow_ros.config import Config, ConfigError, parameters, spec_of


def declare(node: Node) -> None:
    """Declare every parameter with its default and description.

    Types and ranges are checked in `read` and not by rclpy, which would end the process over a
    bad value in a YAML file; here the node lives on and says what is allowed.
    """
    for item in parameters():
        spec = spec_of(item)
        node.declare_parameter(
            item.name,
            item.default,
            ParameterDescriptor(
                description=spec.description,
                additional_constraints=spec.allowed(),
                dynamic_typing=True,
            ),
        )


def read(node: Node, changed: list[Parameter] | None = None) -> Config:
    """Return the node's configuration.

    Args:
        node: where `declare` was called.
        changed: parameters that are to be taken instead of the node's own.

    Raises:
        ConfigError: a wrong type or a value out of its range.
    """
    names = [item.name for item in parameters()]
    values: dict[str, Any] = {p.name: p.value for p in node.get_parameters(names)}
    values |= {p.name: p.value for p in changed or () if p.name in values}
    for name, value in values.items():
        if value is None:
            raise ConfigError(f"{name} is not set")
    return Config.from_parameters(values)
