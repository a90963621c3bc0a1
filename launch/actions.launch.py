"""Start the action node, configure it and activate it."""

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
            *node_arguments("action.yaml"),
            POSES_TOPIC,
            *bring_up_node("action_node", "actions", [POSES_REMAPPING]),
        ]
    )
