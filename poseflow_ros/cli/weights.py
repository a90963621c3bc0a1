"""`python -m poseflow_ros weights`: list, fetch and verify the weight files of the networks."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.errors import WeightsError
from poseflow_ros.estimation.factory import NETWORKS, network
from poseflow_ros.estimation.weights import ModelFile, cache_path, fetch, is_intact, named_file


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("weights", help="list, fetch or verify the networks' weights")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the published files and their local state")
    listing.set_defaults(run=run_list)
    fetching = actions.add_parser("fetch", help="download a published file and check its digest")
    fetching.add_argument("name", nargs="?", default="movenet", metavar="NAME")
    fetching.set_defaults(run=run_fetch)
    verifying = actions.add_parser(
        "verify", help="check the digest of a published file, or load any other file"
    )
    verifying.add_argument("name", metavar="NAME|PATH")
    verifying.add_argument(
        "--detectron2-config", default=EstimatorConfig().detectron2_config, metavar="CONFIG",
        help="network configuration of a detectron2 file (default: %(default)s)",
    )  # fmt: skip
    verifying.set_defaults(run=run_verify)


def run_list(args: argparse.Namespace) -> None:
    """Print the state, name and path of every published file."""
    for model in _published():
        _print_state(model)


def run_fetch(args: argparse.Namespace) -> None:
    """Download a published file, unless it exists and is intact.

    Raises:
        WeightsError: the name is unknown, or the file cannot be downloaded.
    """
    model = _named(args.name)
    if _state(model) != "checked":
        fetch(model)
    _print_state(model)


def run_verify(args: argparse.Namespace) -> None:
    """Check the digest of a published file, or load any other file.

    Raises:
        WeightsError, EstimatorError: the file is missing, damaged or of an unknown network.
    """
    if path := named_file(args.name):
        estimator = EstimatorConfig(detectron2_config=args.detectron2_config)
        print(f"loads    as {_network_in(path, Config(estimator=estimator))}  {path}")
        return
    model = _named(args.name)
    if (state := _state(model)) != "checked":
        raise WeightsError(
            f"{cache_path(model)} is {state}; to fetch it: "
            f"python3 -m poseflow_ros weights fetch {model.title}"
        )
    _print_state(model)


def _print_state(model: ModelFile) -> None:
    print(f"{_state(model):8} {model.title}  {cache_path(model)}")


def _state(model: ModelFile) -> str:
    path = cache_path(model)
    if not path.exists():
        return "missing"
    return "checked" if is_intact(model, path) else "damaged"


def _published() -> Iterator[ModelFile]:
    """Yield every published file of every network."""
    for name in NETWORKS:
        yield from network(name).published()


def _named(name: str) -> ModelFile:
    """Return the published file of this name.

    Raises:
        WeightsError: there is none.
    """
    models = {model.title: model for model in _published()}
    if name not in models:
        raise WeightsError(
            f"{name!r} is not a file and not the name of published weights; must be one of "
            f"{', '.join(models)}"
        )
    return models[name]


def _network_in(path: Path, config: Config) -> str:
    """Return the name of the network whose weights the file holds, by loading it.

    Raises:
        WeightsError, EstimatorError: the file is damaged or of an unknown network.
    """
    for name in NETWORKS:
        if title := network(name).verify(path, config):
            return title
    raise WeightsError(f"{path} is not a weight file of {', '.join(NETWORKS)}")
