"""`python -m poseflow_ros.ros.node_benchmark`: what `python -m poseflow_ros bench node` starts."""

import argparse
import json
import signal
import sys
from collections.abc import Mapping
from typing import Any

from poseflow_ros.bench.error import BenchError
from poseflow_ros.cli.bench_node import add_arguments, checked
from poseflow_ros.cli.outputs import OutputError
from poseflow_ros.config import ConfigError
from poseflow_ros.estimation.errors import WeightsError
from poseflow_ros.estimation.movenet import MOVENET_MULTIPOSE
from poseflow_ros.estimation.weights import cached


def main(argv: list[str] | None = None) -> int:
    """Measure the node; return 0, or 2 after a line on why not."""
    parser = argparse.ArgumentParser(prog="poseflow_ros bench node")
    add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        # Here, so that their absence is one line.
        from poseflow_ros.ros.node_trial import NodeTrial
        from poseflow_ros.ros.processes import ProcessError
    except ImportError as error:
        return _refuse(f"this benchmark needs ROS 2 and this package built and sourced: {error}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        stream, estimator = checked(args)
        cached(MOVENET_MULTIPOSE)  # before the clock runs
        report = NodeTrial(stream, estimator, args.annotated).run()
        if args.report:
            args.report.write_text(json.dumps(report, indent=2) + "\n")
    except (BenchError, ConfigError, OutputError, ProcessError, WeightsError, OSError) as error:
        return _refuse(error)
    except KeyboardInterrupt:
        return 130
    print(table(report))
    return 0


def table(report: Mapping[str, Any]) -> str:
    """Return the figures in lines of their own; what could not be measured as a dash."""
    rows = []
    for name, value in report.items():
        if isinstance(value, dict):
            rows += [(f"  {part}", _line(of_it)) for part, of_it in value.items()]
        else:
            rows.append((name, _line(value)))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_line(figure)}" for name, figure in value.items())
    return "-" if value is None else str(value)


def _interrupt(*_: object) -> None:
    """Raise KeyboardInterrupt, once: a second signal must not interrupt stopping the nodes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _refuse(reason: object) -> int:
    print(f"poseflow_ros: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
