"""Reads the cameras of a robot from a YAML file such as config/cameras.yaml, without ROS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseflow_ros.config import NAME_PATTERN
from poseflow_ros.parameter_group import ConfigError
from poseflow_ros.yaml_file import read_yaml

_TOPIC = (f"(~?/)?{NAME_PATTERN}(/{NAME_PATTERN})*", "a topic name")

# The keys of a camera: pattern of the value, and its description.
_KEYS = {
    "name": (NAME_PATTERN, "letters, digits and underscores, not starting with a digit"),
    "image": _TOPIC,
    "camera_info": _TOPIC,
    "depth": _TOPIC,
    "image_transport": ("raw|compressed", "raw or compressed"),
}
_TOPICS = ("image", "camera_info", "depth")
_REQUIRED = ("name", "image")


@dataclass(frozen=True, slots=True)
class CameraEntry:
    """A camera of the list.

    Attributes:
        name: of the camera, used in the node's topics.
        image, camera_info, depth: topics of the camera; empty: the default topic of the node.
        image_transport: raw or compressed.
    """

    name: str
    image: str
    camera_info: str = ""
    depth: str = ""
    image_transport: str = "raw"

    def remappings(self) -> list[tuple[str, str]]:
        """Return (default topic of the node, topic of the camera) for every topic in the file."""
        pairs = ((f"{self.name}/{topic}", getattr(self, topic)) for topic in _TOPICS)
        return [(default, topic) for default, topic in pairs if topic]


def read_cameras(path: Path) -> list[CameraEntry]:
    """Return the cameras of a file, at least one, in the order of the file.

    Raises:
        ConfigError: the file cannot be read or a camera is invalid; the message names them.
    """
    document = read_yaml(path)
    entries = document.get("cameras") if isinstance(document, Mapping) else None
    if not (isinstance(entries, list) and entries and len(document) == 1):
        raise ConfigError(f"{path} must contain only the key cameras: with a list of cameras")
    cameras = [_camera(f"{path}, {_called(i, e)}", e) for i, e in enumerate(entries)]
    names = [camera.name for camera in cameras]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path} has {names.count(name)} cameras named {name}")
    return cameras


def _called(index: int, entry: object) -> str:
    """Return a label for a camera: its name, or its number in the list."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return f"camera {name}" if isinstance(name, str) else f"camera number {index + 1}"


def _camera(where: str, entry: Any) -> CameraEntry:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where} is {entry!r}, must be a mapping such as "
                          "{name: front, image: front_camera/image_raw}")  # fmt: skip
    for key in _REQUIRED:
        if key not in entry:
            raise ConfigError(f"{where} has no {key}: {_REQUIRED[0]} and {_REQUIRED[1]} are "
                              "required")  # fmt: skip
    for key, value in entry.items():
        if key not in _KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}; known: {', '.join(_KEYS)}")
        pattern, allowed = _KEYS[key]
        if not (isinstance(value, str) and re.fullmatch(pattern, value)):
            raise ConfigError(f"{where}: {key} is {value!r}, must be {allowed}")
    return CameraEntry(**entry)
