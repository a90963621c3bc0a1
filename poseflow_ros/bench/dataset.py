"""A data set: a YAML file that lists recorded sequences."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.recording import Recording
from poseflow_ros.imaging.video import MAX_RATE_HZ
from poseflow_ros.yaml_file import read_yaml

_FILES = ("detections", "gt", "video")
_REQUIRED = ("detections", "gt")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= MAX_RATE_HZ


# The keys of a sequence: check of the value, and its description.
_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "a name"),
    "detections": (_is_text, "the path of an archive of recorded poses (.npz)"),
    "gt": (_is_text, "the path of a MOTChallenge text"),
    "video": (_is_text, "the path of a video or of a folder of images"),
    "fps": (_is_rate, f"frames per second, above 0 and up to {MAX_RATE_HZ}"),
    "partial": (lambda value: isinstance(value, bool), "true or false"),
}


def read_dataset(path: Path) -> list[Recording]:
    """Return the sequences of a file, at least one, in the order of the file.

    Args:
        path: the YAML file; paths in it are relative to its folder.

    Raises:
        BenchError: a sequence is invalid; the message gives the file, the key and the value.
        ConfigError: the file cannot be read or is not valid YAML.
    """
    document = read_yaml(path)
    entries = document.get("sequences") if isinstance(document, Mapping) else None
    if not (isinstance(entries, list) and entries and len(document) == 1):
        raise BenchError(f"{path} must contain only the key sequences: with a list of sequences")
    recordings = [_recording(path, i, entry) for i, entry in enumerate(entries)]
    names = [recording.name for recording in recordings]
    for name in names:
        if names.count(name) > 1:
            raise BenchError(f"{path} has {names.count(name)} sequences named {name}; every "
                             "name must be unique")  # fmt: skip
    return recordings


def _recording(path: Path, index: int, entry: Any) -> Recording:
    where = f"{path}, {_called(index, entry)}"
    if not isinstance(entry, Mapping):
        raise BenchError(f"{where} is {entry!r}, must be such as "
                         "{detections: poses.npz, gt: gt.txt, fps: 25}")  # fmt: skip
    _check_keys(where, entry)
    files = {key: path.parent / entry[key] for key in _FILES if key in entry}
    for key, file in files.items():
        if not file.exists():
            raise BenchError(f"{where}: {key} is {entry[key]!r}, must be there: {file} is not")
    return Recording(
        str(files.get("video", "")),
        files["detections"],
        files["gt"],
        fps=float(entry.get("fps", 0)),
        partial=entry.get("partial", False),
        name=entry.get("name", entry["detections"]),
    )


def _called(index: int, entry: object) -> str:
    """Return a label for a sequence: its name, or its number in the list."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return f"sequence {name}" if isinstance(name, str) else f"sequence number {index + 1}"


def _check_keys(where: str, entry: Mapping[Any, Any]) -> None:
    """Raise BenchError for the first key that is unknown, missing or has a wrong value."""
    for key, value in entry.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(_KEYS)
            raise BenchError(f"{where}: unknown key {key!r}; {hint}")
        fits, allowed = _KEYS[key]
        if not fits(value):
            raise BenchError(f"{where}: {key} is {value!r}, must be {allowed}")
    for key in _REQUIRED:
        if key not in entry:
            raise BenchError(f"{where} has no {key}: {' and '.join(_REQUIRED)} must be there")
    if "video" not in entry and "fps" not in entry:
        raise BenchError(f"{where} has neither video nor fps, must have one of them")
