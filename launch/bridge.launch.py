"""Start the bridge node, configure it and activate it: ROS4HRI and other formats."""

from launch import LaunchDescription

from poseflow_ros.ros.launching import (
    POSES_REMAPPING,
    POSES_TOPIC,
    bring_up_node,
    node_arguments,
)


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the node and its transitions."""
    return LaunchDescription(
        [
            *node_arguments("bridge.yaml"),
            POSES_TOPIC,
            *bring_up_node("bridge_node", "bridge", [POSES_REMAPPING]),
        ]
    )
