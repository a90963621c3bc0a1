"""`python -m poseflow_ros`: what can be done without ROS."""

import argparse
import sys

from poseflow_ros.bench.error import BenchError
from poseflow_ros.cli import bench, track, weights
from poseflow_ros.cli.outputs import OutputError
from poseflow_ros.config import ConfigError
from poseflow_ros.estimation.errors import EstimatorError, WeightsError
from poseflow_ros.imaging.video import VideoError

_BAD_INPUT = (
    BenchError,
    ConfigError,
    EstimatorError,
    OutputError,
    VideoError,
    WeightsError,
    OSError,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code, 2 after a line on what was wrong with the input."""
    parser = argparse.ArgumentParser(prog="poseflow_ros", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    track.add_parser(commands)
    weights.add_parser(commands)
    bench.add_parser(commands)
    args = parser.parse_args(argv)
    try:
        return args.run(args) or 0
    except _BAD_INPUT as error:
        print(f"poseflow_ros: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
