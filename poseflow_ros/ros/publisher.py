"""Lifecycle publishers with QoS overrides."""

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

RELIABLE = QoSProfile(depth=10)
TRANSFORMS = QoSProfile(depth=100)
"""Of /tf."""


def create_publisher(
    node: LifecycleNode, message_type: type[Any], topic: str, qos: QoSProfile
) -> Any:
    """Return a lifecycle publisher whose QoS can be overridden by parameters of the node.

    Raises:
        InvalidQosOverridesError: a parameter overrides the QoS with an invalid one.
    """
    overrides = QoSOverridingOptions.with_default_policies()
    return node.create_lifecycle_publisher(
        message_type, topic, qos, qos_overriding_options=overrides
    )
