"""`python -m poseflow_ros bench`: quality and speed."""

import argparse
from typing import Any

from poseflow_ros.bench.commands import actions, bridge, device, estimator, node, tracker, tracking


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmarks' arguments."""
    parser = commands.add_parser("bench", help="measure quality and speed")
    benches = parser.add_subparsers(required=True, metavar="BENCHMARK")
    for benchmark in (tracker, tracking, estimator, device, node, actions, bridge):
        benchmark.add_parser(benches)
