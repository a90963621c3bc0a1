"""Who is where and in what pose: pose estimation and PoseFlow tracking, with and without ROS 2."""

__version__ = "0.1.0"
