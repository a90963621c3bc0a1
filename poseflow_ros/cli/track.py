"""`python -m poseflow_ros track`: track people in a video, in images, a camera or a stream."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from poseflow_ros.cli.annotated_window import AnnotatedWindow
from poseflow_ros.cli.errors import IncompleteError
from poseflow_ros.cli.outputs import OutputFiles, check_outputs
from poseflow_ros.cli.params import node_parameters, unused_parameters
from poseflow_ros.cli.signals import StopRequest, stop_requests
from poseflow_ros.cli.writers import AnnotatedVideoWriter, FrameWriter, JsonWriter, MotWriter
from poseflow_ros.config import Config, TrackerConfig, choices
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.factory import ESTIMATORS, make_estimator
from poseflow_ros.estimation.guidance import Hint, estimate_with_hints
from poseflow_ros.estimation.recorded import RecordedPoses
from poseflow_ros.imaging.appearance import AppearanceModel
from poseflow_ros.imaging.appearance_factory import make_appearance_model
from poseflow_ros.imaging.video import (
    DEFAULT_TIMEOUT_S,
    Source,
    VideoError,
    check_video_name,
    open_source,
)
from poseflow_ros.imaging.window import WindowClosed, check_display
from poseflow_ros.pipeline import Frame, Pipeline
from poseflow_ros.poses import Image, TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton

# What ends a run after it has begun.
_FAILURES = (VideoError, OSError, RuntimeError)


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "track", help="track people in a video", description=__doc__.split(": ", 1)[1]
    )
    parser.add_argument(
        "input",
        help="video, image, folder of images, pattern such as img_%%04d.png, number or device of "
        "a camera, or URL of a stream (rtsp, udp, ...)",
    )
    parser.add_argument("--params", type=Path, metavar="FILE.yaml", help="parameters of the node")
    parser.add_argument("--estimator", choices=ESTIMATORS)
    parser.add_argument("--association", choices=choices("tracker.association"))
    parser.add_argument(
        "--detections", type=Path, metavar="FILE.npz", help="recorded poses, without an estimator"
    )
    parser.add_argument("--rate", type=float, default=0.0, metavar="HZ", help="images per second")
    parser.add_argument(
        "--stamps",
        choices=("auto", "names"),
        default="auto",
        help="stamps of the images: those of the video; names: from the names of a folder's files",
    )
    parser.add_argument(
        "--timeout", type=float, default=DEFAULT_TIMEOUT_S, metavar="S",
        help="the longest time that a stream may send nothing, seconds (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--video", type=Path, metavar="OUT.mp4", help="write the annotated video")
    parser.add_argument(
        "--show", action="store_true", help="show them in a window: q quits, space pauses, s saves"
    )
    parser.add_argument("--mot", type=Path, metavar="OUT.txt", help="write MOTChallenge text")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write all poses")
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the statistics")
    parser.set_defaults(run=run, progress=True)


@dataclass(slots=True)
class Report:
    """Statistics of a run."""

    frames: int = 0
    estimate_s: float = 0.0
    track_s: float = 0.0
    track_ids: set[int] = field(default_factory=set)
    duration_s: float = 0.0
    _first_s: float = 0.0

    def add(self, tracked: TrackedPoses, stamp_s: float) -> None:
        """Count one frame with these people."""
        if not self.frames:
            self._first_s = stamp_s
        self.frames += 1
        self.duration_s = stamp_s - self._first_s
        self.track_ids.update(tracked.track_ids.tolist())

    def figures(self) -> dict[str, float]:
        """Return the values of the report; times are means in milliseconds."""
        frames = max(1, self.frames)
        return {
            "frames": self.frames,
            "estimate_ms_per_frame": round(1e3 * self.estimate_s / frames, 3),
            "track_ms_per_frame": round(1e3 * self.track_s / frames, 3),
            "track_ids": len(self.track_ids),
        }


def run(args: argparse.Namespace) -> None:
    """Track people in the input and write the requested outputs.

    Raises:
        IncompleteError: only a part of the input was processed; the outputs have partial names.
        CommandError, ConfigError, EstimatorError, VideoError: nothing was processed.
    """
    inputs = [Path(args.input), *(path for path in (args.detections,) if path)]
    check_outputs((args.video, args.mot, args.json, args.report), inputs)
    if args.video:
        check_video_name(args.video)
    if args.show:
        check_display()
    config = configure(args)
    source = open_input(args)
    estimator, report = _estimator(args, config), Report()
    try:
        track_source(args, config, source, estimator, report)
    finally:
        estimator.close()
        if report.frames:
            print("  ".join(f"{name} {value}" for name, value in report.figures().items()))
    if isinstance(estimator, RecordedPoses) and len(estimator) != report.frames:
        _warn(f"{len(estimator)} frames in {args.detections}, {report.frames} in {args.input}")


def open_input(args: argparse.Namespace) -> Source:
    """Open the input of the command.

    Raises:
        VideoError, OSError: it cannot be opened.
    """
    source = open_source(
        args.input,
        args.rate,
        stamps_from_names=args.stamps == "names",
        timeout_s=args.timeout,
    )
    if source.hint:
        _warn(source.hint)
    return source


def track_source(
    args: argparse.Namespace,
    config: Config,
    source: Source,
    estimator: PoseEstimator,
    report: Report,
) -> None:
    """Track the people in a source and write the outputs of the command.

    Raises:
        IncompleteError: only a part of the input was processed; the outputs have partial names.
        VideoError, OSError, RuntimeError: nothing was processed.
    """
    files = OutputFiles()
    try:
        _track(args, config, source, estimator, report, files)
        _write_figures(args.report, report, files)
        files.complete()
    except _FAILURES as error:
        if not report.frames:
            files.discard()
            raise
        with suppress(OSError):
            _write_figures(args.report, report, files)
        partial = f"; partial results: {files}" if str(files) else ""
        raise IncompleteError(f"{error}{partial}") from error


def _track(
    args: argparse.Namespace,
    config: Config,
    source: Source,
    estimator: PoseEstimator,
    report: Report,
    files: OutputFiles,
) -> None:
    """Track the people in all images and write them; close the outputs.

    Raises:
        VideoError, OSError, RuntimeError: the input ended early, the estimator failed, or an
            output cannot be written.
    """
    appearance = make_appearance_model(config.tracker, estimator.skeleton)
    with ExitStack() as stack, stop_requests() as stop:
        images = _Images(source, stop)
        bar = stack.enter_context(
            tqdm(
                images,
                total=source.n_frames or None,
                unit="frame",
                disable=None if args.progress else True,
            )
        )
        pipeline: Pipeline[int] = Pipeline(
            config, estimator.skeleton, appearance.likelihood, log=bar.write
        )
        writers = _open_outputs(args, config, source, estimator.skeleton, files, stack)
        frames = _frames(pipeline, estimator, appearance, bar, report)
        with images.until_window_closed():
            for frame, is_last in _with_last(frames):
                people = frame.tracked[_written(frame.tracked, config.tracker, is_last)]
                report.add(people, frame.stamp_s)
                for write in writers:
                    write(frame.image, frame.stamp_s, frame.payload, people)
    if images.failure and (str(files) or not images.window_closed):
        raise VideoError(images.failure)


class _Images:
    """The images of a source until it ends, fails or is stopped by a signal."""

    def __init__(self, source: Source, stop: StopRequest) -> None:
        self._source = source
        self._stop = stop
        self.failure = ""
        """Why there were not all images; a camera and a stream may be stopped."""
        self.window_closed = False
        """Whether the user closed the window of `--show`."""

    def __iter__(self) -> Iterator[tuple[Image, float]]:
        try:
            for image_and_stamp in self._source:
                if self._stop:
                    self.failure = f"{self._source.name}: stopped by {self._stop.reason}"
                    break
                yield image_and_stamp
        except VideoError as error:
            self.failure = str(error)
        if self._stop and self._source.is_live:
            self.failure = ""

    @contextmanager
    def until_window_closed(self) -> Iterator[None]:
        """Let the user end the work in this context by closing the window."""
        try:
            yield
        except WindowClosed:
            self.window_closed = True
            if not self._source.is_live:
                self.failure = f"{self._source.name}: the window was closed"


def _frames(
    pipeline: Pipeline[int],
    estimator: PoseEstimator,
    appearance: AppearanceModel,
    images: Iterable[tuple[Image, float]],
    report: Report,
) -> Iterator[Frame[int]]:
    """Yield each image with its tracks; the payload is its index."""
    for index, (image, stamp_s) in enumerate(images):
        start = perf_counter()
        hint = Hint("", stamp_s, pipeline.predict(image, stamp_s))
        (estimate,) = estimate_with_hints(estimator, [image], [hint])
        estimated = perf_counter()
        (appearances,) = appearance.describe([image], [estimate.poses])
        frames = pipeline.track(
            image, estimate.poses, appearances, stamp_s, index, estimate.unscanned_ids
        )
        report.estimate_s += estimated - start
        report.track_s += perf_counter() - estimated
        yield from frames
    yield from pipeline.flush()


def _with_last(frames: Iterator[Frame[int]]) -> Iterator[tuple[Frame[int], bool]]:
    """Yield each frame and whether it is the last one."""
    frame = next(frames, None)
    while frame is not None:
        following = next(frames, None)
        yield frame, following is None
        frame = following


def _written(tracked: TrackedPoses, config: TrackerConfig, is_last: bool) -> NDArray[np.bool_]:
    """Return (N,), true for the people that are written.

    In the last image, such as a single photo, tentative people too: no image follows that could
    confirm them.
    """
    tentative = (tracked.states == TrackState.TENTATIVE) & (config.publish_tentative or is_last)
    return tracked.visible | tentative


def configure(args: argparse.Namespace) -> Config:
    """Return the configuration that the command asks for.

    Raises:
        CommandError, ConfigError: a parameter or its file is wrong.
    """
    values = node_parameters(args.params)
    options = {"estimator.name": args.estimator, "tracker.association": args.association}
    config = Config.from_parameters(values | {k: v for k, v in options.items() if v})
    if unused := unused_parameters(args.params, config):
        _warn(f"parameters of the node that this command does not use: {', '.join(unused)}")
    return config


def _estimator(args: argparse.Namespace, config: Config) -> PoseEstimator:
    return RecordedPoses(args.detections) if args.detections else make_estimator(config, _log)


def _log(line: str) -> None:
    print(f"poseflow_ros: {line}", file=sys.stderr)


def _warn(line: str) -> None:
    _log(f"warning: {line}")


def _open_outputs(
    args: argparse.Namespace,
    config: Config,
    source: Source,
    skeleton: Skeleton,
    files: OutputFiles,
    stack: ExitStack,
) -> list[FrameWriter]:
    """Return a writer for each output; the stack closes them."""
    writers: list[Any] = []
    if args.video:
        path = files.add(args.video)
        writers.append(AnnotatedVideoWriter(path, source.rate_hz, skeleton, config.markers))
    if args.mot:
        writers.append(MotWriter(files.add(args.mot)))
    if args.json:
        writers.append(JsonWriter(files.add(args.json), skeleton, config.markers))
    if args.show:
        writers.append(AnnotatedWindow(skeleton, config.markers))
    return [stack.enter_context(writer) for writer in writers]


def _write_figures(path: Path | None, report: Report, files: OutputFiles) -> None:
    if path:
        files.add(path).write_text(json.dumps(report.figures(), indent=2) + "\n")
