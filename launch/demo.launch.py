"""Play a video through the PoseFlow node: `video` is a file, images, a camera or a stream."""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("poseflow_ros")
PROFILE = PathJoinSubstitution([SHARE, "config", "fastdds_large_images.xml"])


def generate_launch_description() -> LaunchDescription:
    """Return the video publisher and poseflow.launch.py with all of its arguments."""
    publisher = Node(
        package="poseflow_ros",
        executable="video_publisher",
        name="video_publisher",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            {
                # A camera index must remain a string.
                "video": ParameterValue(LaunchConfiguration("video"), value_type=str),
                "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
            }
        ],
        output="screen",
    )
    poseflow = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([SHARE, "launch", "poseflow.launch.py"])
        )
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("video", description="video, images, camera or URL of a stream"),
            DeclareLaunchArgument("loop", default_value="true", description="repeat the video"),
            DeclareLaunchArgument(
                "namespace", default_value="", description="namespace of both nodes"
            ),
            # The names in Fast DDS 2 and 3.
            SetEnvironmentVariable("FASTRTPS_DEFAULT_PROFILES_FILE", PROFILE),
            SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", PROFILE),
            poseflow,
            publisher,
        ]
    )
