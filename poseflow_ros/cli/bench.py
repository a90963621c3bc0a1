"""`python -m poseflow_ros bench`: how good and how fast it is."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from poseflow_ros.bench.camera_motion import CAMERA_MOTIONS
from poseflow_ros.bench.detector_model import MODELS
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.lanes import Lanes, check_plot, draw
from poseflow_ros.bench.memory import resident_bytes
from poseflow_ros.bench.metrics import Score
from poseflow_ros.bench.recording import Recording
from poseflow_ros.bench.scene import SCENES
from poseflow_ros.bench.simulation import Settings, simulate
from poseflow_ros.bench.trial import Trial
from poseflow_ros.cli import bench_node
from poseflow_ros.cli.outputs import check_outputs
from poseflow_ros.cli.params import read_parameters
from poseflow_ros.config import Config, EstimatorConfig, parameters, spec_of
from poseflow_ros.estimation.estimator import require
from poseflow_ros.imaging.video import open_source
from poseflow_ros.tracking.tracker import PoseFlowTracker

_MINUTE_S = 60.0
_COLUMNS = ("HOTA", "AssA", "IDF1", "MOTA", "switches", "identities", "true_identities")
_TIMES = ("ms_per_frame", "ms_per_frame_p99")


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmarks' arguments."""
    parser = commands.add_parser("bench", help="measure quality and speed")
    benches = parser.add_subparsers(required=True, metavar="BENCHMARK")
    _add_tracker(benches)
    _add_tracking(benches)
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
    _add_common(parser)
    parser.set_defaults(run=run_tracker)


def _add_tracking(benches: "argparse._SubParsersAction[Any]") -> None:
    parser = benches.add_parser("tracking", help="matching and tracking of recorded detections")
    parser.add_argument("video", metavar="VIDEO", help="video file or folder of images")
    parser.add_argument(
        "detections", type=Path, metavar="DETECTIONS", help="recorded poses (.npz)"
    )
    parser.add_argument("gt", type=Path, metavar="GT", help="the truth, MOTChallenge text")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th frame only")
    parser.add_argument(
        "--shake", type=float, default=0.0, metavar="PX", help="move the picture, pixels a frame"
    )
    parser.add_argument("--no-image", action="store_true", help="without correspondences")
    parser.add_argument("--plot", type=Path, metavar="OUT.png", help="draw identities over time")
    _add_common(parser)
    parser.set_defaults(run=run_tracking)


