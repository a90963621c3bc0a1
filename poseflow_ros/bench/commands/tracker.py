"""`python -m poseflow_ros bench tracker`: quality and speed on a simulated crowd."""

import argparse
from collections.abc import Iterable
from time import perf_counter
from typing import Any

from tqdm import tqdm

from poseflow_ros.bench.camera_motion import CAMERA_MOTIONS
from poseflow_ros.bench.commands.options import add_options, configs
from poseflow_ros.bench.commands.table import finish
from poseflow_ros.bench.detector_model import MODELS
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.memory import resident_bytes
from poseflow_ros.bench.metrics import Score
from poseflow_ros.bench.observation import Observation
from poseflow_ros.bench.peer_fit import run_peers
from poseflow_ros.bench.peers import PeerSequence, require_peers
from poseflow_ros.bench.scene import SCENES
from poseflow_ros.bench.simulation import Settings, SimulatedFrame, simulate
from poseflow_ros.bench.trial import Trial
from poseflow_ros.cli.outputs import check_outputs
from poseflow_ros.poses import TrackedPoses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.delayed_output import DelayedOutput
from poseflow_ros.tracking.tracker import PoseFlowTracker

_MINUTE_S = 60.0


def add_parser(benches: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmark's arguments to those of `bench`."""
    parser = benches.add_parser("tracker", help="the tracker on a simulated crowd")
    parser.add_argument("--people", type=int, default=20, metavar="N")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S")
    parser.add_argument("--seed", type=int, default=1, metavar="K")
    parser.add_argument("--fps", type=float, default=10.0, help="images per second")
    parser.add_argument("--scene", choices=tuple(SCENES), default="street")
    parser.add_argument("--camera", choices=CAMERA_MOTIONS, default="still")
    parser.add_argument(
        "--rotation", type=float, default=90.0, metavar="DEG_S", help="maximum rate of rotate"
    )
    parser.add_argument("--no-image", action="store_true", help="without correspondences")
    parser.add_argument("--detector", choices=tuple(MODELS), default="movenet_tiled")
    parser.add_argument("--memory", action="store_true", help="measure only time and memory")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Run every association on the same crowd."""
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
    trackers = {
        name: PoseFlowTracker(c.tracker, COCO_17, c.classic) for name, c in configs(args).items()
    }
    outputs = {name: DelayedOutput[SimulatedFrame](tracker) for name, tracker in trackers.items()}
    trials = {name: Trial(None if args.memory else Score()) for name in trackers}
    memory_mib: dict[str, float] = {}
    observations: list[Observation] = []
    for frame in tqdm(simulate(settings), total=settings.n_frames, unit="frame", disable=None):
        cues = frame.cues
        for name, tracker in trackers.items():
            start = perf_counter()
            tracked = tracker.update(frame.poses, cues, frame.stamp_s)
            ready = outputs[name].push(tracked, frame)
            trials[name].add_time(perf_counter() - start)
            _add(trials[name], ready)
        if args.peers:
            observations.append(_observed(frame))
        if args.memory and frame.stamp_s >= _MINUTE_S:
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


def _add(trial: Trial, frames: Iterable[tuple[TrackedPoses, SimulatedFrame]]) -> None:
    for tracked, frame in frames:
        trial.add(frame.truth_ids, frame.truth_boxes, tracked)


def _observed(frame: SimulatedFrame) -> Observation:
    return Observation(frame.truth_ids, frame.truth_boxes, frame.poses.boxes, frame.poses.scores)


def _check_peers(args: argparse.Namespace) -> None:
    if args.memory:
        raise BenchError("--peers cannot be combined with --memory, which computes no metrics")
    require_peers(args.peer_memory)


def _resident_mib() -> float:
    return round(resident_bytes() / 2**20, 1)
