"""`python -m poseflow_ros export`: write a network to ONNX files for the estimator `onnx`."""

import argparse
from pathlib import Path
from typing import Any

from poseflow_ros.cli.errors import CommandError, IncompleteError
from poseflow_ros.cli.outputs import OutputFiles, check_outputs
from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation import torchvision_rcnn
from poseflow_ros.estimation.onnx_parts import parts

_MIN_SIDE, _MAX_SIDE = 32, 4096


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("export", help="write a network to ONNX files")
    networks = parser.add_subparsers(required=True, metavar="NETWORK")
    network = networks.add_parser("keypoint_rcnn", help="torchvision's Keypoint R-CNN")
    network.add_argument("--size", required=True, metavar="WxH", help="of the images, pixels")
    network.add_argument("--out", required=True, type=Path, metavar="FILE.onnx")
    defaults = EstimatorConfig()
    network.add_argument("--weights", default=defaults.weights, metavar="FILE")
    network.add_argument(
        "--image-min-side", type=int, default=defaults.image_min_side, metavar="PX"
    )
    network.add_argument(
        "--image-max-side", type=int, default=defaults.image_max_side, metavar="PX"
    )
    network.add_argument("--max-people", type=int, default=defaults.max_people, metavar="N")
    network.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Export Keypoint R-CNN.

    Raises:
        CommandError: the size or the file's name is not allowed.
        IncompleteError: a file cannot be written completely; nothing is left of it.
        ConfigError, EstimatorError: a value, the weights or a library cannot be used.
    """
    if args.out.suffix != ".onnx":
        raise CommandError(f"out is {str(args.out)!r}, must be the path of a file *.onnx")
    paths = parts(args.out)
    check_outputs(paths)
    estimator = EstimatorConfig(
        weights=args.weights,
        image_min_side=args.image_min_side,
        image_max_side=args.image_max_side,
        max_people=args.max_people,
    )
    size = _size(args.size, estimator.image_max_side)
    files = OutputFiles()
    try:
        torchvision_rcnn.export(Config(estimator=estimator), size, [files.add(p) for p in paths])
        files.complete()
    except OSError as error:
        raise IncompleteError(f"{args.out} cannot be written: {error.strerror}") from error
    finally:
        files.discard()
    print("\n".join(map(str, paths)))


def _size(text: str, image_max_side: int) -> tuple[int, int]:
    """Return height and width.

    Raises:
        CommandError: the text is not a size, a side is out of range, or nothing of the image is
            left after scaling.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise CommandError(f"size is {text!r}, must be WIDTHxHEIGHT such as 640x480")
    sides = (int(height), int(width))
    if not all(_MIN_SIDE <= side <= _MAX_SIDE for side in sides):
        raise CommandError(
            f"size is {text!r}, both sides must be from {_MIN_SIDE} to {_MAX_SIDE} pixels"
        )
    if max(sides) >= min(sides) * image_max_side:
        raise CommandError(
            f"size is {text!r}, whose shorter side is scaled to less than a pixel: "
            f"image-max-side is {image_max_side}"
        )
    return sides
