"""The outputs of `track` and `batch`: their options, checks and writers."""

import argparse
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from poseflow_ros.cli.errors import CommandError
from poseflow_ros.cli.outputs import OutputFiles
from poseflow_ros.cli.writers.annotated_video import AnnotatedVideoWriter
from poseflow_ros.cli.writers.annotated_window import AnnotatedWindow
from poseflow_ros.cli.writers.bag import BagWriter
from poseflow_ros.cli.writers.coco import CocoWriter
from poseflow_ros.cli.writers.message_definitions import MessageDefinitions
from poseflow_ros.cli.writers.mot_text import MotWriter
from poseflow_ros.cli.writers.people_json import JsonWriter
from poseflow_ros.cli.writers.posetrack import PoseTrackWriter
from poseflow_ros.cli.writers.rerun_recording import RerunWriter
from poseflow_ros.cli.writers.table import TABLE_SUFFIXES, TableWriter
from poseflow_ros.cli.writers.tracked_image import ImageWriter
from poseflow_ros.config import Config
from poseflow_ros.imaging.rotation import Rotation
from poseflow_ros.imaging.source import Source
from poseflow_ros.imaging.video import check_video_name
from poseflow_ros.skeletons.skeleton import Skeleton

OUTPUTS = {
    "video": ("OUT.mp4", "write the annotated video"),
    "json": ("OUT.json", "write all poses"),
    "table": ("OUT.csv|OUT.parquet", "write a table with one row for each person in each image"),
    "bag": ("OUT.mcap", "write the messages of the node as a ROS 2 bag"),
    "mot": ("OUT.txt", "write MOTChallenge text"),
    "posetrack": ("OUT.json", "write PoseTrack18 annotations"),
    "coco": ("OUT.json", "write results of COCO's keypoint task"),
    "rrd": ("OUT.rrd", "write a recording for the Rerun viewer"),
    "report": ("OUT.json", "write the statistics"),
}
"""Option, its argument and its help."""


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each output."""
    for name, (argument, text) in OUTPUTS.items():
        parser.add_argument(f"--{name}", type=Path, metavar=argument, help=text)
    parser.add_argument(
        "--bag-images", action="store_true", help="write annotated images into the bag too"
    )


def output_paths(args: argparse.Namespace) -> list[Path]:
    """Return the paths of all outputs that are wanted."""
    return [path for name in OUTPUTS if (path := getattr(args, name))]


def check_formats(args: argparse.Namespace) -> None:
    """Check that each output has a suffix that is known and the package that it needs.

    Raises:
        CommandError, VideoError: one has not.
    """
    if args.video:
        check_video_name(args.video)
    if args.table:
        _check_suffix(args.table, TABLE_SUFFIXES)
        if args.table.suffix.lower() == ".parquet":
            _check_package(args.table, "pyarrow", "pyarrow")
    if args.bag:
        _check_suffix(args.bag, (".mcap",))
        MessageDefinitions()
    elif args.bag_images:
        raise CommandError("--bag-images needs --bag")
    if (args.depth or args.camera_info) and not writes_3d(args):
        raise CommandError("--depth and --camera-info need --bag, --rrd, --json or --table")
    if args.rrd:
        _check_package(args.rrd, "rerun", "rerun-sdk")


def writes_3d(args: argparse.Namespace) -> bool:
    """Return whether an output has 3D positions, or needs the calibration."""
    return bool(args.bag or args.rrd or (args.depth and (args.json or args.table)))


def open_outputs(
    args: argparse.Namespace,
    config: Config,
    source: Source,
    skeleton: Skeleton,
    files: OutputFiles,
    stack: ExitStack,
) -> list[ImageWriter]:
    """Return a writer for each output; the stack closes them.

    Raises:
        OSError, CommandError: one cannot be written.
    """
    score = config.markers.min_keypoint_score
    makers: dict[str, Any] = {
        "video": lambda path: AnnotatedVideoWriter(path, source.rate_hz, skeleton, score),
        "mot": MotWriter,
        "json": lambda path: JsonWriter(path, skeleton),
        "table": lambda path: TableWriter(path, skeleton, in_3d=bool(args.depth)),
        "posetrack": lambda path: PoseTrackWriter(path, source, skeleton),
        "coco": lambda path: CocoWriter(path, source, skeleton),
        "rrd": lambda path: RerunWriter(path, skeleton, score, source.name),
        "bag": lambda path: BagWriter(
            path, config, skeleton, camera_rotation(config).up_optical, args.bag_images
        ),
    }
    writers = [
        stack.enter_context(make(files.add(path)))
        for name, make in makers.items()
        if (path := getattr(args, name))
    ]
    if args.show:
        writers.append(stack.enter_context(AnnotatedWindow(skeleton, score)))
    return writers


def shows_behaviors(args: argparse.Namespace, config: Config) -> bool:
    """Return whether an output has behaviors."""
    return config.markers.behaviors and bool(args.video or args.json or args.bag or args.show)


def camera_rotation(config: Config) -> Rotation:
    """Return the rotation of the first camera, whose images the input is taken for."""
    cameras = config.cameras
    return Rotation(cameras.of(cameras.names[0], cameras.rotate))


def _check_suffix(path: Path, allowed: tuple[str, ...]) -> None:
    if path.suffix.lower() not in allowed:
        raise CommandError(
            f"{path} cannot be written: the name must end in {' or '.join(allowed)}"
        )


def _check_package(path: Path, module: str, package: str) -> None:
    if find_spec(module) is None:
        raise CommandError(
            f"{path} cannot be written: it needs the package {package}; to install it: "
            f"python3 -m pip install {package}"
        )
