"""Start the PoseFlow node, configured and activated: images in, tracked poses out."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration

from poseflow_ros.ros.launching import bring_up, declare_arguments

TOPICS = {
    "image": "images to look at",
    "camera_info": "calibration of the camera",
    "depth": "depth images registered to the images, where there are any",
}


def generate_launch_description() -> LaunchDescription:
    """Return the node, its transitions and RViz."""
    topic_arguments = [
        DeclareLaunchArgument(f"{topic}_topic", default_value=topic, description=description)
        for topic, description in TOPICS.items()
    ]
    remappings = [(topic, LaunchConfiguration(f"{topic}_topic")) for topic in TOPICS]
    return LaunchDescription([*declare_arguments(), *topic_arguments, *bring_up(remappings)])
