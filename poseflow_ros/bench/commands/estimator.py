"""`python -m poseflow_ros bench estimator`: speed and memory of a network."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poseflow_ros.bench.commands.table import aligned
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.estimator import measure
from poseflow_ros.bench.workload import Workload
from poseflow_ros.cli.outputs import check_outputs, write_report
from poseflow_ros.config import Config, EstimatorConfig, choices
from poseflow_ros.estimation.factory import NETWORKS


def add_parser(benches: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmark's arguments to those of `bench`."""
    parser = benches.add_parser("estimator", help="speed and memory of a network")
    parser.add_argument("--estimator", choices=tuple(NETWORKS), default="keypoint_rcnn")
    parser.add_argument("--weights", default="default", metavar="FILE", help="of movenet or onnx")
    parser.add_argument(
        "--detector-weights", default="", metavar="FILE", help="detector of a top-down ONNX model"
    )
    parser.add_argument("--batch", type=int, default=1, metavar="B", help="images at a time")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="for each call")
    add_network_arguments(parser)
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the results")
    parser.set_defaults(run=run)


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of device, network and images."""
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto")
    parser.add_argument("--precision", choices=choices("estimator.precision"), default="auto")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="of the images, pixels")
    parser.add_argument("--people", type=int, default=10, metavar="N", help="in each image")
    sides = EstimatorConfig()
    parser.add_argument("--image-min-side", type=int, default=sides.image_min_side, metavar="PX")
    parser.add_argument("--image-max-side", type=int, default=sides.image_max_side, metavar="PX")
    parser.add_argument("--compile", action="store_true", help="let torch compile the network")
    parser.add_argument(
        "--cuda-graphs", choices=choices("estimator.cuda_graphs"), default=sides.cuda_graphs
    )


def run(args: argparse.Namespace) -> None:
    """Measure a network, Keypoint R-CNN in turns with its library's own call."""
    check_outputs([args.report])
    width, height = image_size(args)
    estimator = network_config(args, weights=args.weights, detector_weights=args.detector_weights)
    workload = Workload(width, height, args.people, args.batch, args.seconds)
    report = measure(Config(estimator=estimator), workload)
    print(_estimator_table(report))
    write_report(args.report, report)


def network_config(args: argparse.Namespace, **more: Any) -> EstimatorConfig:
    """Return the settings of the network that the arguments name, and more of them."""
    return EstimatorConfig(
        name=args.estimator,
        device=args.device,
        precision=args.precision,
        compile=args.compile,
        cuda_graphs=args.cuda_graphs,
        image_min_side=args.image_min_side,
        image_max_side=args.image_max_side,
        **more,
    )


def image_size(args: argparse.Namespace) -> tuple[int, int]:
    """Return the width and height of the argument `size`.

    Raises:
        BenchError: it is not a size.
    """
    width, _, height = args.size.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise BenchError(f"size is {args.size!r}, must be WIDTHxHEIGHT such as 640x480")
    return int(width), int(height)


def _estimator_table(report: Mapping[str, Any]) -> str:
    """Return the results of the calls in columns, for Keypoint R-CNN with its stages below."""
    names = ("images_per_second", "p50_ms", "p99_ms", "peak_memory_mib")
    calls = {"ours": "", "the library's": "plain_", "the library's, no TF32": "ieee_"}
    rows = [["call", *names]]
    for call, prefix in calls.items():
        if prefix + names[0] in report:
            rows.append([call, *(f"{report[prefix + name]:g}" for name in names)])
    title = f"{report['estimator']}, {report['size']}, times of a batch of {report['batch']}"
    return "\n".join([title, aligned(rows), *_keypoint_rcnn_lines(report)])


def _keypoint_rcnn_lines(report: Mapping[str, Any]) -> list[str]:
    """Return the part of the report that only Keypoint R-CNN has."""
    if "people_placed" not in report:
        return []
    stages = "  ".join(f"{name} {ms:g}" for name, ms in report["stages_p50_ms"].items())
    gpu = []
    if "gpu_busy_ms" in report:
        gpu = [
            f"ours: GPU busy {report['gpu_busy_ms']:g} of {report['p50_ms']:g} ms, "
            f"{report['launches']:g} launches, {report['synchronizations']:g} synchronizations"
        ]
    return [
        *gpu,
        f"torch {report['torch']}; random weights find no people: {report['people_placed']} "
        "people were placed in each image by giving their boxes to the keypoint head",
        f"stages, p50 ms: {stages}",
        f"decode alone, p50 ms: ours {report['decode_p50_ms']:g}  "
        f"the library's {report['plain_decode_p50_ms']:g}",
    ]
