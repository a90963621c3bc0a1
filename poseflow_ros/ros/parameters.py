"""The configuration as ROS parameters."""

from collections.abc import Iterable, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from poseflow_ros.parameter_group import (
    ConfigError,
    ConfigT,
    NodeConfig,
    parameters,
    unknown_parameter,
)
from poseflow_ros.ros.rclpy_workarounds import override_names

_LIVE = "may be changed while active"
_FIXED = "read when the node is configured"


def declare(node: Node, config: type[NodeConfig]) -> None:
    """Declare every parameter of a configuration with its default and description.

    `read` checks types and ranges, not rclpy: rclpy would terminate the process on an invalid
    value in a YAML file.
    """
    for parameter in parameters(config):
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


def unknown(node: Node, known: Sequence[str]) -> list[str]:
    """Return one line for each parameter that is set, by a file or `-p`, but does not exist.

    Called after the parameters are declared. QoS overrides are declared later, with their
    publishers.

    Args:
        node: which declared its parameters.
        known: the names of its parameters.
    """
    names = override_names(node)
    return [
        unknown_parameter(name, known)
        for name in names
        if not node.has_parameter(name) and not name.startswith("qos_overrides.")
    ]


def read(node: Node, config: type[ConfigT]) -> ConfigT:
    """Return the configuration of a node for which `declare` was called.

    Raises:
        ConfigError: a value has the wrong type or is out of range.
    """
    names = [parameter.name for parameter in parameters(config)]
    values: dict[str, Any] = {p.name: p.value for p in node.get_parameters(names)}
    return config.from_parameters(values)


def changed(
    node: Node, current: ConfigT | None, changes: Iterable[Parameter], config: type[ConfigT]
) -> ConfigT:
    """Return the configuration after a change of parameters.

    Args:
        node: on which `declare` was called.
        current: the configuration in use; None if the node is not configured.
        changes: the changed parameters; those that `declare` does not declare are ignored.
        config: the node's class of configuration.

    Raises:
        ConfigError: a value has the wrong type or is out of range, or the parameter is only read
            when the node is configured.
    """
    live = {parameter.name: parameter.spec.live for parameter in parameters(config)}
    values = {p.name: p.value for p in changes if p.name in live}
    fixed = [name for name in values if not live[name]]
    if current is not None and fixed:
        names = ", ".join(fixed)
        raise ConfigError(f"{names}: {_FIXED}; clean up first")
    return config.from_parameters(_present(node, current, config) | values)


def _present(node: Node, current: ConfigT | None, config: type[ConfigT]) -> dict[str, Any]:
    """Return the values of all parameters; empty if they are invalid."""
    try:
        return (current or read(node, config)).as_parameters()
    except ConfigError:
        return {}
