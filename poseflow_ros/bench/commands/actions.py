"""`python -m poseflow_ros bench actions`: time of windows and behaviors per image."""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np

from poseflow_ros.action_config import ClassifierConfig, WindowsConfig
from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.actions.frame import UP_OPTICAL, PoseFrame
from poseflow_ros.actions.windows import PoseWindows
from poseflow_ros.bench.commands.table import aligned
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.repetition import percentile
from poseflow_ros.bench.stgcn import write_stgcn
from poseflow_ros.cli.outputs import check_outputs
from poseflow_ros.cli.signals import interrupted_once
from poseflow_ros.recognition.action_classifier import ActionClassifier

_SIZE = (720, 1280)
_HEIGHT_PX, _STEP_PX, _ONE_WAVES_OF = 200.0, 0.3, 5
_DEPTHS = [0.08, *[0.06] * 4, *np.repeat([0.2, 0.36, 0.5, 0.52, 0.75, 0.98], 2)]
"""How far each keypoint is below the top of a standing person, in heights."""


def add_parser(benches: "argparse._SubParsersAction[Any]") -> None:
    """Add the benchmark's arguments to those of `bench`."""
    parser = benches.add_parser("actions", help="windows and behaviors of tracked people")
    parser.add_argument("--people", type=int, default=50, metavar="N", help="in each image")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of images")
    parser.add_argument("--fps", type=float, default=30.0, help="images a second")
    parser.add_argument(
        "--network",
        action="store_true",
        help="classify the windows with a network of ST-GCN++'s size",
    )
    parser.add_argument(
        "--node",
        action="store_true",
        help="run the action node with that network, as a separate process, connected by DDS",
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of the network")
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the figures")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure each step on the same images, all people observed in each, with depth."""
    check_outputs([args.report])
    for name, low, high in (("people", 1, 1000), ("seconds", 0.1, 3600), ("fps", 1, 120)):
        if not low <= getattr(args, name) <= high:
            raise BenchError(f"{name} is {getattr(args, name):g}, must be from {low} to {high}")
    windows, every_sample = WindowsConfig(), WindowsConfig(stride_s=0.0)
    steps: dict[str, Callable[[PoseFrame], Any]] = {
        f"windows, stride {windows.stride_s:g} s": PoseWindows(windows).update,
        "windows, every sample": PoseWindows(every_sample).update,
        "behaviors": BehaviorRecognizer().update,
    }
    frames = list(_frames(args.people, round(args.seconds * args.fps), args.fps))
    report: dict[str, Any] = {name: _figures(step, frames) for name, step in steps.items()}
    rows = [[name, *(f"{value:g}" for value in row.values())] for name, row in report.items()]
    print(f"{args.people} people, {len(frames)} images, milliseconds an image")
    print(aligned([["step", "p50_ms", "p99_ms", "cpu_ms"], *rows]))
    if args.network:
        report["network"] = _measure_network(frames, args.threads)
        print("network: " + ", ".join(f"{name} {x:g}" for name, x in report["network"].items()))
    if args.node:
        report["node"] = _measure_node(frames, args.threads)
        print("node: " + ", ".join(f"{name} {x:g}" for name, x in report["node"].items()))
    if args.report:
        args.report.write_text(json.dumps(report, indent=2) + "\n")


def _frames(people: int, n_frames: int, fps: float) -> Iterable[PoseFrame]:
    """Yield images of people who stand, one in five with a raised hand, in random motion."""
    rng = np.random.default_rng(1)
    shape = people, 17
    body = np.column_stack([rng.uniform(-0.2, 0.2, 17), _DEPTHS])
    keypoints = _HEIGHT_PX * body + rng.uniform((0, 0), _SIZE[::-1], (people, 1, 2))
    keypoints[::_ONE_WAVES_OF, 10, 1] -= 0.4 * _HEIGHT_PX
    for n in range(n_frames):
        keypoints = keypoints + rng.normal(scale=_STEP_PX, size=keypoints.shape)
        yield PoseFrame(
            camera="",
            epoch=0,
            stamp_s=1e9 + n / fps,
            sequence=n,
            image_size=_SIZE,
            track_ids=np.arange(1, people + 1),
            states=np.ones(people, np.int64),
            keypoints=keypoints,
            scores=rng.uniform(0.3, 0.9, shape),
            points=np.dstack([keypoints / _HEIGHT_PX, rng.normal(4.0, 0.1, shape)]),
            positions=rng.uniform(1.0, 5.0, (people, 3)),
            velocities=rng.normal(size=(people, 3)),
            up=UP_OPTICAL,
        )


def _measure_network(frames: list[PoseFrame], threads: int) -> dict[str, float]:
    """Return how many windows a network classifies a second, and its parameters."""
    with _network() as (model, labels, n_parameters):
        config = ClassifierConfig(model=str(model), labels=str(labels), threads=threads)
        classifier = ActionClassifier(config)
    windows = PoseWindows(WindowsConfig())
    ready = [one for frame in frames if len(one := windows.update(frame))]
    seconds, cpu_s = -perf_counter(), -process_time()
    for one in ready:
        classifier.classify(one)
    seconds, cpu_s = seconds + perf_counter(), cpu_s + process_time()
    n_windows = sum(map(len, ready))
    return {
        "windows_per_second": round(n_windows / seconds, 1),
        "cpu_ms_per_window": round(1e3 * cpu_s / n_windows, 1),
        "ms_per_call": round(1e3 * seconds / len(ready), 1),
        "parameters": n_parameters,
    }


def _measure_node(frames: list[PoseFrame], threads: int) -> dict[str, float]:
    """Return how many windows the action node classifies a second, and how long that takes."""
    try:
        from poseflow_ros.bench.action_trial import ActionTrial
    except ImportError as error:
        message = f"--node needs ROS 2 and this package built and sourced: {error}"
        raise BenchError(message) from error
    with _network() as (model, labels, _), interrupted_once():
        parameters = (f"model:={model}", f"labels:={labels}", f"threads:={threads}")
        return ActionTrial(frames, [f"classifier.{one}" for one in parameters]).run()


@contextmanager
def _network() -> Iterator[tuple[Path, Path, int]]:
    """Write a network of ST-GCN++'s size; yield its file, its labels and its parameters."""
    with TemporaryDirectory() as folder:
        model, labels = Path(folder) / "stgcn.onnx", Path(folder) / "labels.txt"
        n_parameters = write_stgcn(model)
        labels.write_text("\n".join(f"action {i}" for i in range(60)))
        yield model, labels, n_parameters


def _figures(step: Callable[[PoseFrame], Any], frames: list[PoseFrame]) -> dict[str, float]:
    """Return the wall times of a step per image, and the mean CPU time."""
    times_ms = []
    cpu_s = -process_time()
    for frame in frames:
        start = perf_counter()
        step(frame)
        times_ms.append(1e3 * (perf_counter() - start))
    cpu_s += process_time()
    return {
        "p50_ms": percentile(times_ms, 50),
        "p99_ms": percentile(times_ms, 99),
        "cpu_ms": round(1e3 * cpu_s / len(frames), 3),
    }
