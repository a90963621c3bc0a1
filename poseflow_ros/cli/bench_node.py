"""`python -m poseflow_ros bench node`: its arguments, and the program with ROS that takes them."""

import argparse
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from poseflow_ros.bench.image_stream import QOS, ImageStream
from poseflow_ros.cli.outputs import check_outputs
from poseflow_ros.config import EstimatorConfig

# This package's only part with ROS is not imported here: the other commands do without.
_PROGRAM = "poseflow_ros.ros.node_benchmark"


def add_parser(benches: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmark's arguments to those of `bench`."""
    parser = benches.add_parser("node", help="the node in a process of its own, fed over DDS")
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what both this command and the program with ROS take."""
    parser.add_argument("--width", type=int, default=640, metavar="PX", help="of the images")
    parser.add_argument("--height", type=int, default=360, metavar="PX", help="of the images")
    parser.add_argument("--rate", type=float, default=30.0, metavar="HZ", help="images a second")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of images")
    parser.add_argument("--qos", choices=QOS, default="reliable", help="of the images' publisher")
    parser.add_argument(
        "--input-size", type=int, default=256, metavar="PX", help="of the network, MoveNet"
    )
    parser.add_argument(
        "--cameras", type=int, default=1, metavar="N", help="that send such images"
    )
    parser.add_argument("--annotated", action="store_true", help="listen to annotated images too")
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the figures")


def checked(args: argparse.Namespace) -> tuple[ImageStream, EstimatorConfig]:
    """Return what the arguments ask for.

    Raises:
        BenchError, ConfigError, OutputError: one of them cannot be used.
    """
    check_outputs([args.report])
    stream = ImageStream(args.width, args.height, args.rate, args.seconds, args.qos, args.cameras)
    return stream, EstimatorConfig(estimator="movenet", input_size=args.input_size)


def run(args: argparse.Namespace) -> int:
    """Let the program with ROS do it; return its exit code."""
    checked(args)
    names = ("width", "height", "rate", "seconds", "qos", "input_size", "cameras", "report")
    options = {f"--{name.replace('_', '-')}": getattr(args, name) for name in names}
    command = [f"{name}={value}" for name, value in options.items() if value is not None]
    command += ["--annotated"] * args.annotated
    with subprocess.Popen([sys.executable, "-m", _PROGRAM, *command]) as process:
        # It has nodes to stop, and of a signal to this process alone it would not hear.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
