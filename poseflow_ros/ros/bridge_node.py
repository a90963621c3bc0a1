"""The lifecycle node that publishes tracked people in the formats of other packages."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

import rclpy.clock
from diagnostic_msgs.msg import DiagnosticStatus

from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.bridge_config import BridgeConfig
from poseflow_ros.ros.bridges.bridge import Bridge, BridgeError
from poseflow_ros.ros.bridges.follow import FollowBridge
from poseflow_ros.ros.bridges.foxglove import FoxgloveBridge
from poseflow_ros.ros.bridges.hri import HriBridge
from poseflow_ros.ros.bridges.image_marker import ImageMarkerBridge
from poseflow_ros.ros.bridges.people import PeopleBridge
from poseflow_ros.ros.bridges.vision import VisionBridge
from poseflow_ros.ros.diagnostics import make_status
from poseflow_ros.ros.inputs.pose_subscriptions import PoseSubscriptions
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.managed_node import ManagedNode, run

_CHECK_PERIOD_S = 0.1
_WITH_BEHAVIORS = {"hri", "people", "follow"}

_MAKERS: dict[str, Callable[["BridgeNode", BridgeConfig], Bridge]] = {
    "hri": lambda node, _: HriBridge(node),
    "vision": lambda node, _: VisionBridge(node),
    "people": lambda node, _: PeopleBridge(node),
    "image_marker": lambda node, config: ImageMarkerBridge(
        node, config.outputs.min_keypoint_score
    ),
    "foxglove": lambda node, config: FoxgloveBridge(node, config.outputs.min_keypoint_score),
    "follow": lambda node, config: FollowBridge(node, config.follow),
}


class BridgeNode(ManagedNode[BridgeConfig]):
    """Tracked poses in; each of `outputs.formats` out. The executor's thread does everything."""

    config_class = BridgeConfig
    setup_errors = (BridgeError,)

    def __init__(self, node_name: str = "bridge", **node_options: Any) -> None:
        super().__init__(node_name, **node_options)
        self._bridges: list[Bridge] = []
        self._subscriptions_of_poses: PoseSubscriptions | None = None
        self._received_s: dict[str, float] = {}
        self._latest: dict[str, PoseFrame] = {}

    def set_up(self, config: BridgeConfig) -> str:
        """Create the publishers of all formats."""
        for name in dict.fromkeys(config.outputs.formats):
            self._bridges.append(_MAKERS[name](self, config))
        clock = rclpy.clock.Clock(clock_type=rclpy.clock.ClockType.STEADY_TIME)
        timer = self.create_timer(_CHECK_PERIOD_S, self._check_silence, clock=clock)
        self.resources.callback(self.destroy_timer, timer)
        return ", ".join(config.outputs.formats)

    def start(self) -> list[str]:
        """Subscribe to the poses."""
        assert self.config
        behaviors = _WITH_BEHAVIORS & set(self.config.outputs.formats)
        self._subscriptions_of_poses = PoseSubscriptions(
            self,
            self.config.poses.topics,
            self.config.behaviors if behaviors else None,
            self._on_poses,
        )
        return self._subscriptions_of_poses.topics

    def stop(self) -> None:
        """Unsubscribe and publish that nobody is tracked."""
        if self._subscriptions_of_poses is not None:
            self._subscriptions_of_poses.destroy()
        self._subscriptions_of_poses = None
        self._received_s.clear()
        self._latest.clear()
        for bridge in self._bridges:
            bridge.close()

    def tear_down(self, wait_s: float) -> None:
        """Forget the formats; their publishers are destroyed with the node's resources."""
        self._bridges = []

    def statuses(self) -> list[DiagnosticStatus]:
        """Return the diagnostics of the messages received."""
        poses = self._subscriptions_of_poses
        name = f"{self.get_fully_qualified_name()[1:]}: bridge"
        values = {"cameras": ", ".join(self._received_s) if self._received_s else "none"}
        if poses is None:
            return [make_status(name, "bridge", [], values)]
        return [make_status(name, "bridge", poses.alerts(), values | poses.values())]

    def _on_poses(self, poses: ReceivedPoses) -> None:
        frame = poses.frame
        last = self._latest.get(frame.camera)
        if last is not None and not frame.follows(last):
            for bridge in self._bridges:
                bridge.forget(frame.camera)
        self._latest[frame.camera] = frame
        self._received_s[frame.camera] = monotonic()
        for bridge in self._bridges:
            bridge.publish(poses)

    def _check_silence(self) -> None:
        """Report the cameras whose tracked poses have stopped."""
        assert self.config
        for camera, received_s in list(self._received_s.items()):
            if monotonic() - received_s > self.config.outputs.silence_s:
                del self._received_s[camera]
                for bridge in self._bridges:
                    bridge.silence(camera)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; return 0."""
    return run(BridgeNode, args)


if __name__ == "__main__":
    sys.exit(main())
