"""`python -m poseflow_ros weights`: prepare a machine that has no network later."""

import argparse
from typing import Any

from poseflow_ros.estimation.weights import MOVENET_MULTIPOSE, cache_path, fetch, is_intact


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("weights", help="list or fetch the networks' files")
    parser.add_argument("action", choices=("list", "fetch"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Show or fetch every file."""
    if args.action == "fetch":
        fetch(MOVENET_MULTIPOSE)
    path = cache_path(MOVENET_MULTIPOSE)
    if is_intact(MOVENET_MULTIPOSE, path):
        state = "checked"
    else:
        state = "damaged" if path.exists() else "missing"
    print(f"{state}  {path}")
