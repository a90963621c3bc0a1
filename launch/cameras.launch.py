"""Start one PoseFlow node for all cameras of a robot: `cameras_file` is a YAML list of them."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from poseflow_ros.cameras_file import read_cameras
from poseflow_ros.ros.launching import bring_up, declare_arguments


def bring_up_cameras(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the node for the cameras of the file, and RViz for the first of them."""
    cameras = read_cameras(Path(LaunchConfiguration("cameras_file").perform(context)))
    shown = [
        (f"poseflow/{topic}", f"poseflow/{cameras[0].name}/{topic}")
        for topic in ("annotated", "markers")
    ]
    return bring_up(
        [*(pair for camera in cameras for pair in camera.remappings()), *shown],
        {
            "cameras.names": [camera.name for camera in cameras],
            "cameras.image_transport": [camera.image_transport for camera in cameras],
        },
    )


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and what becomes of the file."""
    return LaunchDescription(
        [
            *declare_arguments(),
            DeclareLaunchArgument("cameras_file", description="such as config/cameras.yaml"),
            OpaqueFunction(function=bring_up_cameras),
        ]
    )
