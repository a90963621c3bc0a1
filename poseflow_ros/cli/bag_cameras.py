"""Several cameras of a bag: `track --camera NAME=TOPIC`."""

import argparse
from dataclasses import replace

from poseflow_ros.cli.errors import CommandError
from poseflow_ros.cli.track_outputs import OUTPUTS
from poseflow_ros.config import CamerasConfig, Config

_FOR_ONE_CAMERA = ("topic", "camera_info", "depth", "detections", "show")

CameraRun = tuple[argparse.Namespace, Config]
"""Arguments and configuration of `track` for one camera."""


def camera_runs(args: argparse.Namespace, config: Config) -> list[CameraRun]:
    """Return the run of each camera; without `--camera` the only one.

    The outputs of a camera have its name: out.front.json for out.json.

    Raises:
        CommandError: a camera is not NAME=TOPIC or not in `cameras.names`, or an option is for one
            camera only.
    """
    if not args.camera:
        return [(args, config)]
    for option in _FOR_ONE_CAMERA:
        if getattr(args, option):
            raise CommandError(f"--{option.replace('_', '-')} cannot be used with --camera")
    return [_camera_run(args, config, text) for text in args.camera]


def _camera_run(args: argparse.Namespace, config: Config, text: str) -> CameraRun:
    name, _, topic = text.partition("=")
    if not name or not topic:
        raise CommandError(f"--camera is {text!r}, must be NAME=TOPIC")
    named = {
        option: path.with_name(f"{path.stem}.{name}{path.suffix}")
        for option in OUTPUTS
        if (path := getattr(args, option))
    }
    return argparse.Namespace(**vars(args) | named | {"topic": topic}), _only(config, name)


def _only(config: Config, name: str) -> Config:
    """Return the configuration of one camera.

    Raises:
        CommandError: it has values for each camera, but none for this one.
    """
    cameras = config.cameras
    each = (cameras.rotate, cameras.rectified, cameras.image_transport)
    if name not in cameras.names and any(len(values) > 1 for values in each):
        known = ", ".join(cameras.names)
        raise CommandError(f"--camera names {name!r}, which is not in cameras.names: {known}")
    one: CamerasConfig = replace(
        cameras,
        names=(name,),
        rotate=(cameras.of(name, cameras.rotate),),
        rectified=(cameras.of(name, cameras.rectified),),
        image_transport=(cameras.of(name, cameras.image_transport),),
    )
    depth = replace(config.depth, image_transport=config.depth.image_transport[:1])
    return replace(config, cameras=one, depth=depth)
