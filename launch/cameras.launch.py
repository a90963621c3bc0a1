"""Start one PoseFlow node for all cameras of a robot, listed in the YAML file `cameras_file`."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from poseflow_ros.cameras_file import read_cameras
from poseflow_ros.ros.launching import bring_up, declare_arguments


def bring_up_cameras(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the node for the cameras in the file, and RViz for the first one."""
    cameras = read_cameras(Path(LaunchConfiguration("cameras_file").perform(context)))
    rviz_topics = [
        (f"poseflow/{topic}", f"poseflow/{cameras[0].name}/{topic}")
        for topic in ("annotated", "markers")
    ]
    return bring_up(
        [*(pair for camera in cameras for pair in camera.remappings()), *rviz_topics],
        {
            "cameras.names": [camera.name for camera in cameras],
            "cameras.image_transport": [camera.image_transport for camera in cameras],
        },
    )


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, and the actions for the cameras in the file."""
    return LaunchDescription(
        [
            *declare_arguments(),
            DeclareLaunchArgument(
                "cameras_file", description="YAML list of cameras, such as config/cameras.yaml"
            ),
            OpaqueFunction(function=bring_up_cameras),
        ]
    )
