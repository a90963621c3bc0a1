"""Start the bridge node, configure it and activate it: ROS4HRI and other formats."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration

from poseflow_ros.ros.launching import bring_up_node, node_arguments


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the node and its transitions."""
    poses_topic = DeclareLaunchArgument(
        "poses_topic",
        default_value="poseflow/tracked_poses",
        description="tracked poses of a single camera; several: poses.topics in params_file",
    )
    remappings = [("tracked_poses", LaunchConfiguration("poses_topic"))]
    return LaunchDescription(
        [
            *node_arguments("bridge.yaml"),
            poses_topic,
            *bring_up_node("bridge_node", "bridge", remappings),
        ]
    )
