"""`python -m poseflow_ros bench tracking`: recorded detections, matched and tracked."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from poseflow_ros.bench.commands.options import add_options, configs
from poseflow_ros.bench.commands.table import finish
from poseflow_ros.bench.dataset import read_dataset
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.lanes import Lanes, check_plot, draw
from poseflow_ros.bench.metrics import Score
from poseflow_ros.bench.peer_fit import PeerResult, run_peers
from poseflow_ros.bench.peers import PeerSequence, require_peers
from poseflow_ros.bench.recording import Recording
from poseflow_ros.bench.trial import Trial
from poseflow_ros.cli.outputs import check_outputs, whole_file
from poseflow_ros.config import Config

_FILES = ("video", "detections", "gt")


def add_parser(benches: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmark's arguments to those of `bench`."""
    parser = benches.add_parser("tracking", help="matching and tracking of recorded detections")
    parser.add_argument("video", nargs="?", metavar="VIDEO", help="video file or folder of images")
    parser.add_argument(
        "detections", nargs="?", type=Path, metavar="DETECTIONS", help="recorded poses (.npz)"
    )
    parser.add_argument(
        "gt", nargs="?", type=Path, metavar="GT", help="the truth, MOTChallenge text"
    )
    parser.add_argument(
        "--dataset", type=Path, metavar="FILE.yaml", help="several sequences, scored together"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th frame only")
    parser.add_argument(
        "--shake", type=float, default=0.0, metavar="PX", help="move the picture, pixels a frame"
    )
    parser.add_argument("--no-image", action="store_true", help="without correspondences")
    parser.add_argument(
        "--partial", action="store_true", help="found people who overlap no true one do not count"
    )
    parser.add_argument("--plot", type=Path, metavar="OUT.png", help="draw identities over time")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Let every association track the same recordings."""
    recordings = _recordings(args)
    _check(args, recordings)
    trials = {
        name: _track(recordings, config, name, bool(args.plot))
        for name, config in configs(args).items()
    }
    frames = [trial.frames for trial in next(iter(trials.values()))]
    peers = _run_peers(args, recordings, frames) if args.peers else {}
    report = _described(args) | {"frames": sum(frames)}
    if args.dataset:
        report["sequences"] = [
            _sequence_report(i, recording, trials, peers) for i, recording in enumerate(recordings)
        ]
    finish(args, report, trials, peers)
    if args.plot:
        _draw(args, recordings[0], trials | {name: p.trials for name, p in peers.items()})


def _recordings(args: argparse.Namespace) -> list[Recording]:
    """Return the sequences that the arguments name, made harder as they say."""
    given = [getattr(args, name) for name in _FILES]
    if len(given) - given.count(None) != (0 if args.dataset else len(given)):
        raise BenchError("give either VIDEO DETECTIONS GT or --dataset FILE.yaml")
    recordings = read_dataset(args.dataset) if args.dataset else [Recording(*given)]
    options = {"every": args.every, "shake_px": args.shake, "with_images": not args.no_image}
    return [replace(one, **options, partial=one.partial or args.partial) for one in recordings]


def _check(args: argparse.Namespace, recordings: Sequence[Recording]) -> None:
    """Refuse before the work what could not be done after it."""
    inputs = [path for recording in recordings for path in recording.inputs]
    check_outputs((args.report, args.plot), inputs + [args.dataset] * bool(args.dataset))
    if args.plot:
        check_plot(args.plot)
    if args.plot and len(recordings) > 1:
        raise BenchError(f"--plot draws one sequence, {args.dataset} has {len(recordings)}")
    if args.peers:
        require_peers(args.peer_memory)


def _track(
    recordings: Sequence[Recording], config: Config, name: str, with_lanes: bool
) -> list[Trial]:
    """Return what an association makes of each recording, with a fresh tracker for each."""
    trials = []
    with tqdm(desc=name, unit="frame", disable=None) as progress:
        for recording in recordings:
            trial = Trial(Score(), Lanes() if with_lanes else None, recording.partial)
            for frame in recording.replay(config, trial.add_time):
                trial.add(*frame)
                progress.update()
            trials.append(trial)
    return trials


def _run_peers(
    args: argparse.Namespace, recordings: Sequence[Recording], frames: Sequence[int]
) -> dict[str, PeerResult]:
    """Let the peers track the same frames of the same recordings."""
    sequences = [
        PeerSequence(
            list(islice(one.observations(), n)), one.rate_hz / args.every, one.partial
        )
        for one, n in zip(recordings, frames, strict=True)
    ]  # fmt: skip
    return run_peers(sequences, args.peer_memory, bool(args.plot))


def _described(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the report says of the input."""
    files = ("dataset",) if args.dataset else _FILES
    named = {name: Path(getattr(args, name)).name for name in files}
    options = ("every", "shake", "no_image", "partial")
    return named | {name: getattr(args, name) for name in options}


def _draw(
    args: argparse.Namespace, recording: Recording, trials: Mapping[str, Sequence[Trial]]
) -> None:
    """Draw the only sequence."""
    lanes = {name: several[0].lanes for name, several in trials.items()}
    frame_s = args.every / recording.rate_hz
    with whole_file(args.plot) as path:
        draw(path, {k: v for k, v in lanes.items() if v}, frame_s)


def _sequence_report(
    index: int,
    recording: Recording,
    trials: Mapping[str, Sequence[Trial]],
    peers: Mapping[str, PeerResult],
) -> dict[str, Any]:
    """Return the figures of one sequence alone."""
    ours = {name: several[index] for name, several in trials.items()}
    theirs = {name: peer.trials[index] for name, peer in peers.items()}
    report: dict[str, Any] = {
        "name": recording.name,
        "frames": next(iter(ours.values())).frames,
        "partial": recording.partial,
        "associations": {name: trial.figures() for name, trial in ours.items()},
    }
    if peers:
        report["peers"] = {name: trial.figures() for name, trial in theirs.items()}
    return report
