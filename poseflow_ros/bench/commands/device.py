"""`python -m poseflow_ros bench device`: how Keypoint R-CNN behaves on a device."""

import argparse
from typing import Any

from poseflow_ros.bench.commands.estimator import (
    add_network_arguments,
    image_size,
    network_config,
)
from poseflow_ros.bench.workload import Workload
from poseflow_ros.config import Config
from poseflow_ros.estimation.libraries import require


def add_parser(benches: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmark's arguments to those of `bench`."""
    parser = benches.add_parser(
        "device", help="first images, memory and a failure of Keypoint R-CNN's device"
    )
    names = ("keypoint_rcnn", "detectron2")
    parser.add_argument("--estimator", choices=names, default=names[0])
    add_network_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print how long first images take, whether memory grows, and what a failure is called."""
    require("torchvision", "to install it: python3 -m pip install torch torchvision")
    from poseflow_ros.bench.device_checks import check_device

    width, height = image_size(args)
    workload = Workload(width, height, args.people, 1, 0.0)
    rows = check_device(Config(estimator=network_config(args)), workload)
    label_width = max(len(label) for label, _ in rows)
    for label, text in rows:
        print(f"{label:{label_width}}  {text}")
