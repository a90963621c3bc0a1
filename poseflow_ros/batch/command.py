"""`python -m poseflow_ros batch`: many inputs, processed in parallel."""

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from poseflow_ros import __version__
from poseflow_ros.batch.inputs import expand_inputs
from poseflow_ros.batch.local_engine import run_local
from poseflow_ros.batch.manifest import Manifest
from poseflow_ros.batch.outcome import DONE, FAILED, INCOMPLETE, Job, Outcome
from poseflow_ros.batch.ray_engine import run_ray
from poseflow_ros.batch.video_runner import OUTPUTS, MakeVideoRunner
from poseflow_ros.cli.bag_options import OPTIONS, add_bag_arguments
from poseflow_ros.cli.errors import CommandError, IncompleteError
from poseflow_ros.cli.signals import interrupted_once
from poseflow_ros.cli.track import configure
from poseflow_ros.cli.track_outputs import check_formats
from poseflow_ros.config import Config, choices
from poseflow_ros.estimation.factory import ESTIMATORS
from poseflow_ros.imaging.video import DEFAULT_TIMEOUT_S

_MAX_WORKERS = 256


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "batch",
        help="track people in many videos",
        description="Track people in many videos, in parallel. An interrupted batch that is "
        "started again with the same command continues.",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="video, folder (all videos and image folders below it), pattern, or @FILE: a text "
        "file with one of these per line",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="output folder")
    parser.add_argument(
        "--outputs",
        default="json",
        metavar="NAMES",
        help=f"comma-separated: {', '.join(OUTPUTS)} (default: json)",
    )
    parser.add_argument("--params", type=Path, metavar="FILE.yaml", help="parameters of the node")
    parser.add_argument("--estimator", choices=ESTIMATORS)
    parser.add_argument("--association", choices=choices("tracker.association"))
    add_bag_arguments(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: cores / 2)")
    parser.add_argument("--gpus", default="", metavar="0,1", help="GPUs that the processes share")
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument(
        "--address", default="", help="of a Ray cluster (default: a local Ray of its own)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Process the inputs and print a summary.

    Raises:
        IncompleteError: some inputs failed or are incomplete.
        CommandError, ConfigError: an argument is wrong; nothing was processed.
        WorkerError: a worker cannot load the network.
    """
    outputs, gpus = _outputs(args.outputs), [gpu for gpu in args.gpus.split(",") if gpu]
    n_workers = _n_workers(args.workers, gpus)
    config = _with_threads(configure(args, messages="bag" in outputs), n_workers)
    topics = {name: getattr(args, name) for name in OPTIONS}
    make_runner = MakeVideoRunner(_track_arguments(topics), config, args.out.resolve(), outputs)
    check_formats(make_runner.arguments(Job("", "input")))
    start = perf_counter()
    with Manifest(args.out, _settings(config, outputs, topics)) as manifest:
        jobs, n_finished = manifest.jobs(expand_inputs(args.inputs))
        summary = _Summary(len(jobs), n_finished)
        try:
            with interrupted_once(), tqdm(total=len(jobs), unit="input", disable=None) as bar:
                for outcome in _outcomes(args, jobs, make_runner, n_workers, gpus):
                    manifest.add(outcome)
                    summary.add(outcome)
                    bar.update()
                    if outcome.status != DONE:
                        bar.write(f"{outcome.job.input}: {outcome.status}: {outcome.message}")
        finally:
            print(summary.text(perf_counter() - start))
    summary.check()


def _outcomes(
    args: argparse.Namespace,
    jobs: list[Job],
    make_runner: MakeVideoRunner,
    n_workers: int,
    gpus: list[str],
) -> Iterator[Outcome]:
    if args.engine == "local":
        threads = {"OMP_NUM_THREADS": str(make_runner.config.estimator.threads)}
        environments = [
            threads | ({"CUDA_VISIBLE_DEVICES": gpus[i % len(gpus)]} if gpus else {})
            for i in range(min(n_workers, len(jobs)))
        ]
        return run_local(jobs, make_runner, environments)
    return run_ray(
        jobs,
        make_runner,
        n_workers,
        address=args.address,
        cpus=make_runner.config.estimator.threads,
        gpus=len(gpus) / n_workers,
    )


def _outputs(names: str) -> tuple[str, ...]:
    outputs = tuple(names.split(","))
    if unknown := [name for name in outputs if name not in OUTPUTS]:
        raise CommandError(f"outputs has {unknown[0]!r}; allowed: {', '.join(OUTPUTS)}")
    return outputs


def _n_workers(workers: int | None, gpus: list[str]) -> int:
    if workers is None:
        return len(gpus) or max(1, len(os.sched_getaffinity(0)) // 2)
    if not 1 <= workers <= _MAX_WORKERS:
        raise CommandError(f"workers is {workers}, must be from 1 to {_MAX_WORKERS}")
    return workers


def _with_threads(config: Config, n_workers: int) -> Config:
    """Divide the cores among the workers, unless `estimator.threads` is set."""
    threads = config.estimator.threads or max(1, len(os.sched_getaffinity(0)) // n_workers)
    return replace(config, estimator=replace(config.estimator, threads=threads))


def _settings(config: Config, outputs: tuple[str, ...], topics: dict[str, str]) -> str:
    """Return what identifies the configuration, the outputs and the topics of bags."""
    values = asdict(config)
    values["estimator"].pop("threads")  # the results do not depend on it
    return sha256(repr((__version__, values, outputs, topics)).encode()).hexdigest()


def _track_arguments(topics: dict[str, str]) -> argparse.Namespace:
    return argparse.Namespace(
        rate=0.0,
        stamps="auto",
        timeout=DEFAULT_TIMEOUT_S,
        **topics,
        progress=False,
        detections=None,
        show=False,
        bag_images=False,
    )


class _Summary:
    """Counts of a batch."""

    def __init__(self, n_jobs: int, n_finished: int) -> None:
        self._n_jobs = n_jobs
        self._n_finished = n_finished
        self._counts = Counter[str]()
        self._frames = self._people = 0
        self._recorded_s = 0.0

    def add(self, outcome: Outcome) -> None:
        self._counts[outcome.status] += 1
        self._frames += outcome.frames
        self._people += outcome.people
        self._recorded_s += outcome.recorded_s

    def text(self, wall_s: float) -> str:
        rows = {
            "inputs": self._n_jobs + self._n_finished,
            "finished before": self._n_finished,
            DONE: self._counts[DONE],
            INCOMPLETE: self._counts[INCOMPLETE],
            FAILED: self._counts[FAILED],
            "not processed": self._n_jobs - self._counts.total(),
            "frames": self._frames,
            "hours processed": f"{self._recorded_s / 3600:.3f}",
            "times real time": f"{self._recorded_s / max(wall_s, 1e-9):.2f}",
            "people": self._people,
            "people per minute": f"{60 * self._people / max(self._recorded_s, 1e-9):.1f}",
        }
        return "\n".join(f"{name:18}{value:>12}" for name, value in rows.items())

    def check(self) -> None:
        """Raise IncompleteError unless all inputs are done."""
        left = self._n_jobs - self._counts[DONE]
        if left:
            raise IncompleteError(f"{left} of {self._n_jobs + self._n_finished} inputs not done")
