"""`python -m poseflow_ros track`: track people in a video, in images, a camera or a stream."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from poseflow_ros.cli.bag_cameras import camera_runs
from poseflow_ros.cli.bag_options import add_bag_arguments
from poseflow_ros.cli.errors import CommandError, IncompleteError
from poseflow_ros.cli.outputs import OutputFiles, check_outputs
from poseflow_ros.cli.params import node_parameters, unused_parameters
from poseflow_ros.cli.results import Origin, Results
from poseflow_ros.cli.signals import StopRequest, stop_requests
from poseflow_ros.cli.track_outputs import (
    add_output_arguments,
    camera_rotation,
    check_formats,
    open_outputs,
    output_paths,
    shows_behaviors,
    writes_3d,
)
from poseflow_ros.config import Config, choices
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.factory import ESTIMATORS, make_estimator
from poseflow_ros.estimation.guidance import Hint, estimate_with_hints
from poseflow_ros.estimation.recorded import RecordedPoses
from poseflow_ros.imaging.appearance import AppearanceModel
from poseflow_ros.imaging.appearance_factory import make_appearance_model
from poseflow_ros.imaging.gray_range import GrayRange
from poseflow_ros.imaging.read_ahead import read_ahead
from poseflow_ros.imaging.video import (
    DEFAULT_TIMEOUT_S,
    Source,
    VideoError,
    open_source,
)
from poseflow_ros.imaging.window import WindowClosed, check_display
from poseflow_ros.pipeline import Frame, Pipeline
from poseflow_ros.poses import Image, TrackedPoses
from poseflow_ros.ros_data.bag_depth import BagDepth, BagTopics
from poseflow_ros.ros_data.camera_behaviors import CameraBehaviors
from poseflow_ros.skeletons.skeleton import Skeleton

# What ends a run after it has begun.
_FAILURES = (CommandError, VideoError, OSError, RuntimeError)
# As of the node after its first activation.
_FIRST_EPOCH = 1


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "track", help="track people in a video", description=__doc__.split(": ", 1)[1]
    )
    parser.add_argument(
        "input",
        help="video, image, folder of images, ROS 2 bag, pattern such as img_%%04d.png, number or "
        "device of a camera, or URL of a stream (rtsp, udp, ...)",
    )
    parser.add_argument("--params", type=Path, metavar="FILE.yaml", help="parameters of the node")
    parser.add_argument("--estimator", choices=ESTIMATORS)
    parser.add_argument("--association", choices=choices("tracker.association"))
    parser.add_argument(
        "--detections", type=Path, metavar="FILE.npz", help="recorded poses, without an estimator"
    )
    parser.add_argument("--rate", type=float, default=0.0, metavar="HZ", help="images per second")
    add_bag_arguments(parser)
    parser.add_argument(
        "--camera", action="append", default=[], metavar="NAME=TOPIC",
        help="a camera of a bag, once or more: each writes outputs with its name",
    )  # fmt: skip
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
    parser.add_argument(
        "--show", action="store_true", help="show them in a window: q quits, space pauses, s saves"
    )
    add_output_arguments(parser)
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
    config = configure(args, messages=args.bag is not None)
    runs = camera_runs(args, config)
    inputs = [Path(args.input), *(path for path in (args.detections,) if path)]
    check_outputs([path for each, _ in runs for path in output_paths(each)], inputs)
    check_formats(args)
    if args.show:
        check_display()
    sources = [open_input(*each) for each in runs]
    estimator, incomplete = _estimator(args, config), []
    try:
        for (each, camera_config), source in zip(runs, sources, strict=True):
            try:
                _track_camera(each, camera_config, source, estimator)
            except IncompleteError as error:
                incomplete.append(str(error))
    finally:
        estimator.close()
    if incomplete:
        raise IncompleteError("; ".join(incomplete))


def _track_camera(
    args: argparse.Namespace, config: Config, source: Source, estimator: PoseEstimator
) -> None:
    """Track the people in a source, print the statistics and what is remarkable."""
    report = Report()
    try:
        track_source(args, config, source, estimator, report)
    finally:
        if report.frames:
            print("  ".join(f"{name} {value}" for name, value in report.figures().items()))
    if isinstance(estimator, RecordedPoses) and len(estimator) != report.frames:
        _warn(f"{len(estimator)} frames in {args.detections}, {report.frames} in {args.input}")
    if source.left_out:
        reasons = ", ".join(f"{n} {reason}" for reason, n in source.left_out.items())
        _warn(f"{source.left_out.total()} images of {args.input} left out: {reasons}")


def open_input(args: argparse.Namespace, config: Config) -> Source:
    """Open the input of the command.

    Raises:
        VideoError, OSError: it cannot be opened.
    """
    source = open_source(
        args.input,
        args.rate,
        stamps_from_names=args.stamps == "names",
        timeout_s=args.timeout,
        topic=args.topic,
        gray_range=GrayRange(config.cameras.mono16_range),
        max_backward_s=config.cameras.max_backward_s,
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
        CommandError, VideoError, OSError, RuntimeError: nothing was processed.
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
        pipeline: Pipeline[Origin] = Pipeline(
            config, estimator.skeleton, appearance.likelihood, log=bar.write, epoch=_FIRST_EPOCH
        )
        bag = stack.enter_context(_bag_depth(args, config, source, estimator.skeleton))
        behaviors = _behaviors(args, config, estimator.skeleton)
        results = Results(config, camera_rotation(config), bag, behaviors)
        writers = open_outputs(args, config, source, estimator.skeleton, files, stack)
        upright = results.upright(bar, source.headers)
        frames = _with_last(_frames(pipeline, estimator, appearance, upright, report))
        with images.until_window_closed():
            for frame, is_last in frames:
                result = results.make(frame, is_last)
                report.add(result.people, result.stamp_s)
                for write in writers:
                    write(result)
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
        # A camera is read when an image is wanted, so that it is a present one.
        read = iter(self._source) if self._source.is_live else read_ahead(self._source)
        try:
            for image_and_stamp in read:
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


def _bag_depth(
    args: argparse.Namespace, config: Config, source: Source, skeleton: Skeleton
) -> AbstractContextManager[BagDepth | None]:
    """Return calibration and depth of a bag, where they are written; otherwise None."""
    if not source.topic and (args.depth or args.camera_info):
        raise CommandError(f"--depth and --camera-info need a bag; {args.input} is not one")
    if not source.topic or not writes_3d(args):
        return nullcontext()
    topics = BagTopics(source.topic, args.camera_info, args.depth)
    up = camera_rotation(config).up_optical
    return BagDepth(Path(args.input), topics, config, skeleton, up)


def _behaviors(
    args: argparse.Namespace, config: Config, skeleton: Skeleton
) -> CameraBehaviors | None:
    """Return what recognizes behaviors, where they are written; otherwise None.

    Raises:
        ConfigError: the skeleton has other keypoints than the behaviors need.
    """
    if not shows_behaviors(args, config):
        return None
    return CameraBehaviors(skeleton, camera_rotation(config).up_optical)


def _frames(
    pipeline: Pipeline[Origin],
    estimator: PoseEstimator,
    appearance: AppearanceModel,
    images: Iterable[tuple[Image, float, Origin]],
    report: Report,
) -> Iterator[Frame[Origin]]:
    """Yield each image with its tracks; the payload is its origin."""
    for image, stamp_s, origin in images:
        start = perf_counter()
        hint = Hint("", stamp_s, pipeline.predict(image, stamp_s))
        (estimate,) = estimate_with_hints(estimator, [image], [hint])
        estimated = perf_counter()
        (appearances,) = appearance.describe([image], [estimate.poses])
        frames = pipeline.track(
            image, estimate.poses, appearances, stamp_s, origin, estimate.unscanned_ids
        )
        report.estimate_s += estimated - start
        report.track_s += perf_counter() - estimated
        yield from frames
    yield from pipeline.flush()


def _with_last(
    frames: Iterator[Frame[Origin]],
) -> Iterator[tuple[Frame[Origin], bool]]:
    """Yield each frame and whether it is the last one."""
    frame = next(frames, None)
    while frame is not None:
        following = next(frames, None)
        yield frame, following is None
        frame = following


def configure(args: argparse.Namespace, messages: bool) -> Config:
    """Return the configuration that the command asks for.

    Args:
        args: of the command.
        messages: whether messages of the node are written.

    Raises:
        CommandError, ConfigError: a parameter or its file is wrong.
    """
    values = node_parameters(args.params)
    options = {"estimator.name": args.estimator, "tracker.association": args.association}
    config = Config.from_parameters(values | {k: v for k, v in options.items() if v})
    if unused := unused_parameters(args.params, config, messages=messages):
        _warn(f"parameters of the node that this command does not use: {', '.join(unused)}")
    return config


def _estimator(args: argparse.Namespace, config: Config) -> PoseEstimator:
    return RecordedPoses(args.detections) if args.detections else make_estimator(config, _log)


def _log(line: str) -> None:
    print(f"poseflow_ros: {line}", file=sys.stderr)


def _warn(line: str) -> None:
    _log(f"warning: {line}")


def _write_figures(path: Path | None, report: Report, files: OutputFiles) -> None:
    if path:
        files.add(path).write_text(json.dumps(report.figures(), indent=2) + "\n")
