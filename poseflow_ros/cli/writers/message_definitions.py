"""The definitions of poseflow_msgs and of the messages they consist of, without ROS."""

import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.cli.errors import CommandError

_ONE = "TrackedPoseArray.msg"
_INSTALL = "to install it: python3 -m pip install rosbags"


class MessageDefinitions:
    """Makes and serializes messages of ROS 2 with `rosbags`."""

    def __init__(self) -> None:
        """Read the definitions.

        Raises:
            CommandError: rosbags or the definitions of poseflow_msgs are not installed.
        """
        try:
            from rosbags.interfaces import Nodetype
            from rosbags.typesys import Stores, get_types_from_msg, get_typestore
        except ImportError:
            raise CommandError(f"bags need the package rosbags; {_INSTALL}") from None
        self._kinds = Nodetype
        self.store = get_typestore(Stores.ROS2_JAZZY)
        """Of rosbags."""
        types: dict[str, Any] = {}
        for path in message_folder().glob("*.msg"):
            types |= get_types_from_msg(path.read_text(), f"poseflow_msgs/msg/{path.stem}")
        self.store.register(types)

    def make(self, name: str, /, **fields: Any) -> Any:
        """Return a message of the type `package/msg/Name`; other fields are zero or empty."""
        _, definition = self.store.fielddefs[name]
        values = {
            field: fields[field] if field in fields else self._default(kind)
            for field, kind in definition
        }
        return self.store.types[name](**values)

    def serialize(self, message: Any) -> Any:
        """Return a message in CDR."""
        return self.store.serialize_cdr(message, message.__msgtype__)

    def _default(self, kind: Any) -> Any:
        """Return the zero of a field of this definition."""
        node, detail = kind
        if node == self._kinds.NAME:
            return self.make(detail)
        if node == self._kinds.BASE:
            base = detail[0]
            return "" if base == "string" else np.zeros(1, _dtype(base))[0].item()
        (inner, inner_detail), length = detail
        if inner == self._kinds.BASE and inner_detail[0] != "string":
            return np.zeros(length, _dtype(inner_detail[0]))
        return [self._default((inner, inner_detail)) for _ in range(length)]


def _dtype(base: str) -> str:
    return {"octet": "uint8", "byte": "uint8", "char": "uint8"}.get(base, base)


def message_folder() -> Path:
    """Return the folder with the .msg files of poseflow_msgs.

    They are in an installed poseflow_msgs (AMENT_PREFIX_PATH), in the source checkout, or
    installed with this package by pip.

    Raises:
        CommandError: they are in none of these places.
    """
    for folder in _folders():
        if (folder / _ONE).is_file():
            return folder
    raise CommandError(
        "the definitions of poseflow_msgs are missing: source the workspace that poseflow_msgs is "
        "built in"
    )


def _folders() -> Iterator[Path]:
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        yield Path(prefix) / "share" / "poseflow_msgs" / "msg"
    yield Path(__file__).parents[3] / "poseflow_msgs" / "msg"
    try:
        installed = metadata.files("poseflow_ros") or []
    except metadata.PackageNotFoundError:
        installed = []
    yield from (Path(str(f.locate())).resolve().parent for f in installed if f.name == _ONE)
