"""Log the people in every image: a subscriber of poseflow_msgs/TrackedPoseArray."""

import contextlib

import rclpy
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node


class PoseListener(Node):
    """Subscribes to `tracked_poses`."""

    def __init__(self) -> None:
        super().__init__("pose_listener")
        self.create_subscription(TrackedPoseArray, "tracked_poses", self.on_poses, 10)

    def on_poses(self, message: TrackedPoseArray) -> None:
        """Log a line for each confirmed person; track ids are unique in a camera's epoch."""
        for person in message.poses:
            if person.state == TrackedPose.STATE_CONFIRMED:
                nose = person.keypoints[0]  # the order of the keypoints: ~/skeleton
                who = f"{message.camera or 'camera'} epoch {message.epoch} id {person.track_id}"
                self.get_logger().info(f"{who}: nose at {nose.x:.0f}, {nose.y:.0f} px")


def main() -> None:
    """Listen until Ctrl-C."""
    rclpy.init()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(PoseListener())


if __name__ == "__main__":
    main()
