"""`python -m poseflow_ros weights`: prepare a machine that has no network later."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.estimator import EstimatorError, require
from poseflow_ros.estimation.weights import (
    MOVENET_MULTIPOSE,
    ModelFile,
    WeightsError,
    cache_path,
    fetch,
    is_intact,
    named_file,
)


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("weights", help="list, fetch or verify the networks' files")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="what is published, and what this machine has")
    listing.set_defaults(run=run_list)
    fetching = actions.add_parser("fetch", help="download, check and keep a file")
    fetching.add_argument("name", nargs="?", default=MOVENET_MULTIPOSE.title, metavar="NAME")
    fetching.set_defaults(run=run_fetch)
    verifying = actions.add_parser("verify", help="check a file: its digest, or what is in it")
    verifying.add_argument("name", metavar="NAME|PATH")
    verifying.add_argument(
        "--detectron2-config", default=EstimatorConfig().detectron2_config, metavar="CONFIG",
        help="the network that a file of detectron2 is for",
    )  # fmt: skip
    verifying.set_defaults(run=run_verify)


def run_list(args: argparse.Namespace) -> None:
    """Print the state, name and place of every file that a library here publishes."""
    for model in _published():
        print(f"{_state(model):8} {model.title}  {cache_path(model)}")


def run_fetch(args: argparse.Namespace) -> None:
    """Download one file, unless it is there and intact."""
    model = _named(args.name)
    if _state(model) != "checked":
        fetch(model)
    print(f"{_state(model):8} {model.title}  {cache_path(model)}")


def run_verify(args: argparse.Namespace) -> None:
    """Check a published file by its digest, any other by loading it.

    Raises:
        WeightsError, EstimatorError: it is missing, damaged or of no network that is known.
    """
    if path := named_file(args.name):
        print(f"loads    as {_network_in(path, args.detectron2_config)}  {path}")
        return
    model = _named(args.name)
    if (state := _state(model)) != "checked":
        raise WeightsError(
            f"{cache_path(model)} is {state}; to fetch it: "
            f"python3 -m poseflow_ros weights fetch {model.title}"
        )
    print(f"{state:8} {model.title}  {cache_path(model)}")


def _state(model: ModelFile) -> str:
    path = cache_path(model)
    if not path.exists():
        return "missing"
    return "checked" if is_intact(model, path) else "damaged"


def _published() -> Iterator[ModelFile]:
    """Yield every file that the libraries of this machine publish."""
    yield MOVENET_MULTIPOSE
    for library in (_torchvision, _detectron2):
        try:
            yield from library().all_published()
        except EstimatorError as error:
            print(f"-        {error}")


def _named(name: str) -> ModelFile:
    """Return the published file of this name.

    Raises:
        WeightsError: there is none.
        EstimatorError: it is a library's that is not installed.
    """
    if name == MOVENET_MULTIPOSE.title:
        return MOVENET_MULTIPOSE
    if name == "keypoint_rcnn":
        return _torchvision().published()
    if name.endswith(".yaml"):
        return _detectron2().published(name)
    raise WeightsError(
        f"there are no weights called {name!r}, and no such file; must be "
        f"{MOVENET_MULTIPOSE.title}, keypoint_rcnn, a configuration of detectron2's model zoo "
        f"such as {EstimatorConfig().detectron2_config}, or for verify a path"
    )


def _network_in(path: Path, detectron2_config: str) -> str:
    """Return which network's weights the file holds, by loading them."""
    if path.suffix == ".tflite":
        from poseflow_ros.estimation.movenet import load

        load(path, threads=1)
        return "MoveNet MultiPose"
    require("torchvision")
    from poseflow_ros.estimation.checkpoints import read_checkpoint

    if any(name.startswith("proposal_generator.") for name in read_checkpoint(path)):
        _detectron2().read_model(detectron2_config, path)
        return f"detectron2's {detectron2_config}"
    _torchvision().read_model(path)
    return "torchvision's Keypoint R-CNN"


def _torchvision() -> Any:
    """Return what we know of torchvision's network; it takes seconds to import."""
    require("torchvision")
    from poseflow_ros.estimation import torchvision_rcnn

    return torchvision_rcnn


def _detectron2() -> Any:
    """Return what we know of detectron2's networks."""
    require("detectron2")
    from poseflow_ros.estimation import detectron2_rcnn

    return detectron2_rcnn
