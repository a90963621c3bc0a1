"""Arguments that the tracker's benchmarks share."""

import argparse
from pathlib import Path

from poseflow_ros.bench.peers import DEFAULT_MEMORY_S
from poseflow_ros.cli.params import node_parameters
from poseflow_ros.config import Config, choices


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is measured, and where the figures go."""
    parser.add_argument(
        "--association", choices=choices("tracker.association"), help="only this one"
    )
    parser.add_argument("--params", type=Path, metavar="FILE.yaml", help="parameters of the node")
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the figures")
    parser.add_argument(
        "--peers", action="store_true", help="run SORT, ByteTrack, OC-SORT and C-BIoU too"
    )
    parser.add_argument(
        "--peer-memory",
        type=float,
        default=DEFAULT_MEMORY_S,
        metavar="S",
        help="seconds for which a peer keeps a track that is not detected (default: %(default)s)",
    )


def configs(args: argparse.Namespace) -> dict[str, Config]:
    """Return a configuration for each association on trial."""
    values = node_parameters(args.params)
    names = (args.association,) if args.association else choices("tracker.association")
    return {name: Config.from_parameters(values | {"tracker.association": name}) for name in names}
