"""The bond by which nav2's lifecycle manager notices that a node died."""

from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

_HEARTBEAT_PERIOD_S = 0.1  # nav2's; its manager waits 4 s for one
_A_YEAR_S = 365 * 86400.0


class ManagerBond:
    """The node's end of the bond, as nav2's own nodes hold it while they are active.

    Nothing where bondpy does not import. Where no manager answers within 10 s the bond falls
    silent, and the node goes on without. To be started and stopped by the executor's thread.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._bond: Any = None

    def start(self) -> None:
        """Send heartbeats from now on, from a thread of their own."""
        self.stop()
        self._bond = _make_bond(self._node)
        if self._bond is not None:
            self._bond.start()

    def stop(self) -> None:
        """Tell the manager that this is the end, not a crash."""
        bond, self._bond = self._bond, None
        if bond is not None:
            # bondpy would leave both in the node's lists, and the executor would stumble on them.
            self._node.destroy_subscription(bond.sub)
            bond.shutdown()
            self._node.destroy_publisher(bond.pub)


def _make_bond(node: Node) -> Any:
    """Return a bond with the id and topic that the manager looks for; None without bondpy."""
    try:
        from bondpy.bondpy import Bond
    except ImportError:
        return None

    class QuietBond(Bond):
        """A bond that does not raise where a signal has ended ROS under it."""

        def _publish(self, active: bool) -> None:
            try:
                super()._publish(active)
            except rclpy_implementation.RCLError:
                if self.node.context.ok():
                    raise

    bond = QuietBond(node, "bond", node.get_name())
    bond.heartbeat_period = _HEARTBEAT_PERIOD_S
    # A manager that falls silent is no reason to stop: never, as far as bondpy can be told.
    bond.heartbeat_timeout = _A_YEAR_S
    return bond
