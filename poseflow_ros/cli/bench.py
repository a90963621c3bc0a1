"""`python -m poseflow_ros bench`: how good and how fast it is."""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from poseflow_ros.bench.camera_motion import CAMERA_MOTIONS
from poseflow_ros.bench.detector_model import MODELS
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.estimator import measure
from poseflow_ros.bench.memory import resident_bytes
from poseflow_ros.bench.metrics import Score
from poseflow_ros.bench.observation import Observation
from poseflow_ros.bench.peer_fit import run_peers
from poseflow_ros.bench.peers import PeerSequence, require_peers
from poseflow_ros.bench.scene import SCENES
from poseflow_ros.bench.simulation import Settings, Sight, simulate
from poseflow_ros.bench.trial import Trial
from poseflow_ros.bench.workload import Workload
from poseflow_ros.cli import bench_node, bench_tracking
from poseflow_ros.cli.bench_options import add_options, choices, configs
from poseflow_ros.cli.bench_table import aligned, finish
from poseflow_ros.cli.outputs import check_outputs
from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.factory import NETWORKS
from poseflow_ros.poses import TrackedPoses
from poseflow_ros.tracking.delayed_output import DelayedOutput
from poseflow_ros.tracking.tracker import PoseFlowTracker

_MINUTE_S = 60.0


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmarks' arguments."""
    parser = commands.add_parser("bench", help="measure quality and speed")
    benches = parser.add_subparsers(required=True, metavar="BENCHMARK")
    _add_tracker(benches)
    bench_tracking.add_parser(benches)
    _add_estimator(benches)
    bench_node.add_parser(benches)


def _add_tracker(benches: "argparse._SubParsersAction[Any]") -> None:
    parser = benches.add_parser("tracker", help="the tracker on a simulated crowd")
    parser.add_argument("--people", type=int, default=20, metavar="N")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S")
    parser.add_argument("--seed", type=int, default=1, metavar="K")
    parser.add_argument("--fps", type=float, default=10.0, help="pictures a second")
    parser.add_argument("--scene", choices=tuple(SCENES), default="street")
    parser.add_argument("--camera", choices=CAMERA_MOTIONS, default="still")
    parser.add_argument(
        "--rotation", type=float, default=90.0, metavar="DEG_S", help="highest rate of rotate"
    )
    parser.add_argument("--no-image", action="store_true", help="without correspondences")
    parser.add_argument("--detector", choices=tuple(MODELS), default="movenet_tiled")
    parser.add_argument(
        "--memory", action="store_true", help="no figures but the time, and the memory used"
    )
    add_options(parser)
    parser.set_defaults(run=run_tracker)


def _add_estimator(benches: "argparse._SubParsersAction[Any]") -> None:
    parser = benches.add_parser("estimator", help="speed and memory of a network")
    parser.add_argument("--estimator", choices=tuple(NETWORKS), default="keypoint_rcnn")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto")
    parser.add_argument("--precision", choices=choices("precision"), default="auto")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="of the images, pixels")
    parser.add_argument("--people", type=int, default=10, metavar="N", help="in each image")
    parser.add_argument("--batch", type=int, default=1, metavar="B", help="images at a time")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="for each call")
    sides = EstimatorConfig()
    parser.add_argument("--image-min-side", type=int, default=sides.image_min_side, metavar="PX")
    parser.add_argument("--image-max-side", type=int, default=sides.image_max_side, metavar="PX")
    parser.add_argument("--compile", action="store_true", help="let torch compile the network")
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the figures")
    parser.set_defaults(run=run_estimator)


