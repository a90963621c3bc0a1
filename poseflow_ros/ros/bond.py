"""The bond by which nav2's lifecycle manager notices that a node died."""

from typing import Any

from rclpy.node import Node

from poseflow_ros.ros.rclpy_workarounds import make_bond, shut_down_bond

_HEARTBEAT_PERIOD_S = 0.1  # nav2's; its manager waits 4 s for one


class ManagerBond:
    """The node's end of the bond, as nav2's own nodes hold it while they are active.

    Without bondpy it does nothing. If no manager answers within 10 s, the bond stops and the node
    continues without. To be started and stopped by the executor's thread.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._bond: Any = None

    def start(self) -> None:
        """Send heartbeats from now on, from a thread of their own."""
        self.stop()
        try:
            # The id and topic that the manager expects.
            self._bond = make_bond(self._node, "bond", self._node.get_name())
        except ImportError:
            return
        self._bond.heartbeat_period = _HEARTBEAT_PERIOD_S
        self._bond.start()

    def stop(self) -> None:
        """Tell the manager that this is the end, not a crash."""
        bond, self._bond = self._bond, None
        if bond is not None:
            shut_down_bond(self._node, bond)
