"""The options of `track` and `batch` for bags."""

import argparse

OPTIONS = {
    "topic": "of the images in a bag (default: its only image topic)",
    "camera_info": "of the calibration in a bag (default: camera_info beside the images)",
    "depth": "of the depth images in a bag, registered to its images: 3D positions for --bag, "
    "--rrd, --json and --table",
}
"""Option and help."""


def add_bag_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each topic."""
    for name, text in OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default="", metavar="TOPIC", help=text)