def run_tracker(args: argparse.Namespace) -> None:
    """Let every association track the same crowd."""
    check_outputs([args.report])
    settings = Settings(
        people=args.people,
        seconds=args.seconds,
        seed=args.seed,
        fps=args.fps,
        scene=SCENES[args.scene],
        camera=args.camera,
        rotation_deg_s=args.rotation,
        correspondences=not args.no_image,
        model=MODELS[args.detector],
    )
    if args.memory and settings.seconds <= _MINUTE_S:
        raise BenchError(f"seconds is {args.seconds:g}, must be above 60 with --memory")
    if args.peers:
        _check_peers(args)
    trackers = {name: PoseFlowTracker(c.tracker) for name, c in configs(args).items()}
    outputs = {name: DelayedOutput[Sight](tracker) for name, tracker in trackers.items()}
    trials = {name: Trial(None if args.memory else Score()) for name in trackers}
    memory_mib: dict[str, float] = {}
    observations: list[Observation] = []
    for sight in tqdm(simulate(settings), total=settings.n_frames, unit="frame", disable=None):
        for name, tracker in trackers.items():
            start = perf_counter()
            tracked = tracker.update(sight.poses, sight.matches, sight.stamp_s)
            ready = outputs[name].push(tracked, sight)
            trials[name].add_time(perf_counter() - start)
            _add(trials[name], ready)
        if args.peers:
            observations.append(_observed(sight))
        if args.memory and sight.stamp_s >= _MINUTE_S:
            memory_mib.setdefault("after_a_minute", _resident_mib())
    for name, output in outputs.items():
        _add(trials[name], output.flush())
    names = ("people", "seconds", "seed", "fps", "scene", "camera", "no_image", "detector")
    report = {name: getattr(args, name) for name in names} | {"frames": settings.n_frames}
    if args.camera == "rotate":
        report["rotation"] = args.rotation
    if args.memory:
        report["memory_mib"] = memory_mib | {"at_the_end": _resident_mib()}
    sequences = [PeerSequence(observations, args.fps)]
    peers = run_peers(sequences, args.peer_memory) if args.peers else {}
    finish(args, report, {name: [trial] for name, trial in trials.items()}, peers)


def _add(trial: Trial, frames: Iterable[tuple[TrackedPoses, Sight]]) -> None:
    for tracked, sight in frames:
        trial.add(sight.truth_ids, sight.truth_boxes, tracked)


def _observed(sight: Sight) -> Observation:
    return Observation(sight.truth_ids, sight.truth_boxes, sight.poses.boxes, sight.poses.scores)


def _check_peers(args: argparse.Namespace) -> None:
    if args.memory:
        raise BenchError("--peers cannot be measured with --memory, which gives no figures")
    require_peers(args.peer_memory)


def run_estimator(args: argparse.Namespace) -> None:
    """Measure a network, Keypoint R-CNN in turns with its library's own call."""
    check_outputs([args.report])
    width, _, height = args.size.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise BenchError(f"size is {args.size!r}, must be WIDTHxHEIGHT such as 640x480")
    config = EstimatorConfig(
        estimator=args.estimator,
        device=args.device,
        precision=args.precision,
        compile=args.compile,
        image_min_side=args.image_min_side,
        image_max_side=args.image_max_side,
    )
    workload = Workload(int(width), int(height), args.people, args.batch, args.seconds)
    report = measure(config, workload)
    print(_estimator_table(report))
    if args.report:
        args.report.write_text(json.dumps(report, indent=2) + "\n")


def _estimator_table(report: Mapping[str, Any]) -> str:
    """Return the figures of the calls in columns, for Keypoint R-CNN with its stages below."""
    names = ("images_per_second", "p50_ms", "p99_ms", "peak_memory_mib")
    calls = {"ours": "", "the library's": "plain_"}
    rows = [["call", *names]]
    for call, prefix in calls.items():
        if prefix + names[0] in report:
            rows.append([call, *(f"{report[prefix + name]:g}" for name in names)])
    title = f"{report['estimator']}, {report['size']}, times of a batch of {report['batch']}"
    return "\n".join([title, aligned(rows), *_keypoint_rcnn_lines(report)])


def _keypoint_rcnn_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what is reported about Keypoint R-CNN only."""
    if "people_placed" not in report:
        return []
    stages = "  ".join(f"{name} {ms:g}" for name, ms in report["stages_p50_ms"].items())
    return [
        f"torch {report['torch']}; random weights find no people: {report['people_placed']} "
        "people were placed in each image by giving their boxes to the keypoint head",
        f"stages, p50 ms: {stages}",
        f"decode alone, p50 ms: ours {report['decode_p50_ms']:g}  "
        f"the library's {report['plain_decode_p50_ms']:g}",
    ]


def _resident_mib() -> float:
    return round(resident_bytes() / 2**20, 1)
