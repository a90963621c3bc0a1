"""Errors of benchmarks."""

from poseflow_ros.cli.errors import CommandError


class BenchError(CommandError):
    """Invalid input of a benchmark; the message gives the value and what is allowed."""
