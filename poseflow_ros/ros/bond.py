"""The bond with which nav2's lifecycle manager detects that a node has died."""

from typing import Any

from rclpy.node import Node

from poseflow_ros.ros.rclpy_workarounds import make_bond, shut_down_bond

_HEARTBEAT_PERIOD_S = 0.1  # nav2's; its manager waits 4 s for one


class ManagerBond:
    """The node's end of the bond, which exists while the node is active, as in nav2's nodes.

    Without bondpy it does nothing. If no manager answers within 10 s, the bond stops and the node
    continues without it. Must be started and stopped by the executor's thread.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._bond: Any = None

    def start(self) -> None:
        """Start a thread that sends heartbeats."""
        self.stop()
        try:
            # The id and topic that the manager expects.
            self._bond = make_bond(self._node, "bond", self._node.get_name())
        except ImportError:
            return
        self._bond.heartbeat_period = _HEARTBEAT_PERIOD_S
        self._bond.start()

    def stop(self) -> None:
        """Break the bond; the manager then does not report a crash."""
        bond, self._bond = self._bond, None
        if bond is not None:
            shut_down_bond(self._node, bond)
