"""`python -m poseflow_ros`: the commands that work without ROS."""

import argparse
import io
import sys
from typing import Any

from poseflow_ros.batch import command as batch
from poseflow_ros.batch.worker_process import WorkerError
from poseflow_ros.cli import export, track, weights
from poseflow_ros.cli.errors import CommandError, IncompleteError
from poseflow_ros.estimation.errors import (
    DeviceLostError,
    EstimatorError,
    OutOfMemoryError,
    WeightsError,
)  # fmt: skip
from poseflow_ros.imaging.video import IncompleteVideoError, VideoError
from poseflow_ros.imaging.window import WindowError
from poseflow_ros.parameter_group import ConfigError

_BAD_INPUT = (
    *(CommandError, ConfigError, EstimatorError, VideoError, WeightsError, WindowError),
    *(WorkerError, OutOfMemoryError, DeviceLostError, OSError),
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code.

    2 after a line about input that cannot be used, 3 after a line about incomplete results.
    """
    _print_any_name()
    parser = argparse.ArgumentParser(prog="poseflow_ros", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    track.add_parser(commands)
    batch.add_parser(commands)
    weights.add_parser(commands)
    export.add_parser(commands)
    _add_bench(commands)
    args = parser.parse_args(argv)
    try:
        return args.run(args) or 0
    except _BAD_INPUT as error:
        print(f"poseflow_ros: {error}", file=sys.stderr)
        return 3 if isinstance(error, IncompleteError | IncompleteVideoError) else 2
    except KeyboardInterrupt:
        return 130


def _print_any_name() -> None:
    """Let names of files that are not UTF-8 be printed, with escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _add_bench(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmarks, which exist in the source checkout but not in an installed package."""
    try:
        from poseflow_ros.bench.commands import add_parser
    except ModuleNotFoundError as error:
        if error.name != "poseflow_ros.bench":
            raise
        parser = commands.add_parser("bench", help="not installed, in the source checkout only")
        parser.add_argument("arguments", nargs=argparse.REMAINDER)
        parser.set_defaults(run=_refuse_bench)
    else:
        add_parser(commands)


def _refuse_bench(_: argparse.Namespace) -> None:
    raise CommandError("benchmarks are not installed; run this command in the source checkout")


if __name__ == "__main__":
    sys.exit(main())
