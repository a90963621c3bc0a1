"""Start the PoseFlow node, configure it and activate it."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration

from poseflow_ros.ros.launching import bring_up, declare_arguments

TOPICS = {
    "image": "images in which people are tracked",
    "camera_info": "calibration of the camera",
    "depth": "depth images registered to the images, for 3D positions",
}


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the node, its transitions and RViz."""
    topic_arguments = [
        DeclareLaunchArgument(f"{topic}_topic", default_value=topic, description=description)
        for topic, description in TOPICS.items()
    ]
    remappings = [(topic, LaunchConfiguration(f"{topic}_topic")) for topic in TOPICS]
    return LaunchDescription([*declare_arguments(), *topic_arguments, *bring_up(remappings)])
