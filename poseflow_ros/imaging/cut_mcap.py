"""MCAP files that were cut off: a recorder was killed, a disk was full, a copy ended early."""

import io
import os
from pathlib import Path

_MAGIC = b"\x89MCAP0\r\n"
# The record that ends a file: its kind, its length, and that there is no summary.
_FOOTER = b"\x02" + (20).to_bytes(8, "little") + bytes(20) + _MAGIC
_HEAD_BYTES = 9


def is_cut_off(path: Path) -> bool:
    """Return whether a file begins as MCAP but does not end as MCAP."""
    with path.open("rb") as file:
        begins = file.read(len(_MAGIC)) == _MAGIC
        file.seek(max(0, path.stat().st_size - len(_MAGIC)))
        return begins and file.read() != _MAGIC


class CutMcap:
    """The path of a file that was cut off; it opens as a file that ends after its last record.

    The reader of `rosbags` then finds the messages without the index, which is at the end.
    """

    suffix = ".mcap"

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        """Return whether there is such a file."""
        return self._path.exists()

    def is_dir(self) -> bool:
        """Return False."""
        return False

    def open(self, _: str) -> io.BufferedReader:
        """Open the file for reading."""
        return io.BufferedReader(_EndedFile(self._path), 2**20)


class _EndedFile(io.RawIOBase):
    """The complete records of a file, and a footer."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._n_whole = _whole_bytes(self._file)
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origins = (0, self._place, self._n_whole + len(_FOOTER))
        self._place = origins[whence] + offset
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._place < self._n_whole:
            self._file.seek(self._place)
            data = self._file.read(min(len(buffer), self._n_whole - self._place))
        else:
            start = self._place - self._n_whole
            data = _FOOTER[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _whole_bytes(file: io.BufferedReader) -> int:
    """Return where the last complete record ends."""
    size = os.fstat(file.fileno()).st_size
    end = place = len(_MAGIC)
    while place <= size:
        end = place
        file.seek(place)
        head = file.read(_HEAD_BYTES)
        # A kind of zero is no record: some file systems fill what was not written with zeros.
        if len(head) < _HEAD_BYTES or not head[0]:
            break
        place += _HEAD_BYTES + int.from_bytes(head[1:], "little")
    return end
