"""The cameras of a robot in a YAML file such as config/cameras.yaml, read without ROS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseflow_ros.config import NAME_PATTERN, ConfigError
from poseflow_ros.yaml_file import read_yaml

_TOPIC = (f"(~?/)?{NAME_PATTERN}(/{NAME_PATTERN})*", "the name of a topic")

# What a camera may say: the pattern, and the same in words.
_KEYS = {
    "name": (NAME_PATTERN, "letters, digits and underscores, no digit first"),
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
        name: the camera's own part of the node's topics.
        image, camera_info, depth: the topics it is heard on; empty: those that the node asks for.
        image_transport: raw or compressed.
    """

    name: str
    image: str
    camera_info: str = ""
    depth: str = ""
    image_transport: str = "raw"

    def remappings(self) -> list[tuple[str, str]]:
        """Return what the node asks for and what it is to hear, for every topic that is given."""
        pairs = ((f"{self.name}/{topic}", getattr(self, topic)) for topic in _TOPICS)
        return [(asked, heard) for asked, heard in pairs if heard]


def read_cameras(path: Path) -> list[CameraEntry]:
    """Return the cameras of a file, at least one, in its order.

    Raises:
        ConfigError: the file cannot be read, or a camera cannot be used; the text names both.
    """
    document = read_yaml(path)
    entries = document.get("cameras") if isinstance(document, Mapping) else None
    if not (isinstance(entries, list) and entries and len(document) == 1):
        raise ConfigError(f"{path} must hold nothing but cameras: and a list of them below")
    cameras = [_camera(f"{path}, {_called(i, e)}", e) for i, e in enumerate(entries)]
    names = [camera.name for camera in cameras]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path} has {names.count(name)} cameras called {name}")
    return cameras


def _called(index: int, entry: object) -> str:
    """Return what to call a camera: its name, or where it stands in the list."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return f"camera {name}" if isinstance(name, str) else f"camera number {index + 1}"


def _camera(where: str, entry: Any) -> CameraEntry:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where} is {entry!r}, must be such as "
                          "{name: front, image: front_camera/image_raw}")  # fmt: skip
    for key in _REQUIRED:
        if key not in entry:
            raise ConfigError(f"{where} has no {key}: {_REQUIRED[0]} and {_REQUIRED[1]} must be "
                              "there")  # fmt: skip
    for key, value in entry.items():
        if key not in _KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}; known: {', '.join(_KEYS)}")
        pattern, allowed = _KEYS[key]
        if not (isinstance(value, str) and re.fullmatch(pattern, value)):
            raise ConfigError(f"{where}: {key} is {value!r}, must be {allowed}")
    return CameraEntry(**entry)