def _add_estimator(benches: "argparse._SubParsersAction[Any]") -> None:
    parser = benches.add_parser("estimator", help="Keypoint R-CNN beside its library's own call")
    parser.add_argument(
        "--estimator", choices=("keypoint_rcnn", "detectron2"), default="keypoint_rcnn"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto")
    parser.add_argument("--precision", choices=_choices("precision"), default="auto")
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


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--association", choices=_choices("association"), help="only this one")
    parser.add_argument("--params", type=Path, metavar="FILE.yaml", help="parameters of the node")
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the figures")


def _choices(name: str) -> tuple[str, ...]:
    """Return what a parameter may be."""
    return next(spec_of(item).choices for item in parameters() if item.name == name)


def _configs(args: argparse.Namespace) -> dict[str, Config]:
    """Return a configuration for each association on trial."""
    values = read_parameters(args.params) if args.params else {}
    names = (args.association,) if args.association else _choices("association")
    return {name: Config.from_parameters(values | {"association": name}) for name in names}


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
    trackers = {name: PoseFlowTracker(c.tracker) for name, c in _configs(args).items()}
    trials = {name: Trial(None if args.memory else Score()) for name in trackers}
    memory_mib: dict[str, float] = {}
    for sight in tqdm(simulate(settings), total=settings.n_frames, unit="frame", disable=None):
        for name, tracker in trackers.items():
            start = perf_counter()
            tracked = tracker.update(sight.poses, sight.matches, sight.stamp_s)
            ready = tracker.hold_back(tracked)
            trials[name].expect(sight.truth_ids, sight.truth_boxes, perf_counter() - start)
            trials[name].take(ready)
        if args.memory and sight.stamp_s >= _MINUTE_S:
            memory_mib.setdefault("after_a_minute", _resident_mib())
    for name, tracker in trackers.items():
        trials[name].take(tracker.flush())
    names = ("people", "seconds", "seed", "fps", "scene", "camera", "no_image", "detector")
    report = {name: getattr(args, name) for name in names} | {"frames": settings.n_frames}
    if args.camera == "rotate":
        report["rotation"] = args.rotation
    if args.memory:
        report["memory_mib"] = memory_mib | {"at_the_end": _resident_mib()}
    _finish(args, report, trials)


def run_tracking(args: argparse.Namespace) -> None:
    """Let every association track the same recording."""
    inputs = (Path(args.video), args.detections, args.gt)
    check_outputs((args.report, args.plot), inputs)
    if args.plot:
        check_plot(args.plot)
    recording = Recording(
        args.video, args.detections, args.gt, args.every, args.shake, not args.no_image
    )
    frame_s = args.every / open_source(args.video).rate_hz
    lanes: dict[str, Lanes] = {}
    trials: dict[str, Trial] = {}
    for name, config in _configs(args).items():
        lanes[name] = Lanes()
        trials[name] = Trial(Score(), lanes[name])
        for truth_ids, truth_boxes, tracked, duration_s in tqdm(
            recording.replay(config), desc=name, unit="frame", disable=None
        ):
            trials[name].expect(truth_ids, truth_boxes, duration_s)
            trials[name].take([tracked])
    report = {name: Path(getattr(args, name)).name for name in ("video", "detections", "gt")}
    options = {name: getattr(args, name) for name in ("every", "shake", "no_image")}
    _finish(args, report | options | {"frames": next(iter(lanes.values())).frames}, trials)
    if args.plot:
        draw(args.plot, lanes, frame_s)


def run_estimator(args: argparse.Namespace) -> None:
    """Time Keypoint R-CNN and its library's own call in turns."""
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
    require("detectron2" if args.estimator == "detectron2" else "torchvision")
    from poseflow_ros.bench.estimator import Workload, measure

    workload = Workload(int(width), int(height), args.people, args.batch, args.seconds)
    report = measure(config, workload)
    print(_estimator_table(report))
    if args.report:
        args.report.write_text(json.dumps(report, indent=2) + "\n")


def _estimator_table(report: Mapping[str, Any]) -> str:
    """Return the figures of the two calls in columns, and the stages below."""
    names = ("images_per_second", "p50_ms", "p99_ms", "peak_memory_mib")
    rows = [["call", *names]]
    for call, prefix in (("ours", ""), ("the library's", "plain_")):
        rows.append([call, *(f"{report[prefix + name]:g}" for name in names)])
    stages = "  ".join(f"{name} {ms:g}" for name, ms in report["stages_p50_ms"].items())
    return "\n".join(
        [
            f"{report['estimator']}, torch {report['torch']}, {report['size']}, a time is that "
            f"of a batch of {report['batch']}",
            f"random weights find nobody: {report['people_placed']} people were placed in each "
            "image by giving their boxes to the keypoint head",
            _aligned(rows),
            f"stages, p50 ms: {stages}",
            f"decode alone, p50 ms: ours {report['decode_p50_ms']:g}  "
            f"the library's {report['plain_decode_p50_ms']:g}",
        ]
    )


def _resident_mib() -> float:
    return round(resident_bytes() / 2**20, 1)


def _finish(args: argparse.Namespace, report: dict[str, Any], trials: Mapping[str, Trial]) -> None:
    """Print the table and write the report."""
    report["associations"] = {name: trial.figures() for name, trial in trials.items()}
    print(_table(report["associations"]))
    if "memory_mib" in report:
        print("memory", *(f"{k} {v} MiB" for k, v in report["memory_mib"].items()), sep="  ")
    if args.report:
        args.report.write_text(json.dumps(report, indent=2) + "\n")


def _table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Return the figures of each association in columns."""
    names = [n for n in (*_COLUMNS, *_TIMES) if n in next(iter(figures.values()))]
    rows = [["association", *names]]
    rows += [[name, *(f"{row[n]:g}" for n in names)] for name, row in figures.items()]
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows in columns, the first one's words to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(
            zip(row, widths, strict=True)))
        for row in rows
    )  # fmt: skip
