"""Windows of poses for action recognition, and behaviors: NumPy only, without ROS."""

from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.windows import PoseWindows, Windows

__all__ = ["PoseFrame", "PoseWindows", "Windows"]
