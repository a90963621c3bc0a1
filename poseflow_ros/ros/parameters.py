"""The configuration as ROS parameters."""

from collections.abc import Iterable, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from poseflow_ros.config import Config, ConfigError, parameters, unknown_parameter
from poseflow_ros.ros.rclpy_workarounds import override_names

_LIVE = "may be changed while active"
_FIXED = "read when the node is configured"


def declare(node: Node) -> None:
    """Declare every parameter with its default and description.

    Types and ranges are checked in `read` and not by rclpy, which would end the process over a
    bad value in a YAML file; `read` names the value and what is allowed.
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


def unknown(node: Node, known: Sequence[str] = ()) -> list[str]:
    """Return one line for each parameter that is set, by a file or `-p`, but does not exist.

    Called after the parameters are declared. QoS overrides are declared later, with their
    publishers.

    Args:
        node: which declared its parameters.
        known: the names to suggest; empty: those of `declare`.
    """
    names = override_names(node)
    return [
        unknown_parameter(name, known)
        for name in names
        if not node.has_parameter(name) and not name.startswith("qos_overrides.")
    ]


def read(node: Node) -> Config:
    """Return the configuration of a node for which `declare` was called.

    Raises:
        ConfigError: a wrong type or a value out of its range.
    """
    names = [parameter.name for parameter in parameters()]
    values: dict[str, Any] = {p.name: p.value for p in node.get_parameters(names)}
    return Config.from_parameters(values)


def changed(node: Node, current: Config | None, changes: Iterable[Parameter]) -> Config:
    """Return the configuration after a change of parameters.

    Args:
        node: for which `declare` was called.
        current: the configuration in use; None while the node is not configured.
        changes: the changed ones; those that are not declared here are ignored.

    Raises:
        ConfigError: a wrong type, a value out of its range, or a parameter that is only read
            when the node is configured.
    """
    live = {parameter.name: parameter.spec.live for parameter in parameters()}
    values = {p.name: p.value for p in changes if p.name in live}
    fixed = [name for name in values if not live[name]]
    if current is not None and fixed:
        names = ", ".join(fixed)
        raise ConfigError(f"{names}: {_FIXED}; clean up first")
    return Config.from_parameters(_present(node, current) | values)


def _present(node: Node, current: Config | None) -> dict[str, Any]:
    """Return every parameter's value, none where they cannot be used as they are."""
    try:
        return (current or read(node)).as_parameters()
    except ConfigError:
        return {}
