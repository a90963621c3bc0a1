"""`python -m poseflow_ros bench bridge`: latency of the bridge node."""

import argparse
from typing import Any

from poseflow_ros.bench.commands.table import aligned
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bridge_config import FORMATS
from poseflow_ros.cli.signals import interrupted_once


def add_parser(benches: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmark's arguments to those of `bench`."""
    parser = benches.add_parser("bridge", help="the bridge node as a process, connected by DDS")
    parser.add_argument("--people", type=int, default=10, metavar="N", help="in each image")
    parser.add_argument("--rate", type=float, default=30.0, metavar="HZ", help="images per second")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of images")
    parser.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=["image_marker"], help="published"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure the bridge and print the results.

    Raises:
        BenchError: an argument is invalid, ROS 2 or the package of a format is missing.
    """
    for name, low, high in (("people", 1, 200), ("rate", 1, 120), ("seconds", 1, 3600)):
        if not low <= getattr(args, name) <= high:
            raise BenchError(f"{name} is {getattr(args, name):g}, must be from {low} to {high}")
    try:
        from poseflow_ros.bench.bridge_trial import measure
    except ImportError as error:
        message = f"this benchmark needs ROS 2 and this package built and sourced: {error}"
        raise BenchError(message) from error
    with interrupted_once():
        figures = measure(args.people, args.rate, args.seconds, args.formats)
    rows = [[topic, *(f"{value:g}" for value in row.values())] for topic, row in figures.items()]
    print(aligned([["topic", "messages", "p50_ms", "p99_ms"], *rows]))
