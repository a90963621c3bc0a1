"""Calibrations, depth images and transforms in ROS messages of any class: received or in a bag."""
