"""The files of a ROS 2 bag, read with `rosbags`, without ROS."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from poseflow_ros.imaging.cut_mcap import CutMcap, is_cut_off
from poseflow_ros.imaging.source import VideoError

BAG_SUFFIXES = (".mcap", ".db3")
_INSTALL = "bags need the package rosbags; to install it: python3 -m pip install rosbags"


def is_bag(path: Path) -> bool:
    """Return whether a path is a file of a bag, or the folder of one.

    A recorder that was killed leaves a folder without metadata.yaml; its files are named after it.
    """
    if path.is_dir():
        with suppress(OSError):  # without the right to list it
            return (path / "metadata.yaml").is_file() or bool(_numbered_files(path))
        return False
    return path.suffix.lower() in BAG_SUFFIXES


class BagFiles:
    """An open bag.

    Attributes:
        path: of the bag.
        topics: message type of each topic.
        n_messages: number of messages of each topic.
        duration_s: from the first to the last message, seconds.
        defect: what is missing of the bag; empty if it is complete.
    """

    def __init__(self, path: Path) -> None:
        """Open a bag.

        Raises:
            VideoError: it cannot be read at all, or rosbags is not installed.
        """
        self.path = path
        self.defect = ""
        self._stack = ExitStack()
        self._readers = self._open_parts()
        connections = [c for reader in self._readers for c in reader.connections]
        self.topics: dict[str, str] = {c.topic: c.msgtype for c in connections}
        self.n_messages = {
            topic: sum(c.msgcount for c in connections if c.topic == topic)
            for topic in self.topics
        }
        filled = [reader for reader in self._readers if reader.message_count]
        first_ns = min((reader.start_time for reader in filled), default=0)
        last_ns = max((reader.end_time for reader in filled), default=0)
        self.duration_s = 1e-9 * (last_ns - first_ns)

    def __enter__(self) -> "BagFiles":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def messages(self, topic: str) -> Iterator[tuple[int, bytes]]:
        """Yield time of reception, nanoseconds, and serialized message, in this order."""
        for reader in self._readers:
            connections = [c for c in reader.connections if c.topic == topic]
            if connections:
                for _, received_ns, data in reader.messages(connections):
                    yield received_ns, data

    def _open_parts(self) -> list[Any]:
        """Return a reader of the folder, or where that fails one of each file that can be read.

        Raises:
            VideoError: none can be read, or rosbags is not installed.
        """
        try:
            import rosbags.rosbag2  # noqa: F401
        except ImportError:
            raise VideoError(f"{self.path} cannot be read: {_INSTALL}") from None
        for parts in self._ways():
            if readers := [reader for part in parts if (reader := self._open(part))]:
                return readers
        raise VideoError(f"{self.path} cannot be read as a bag: {self.defect}")

    def _ways(self) -> list[list[Path]]:
        """Return in which ways the bag may be opened: as a folder, and file by file."""
        if not self.path.is_dir():
            return [[self.path]]
        files = _files(self.path)
        if any(file.suffix == ".mcap" and is_cut_off(file) for file in files):
            return [files]  # metadata.yaml is of the complete bag
        has_metadata = (self.path / "metadata.yaml").is_file()
        return [[self.path], files] if has_metadata else [_numbered_files(self.path)]

    def _open(self, part: Path) -> Any:
        """Return a reader; None if the part cannot be read, which is then the defect."""
        from rosbags.rosbag2 import Reader

        defect = ""
        try:
            cut_off = part.suffix == ".mcap" and part.is_file() and is_cut_off(part)
            if cut_off:
                defect = f"{part.name} is cut off"
            return self._stack.enter_context(Reader(CutMcap(part) if cut_off else part))
        except Exception as error:  # whatever the parsers of rosbags raise
            defect = f"{part.name}: {describe(error)}"
            return None
        finally:
            self.defect = self.defect or defect


def nanoseconds(stamp: Any, received_ns: int) -> int:
    """Return the stamp of a message, or the time of its reception if the stamp is zero."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec) or received_ns


def deserializer(message_type: str) -> Callable[[bytes], Any]:
    """Return a function from a serialized message to the message.

    The definitions are those of ROS 2, which older bags do not contain. Those of sensor_msgs and
    tf2_msgs are the same in all distributions.
    """
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.LATEST)
    return lambda data: store.deserialize_cdr(data, message_type)


def describe(error: Exception) -> str:
    """Return one line about an error of rosbags."""
    text = " ".join(str(error).split())
    return text.rstrip(".") or type(error).__name__


def _files(folder: Path) -> list[Path]:
    """Return the files of a bag in the order in which they were recorded."""
    files = [path for path in folder.iterdir() if path.suffix in BAG_SUFFIXES]
    return sorted(files, key=lambda path: _number(path.stem))


def _numbered_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are named as a recorder names those of a bag."""
    name = re.compile(re.escape(folder.resolve().name) + r"_\d+")
    return [path for path in _files(folder) if name.fullmatch(path.stem)]


def _number(stem: str) -> tuple[int, str]:
    digits = stem.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0, stem
