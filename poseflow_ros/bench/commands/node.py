"""`python -m poseflow_ros bench node`: latency, losses and CPU use of the node."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.image_stream import QOS, ImageStream
from poseflow_ros.cli.outputs import check_outputs, write_report
from poseflow_ros.cli.signals import interrupted_once
from poseflow_ros.config import MovenetConfig
from poseflow_ros.estimation.movenet import MOVENET_MULTIPOSE
from poseflow_ros.estimation.weights import cached


def add_parser(benches: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmark's arguments to those of `bench`."""
    parser = benches.add_parser("node", help="the node as a separate process, connected by DDS")
    parser.add_argument("--width", type=int, default=640, metavar="PX", help="of the images")
    parser.add_argument("--height", type=int, default=360, metavar="PX", help="of the images")
    parser.add_argument("--rate", type=float, default=30.0, metavar="HZ", help="images per second")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of images")
    parser.add_argument("--qos", choices=QOS, default="reliable", help="of the images' publisher")
    parser.add_argument("--tiles", default="auto", metavar="CxR", help="of MoveNet, or auto")
    parser.add_argument(
        "--input-size", type=int, default=256, metavar="PX", help="of MoveNet's one pass"
    )
    parser.add_argument(
        "--cameras", type=int, default=1, metavar="N", help="that send such images"
    )
    parser.add_argument("--annotated", action="store_true", help="subscribe to annotated images")
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure the node, print the results and write the report.

    Raises:
        BenchError, ConfigError, OutputError: an argument is invalid, or ROS 2 is missing.
        WeightsError: the network's weights cannot be fetched.
    """
    check_outputs([args.report])
    stream = ImageStream(args.width, args.height, args.rate, args.seconds, args.qos, args.cameras)
    movenet = MovenetConfig(tiles=args.tiles, input_size=args.input_size)
    try:
        from poseflow_ros.bench.node_trial import NodeTrial
    except ImportError as error:
        message = f"this benchmark needs ROS 2 and this package built and sourced: {error}"
        raise BenchError(message) from error
    with interrupted_once():
        cached(MOVENET_MULTIPOSE)  # fetched before the measurement
        report = NodeTrial(stream, movenet, args.annotated).run()
    write_report(args.report, report)
    print(table(report))


def table(report: Mapping[str, Any]) -> str:
    """Return the results, one per line; a dash if a value could not be measured."""
    rows = []
    for name, value in report.items():
        if isinstance(value, dict):
            rows += [(f"  {part}", _line(figure)) for part, figure in value.items()]
        else:
            rows.append((name, _line(value)))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_line(figure)}" for name, figure in value.items())
    return "-" if value is None else str(value)
