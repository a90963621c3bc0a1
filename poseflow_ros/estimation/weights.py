"""Files of weights: where they are kept, and how they are checked and fetched."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pooch

from poseflow_ros.estimation.errors import EstimatorError, WeightsError
from poseflow_ros.estimation.sources import Source

_DEFAULT = "default"

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".pkl")
"""How the names of files end that torch and detectron2 write."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A published file of weights.

    Attributes:
        title: its name on the command line.
        name: the file's name in the cache.
        source: where it is downloaded from.
        digest: its digest, hexadecimal, or the beginning of it.
        algorithm: of the digest, by its name in hashlib.
        folder: where the file is kept; None for this package's own cache.
    """

    title: str
    name: str
    source: Source
    digest: str
    algorithm: str = "sha256"
    folder: Path | None = None


def cache_path(model: ModelFile) -> Path:
    """Return where the file is kept; the own cache is in $XDG_CACHE_HOME or ~/.cache."""
    if model.folder is not None:
        return model.folder / model.name
    # An empty or relative value counts as unset (XDG base directory specification).
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = root if root.is_absolute() else expand_home(Path("~/.cache"))
    return root / "poseflow_ros" / model.name


def expand_home(path: Path) -> Path:
    """Return the path with its ~ replaced.

    Containers run with user ids that have no home; there the user's own folder below the temporary
    folder stands for it.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        home = Path(tempfile.gettempdir(), f"poseflow_ros_{os.getuid()}")
        return Path(home, *path.parts[1:])


def is_intact(model: ModelFile, path: Path) -> bool:
    """Return whether the path is a readable file with the digest of the model."""
    try:
        return path.is_file() and _digest(model, path).startswith(model.digest)
    except OSError:
        return False


def cached(model: ModelFile) -> Path:
    """Return the path of the checked file; fetch it first if it is missing or damaged.

    Raises:
        WeightsError: it is neither in the cache nor can it be fetched.
    """
    path = cache_path(model)
    if not is_intact(model, path):
        fetch(model)
    return path


def find(weights: str, published: ModelFile | None) -> Path:
    """Return the file of the parameter `weights`.

    Args:
        weights: `default` for the published file, or the path of a file.
        published: the published file of the network; None where there is none.

    Raises:
        EstimatorError: the path is not a file, or the published file is not available.
    """
    if weights == _DEFAULT:
        return _find_published(published)
    path = named_file(weights)
    if path is None:
        raise EstimatorError(
            f"estimator.weights is {weights!r}, which is not a file; "
            f"must be {_DEFAULT} or the path of a file"
        )
    return path


def _find_published(published: ModelFile | None) -> Path:
    if published is None:
        raise EstimatorError(
            f"estimator.weights is {_DEFAULT}, but this network has no published weights; "
            "must be the path of a file"
        )
    try:
        return cached(published)
    except WeightsError as error:
        raise EstimatorError(f"estimator.weights is {_DEFAULT}, but {error}") from error


def named_file(name: str) -> Path | None:
    """Return the path of a file, which may begin with ~; None if it is not a file."""
    try:
        path = Path(name).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError):
        # The name is too long, the folder is not readable, or the home is unknown.
        return None


def fetch(model: ModelFile) -> Path:
    """Download the file, check it and move it into the cache; return its path.

    The file is downloaded into a temporary folder beside its place: nothing incomplete is ever in
    that place, and several processes may fetch at the same time.

    Raises:
        WeightsError: it cannot be downloaded, its digest differs, or the cache is not writable.
    """
    path = cache_path(model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            downloaded = _download(model, Path(folder))
            if not is_intact(model, downloaded):
                raise WeightsError(
                    f"the downloaded {model.name} has the {model.algorithm} "
                    f"{_digest(model, downloaded)}, must be {model.digest}; it was not kept"
                )
            downloaded.replace(path)
    except OSError as error:
        raise WeightsError(f"cannot write weights to {path.parent}: {error}") from error
    return path


def _download(model: ModelFile, folder: Path) -> Path:
    try:
        return model.source.download(model.name, folder)
    except WeightsError as error:
        raise WeightsError(
            f"{cache_path(model)} is missing or damaged and could not be downloaded ({error}); "
            f"with a network: python3 -m poseflow_ros weights fetch {model.title}; without: copy "
            "the file there from another machine"
        ) from error


def _digest(model: ModelFile, path: Path) -> str:
    return pooch.file_hash(str(path), alg=model.algorithm)
