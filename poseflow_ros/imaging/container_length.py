"""Whether a file ends before its container does, where FFmpeg does not report it."""

import os
from pathlib import Path
from typing import IO

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_TS_PACKETS = (188, 192, 204)
_UNKNOWN, _UNKNOWN_RIFF = -1, 0xFFFFFFFF
_MAX_HEAD = 16  # bytes of the type and the size of an element
_GIF_TRAILER, _GIF_PADDING = b"\x3b", 4096


def is_cut_off(path: Path, container: str) -> bool:
    """Return whether the file is shorter than its container says.

    Args:
        path: of the file.
        container: FFmpeg's name of it; MPEG-PS, ASF and FLV say nothing.
    """
    n_bytes = path.stat().st_size
    if container == "mpegts":
        return all(n_bytes % size for size in _TS_PACKETS)
    with path.open("rb") as file:
        if container.startswith("matroska"):
            return _end_of_elements(file, n_bytes) > n_bytes
        if container.startswith("mov"):
            return _end_of_boxes(file, n_bytes) > n_bytes
        if container == "avi":
            return _end_of_riff(file) > n_bytes
        if container == "gif":
            file.seek(-min(n_bytes, _GIF_PADDING), os.SEEK_END)
            return not file.read().rstrip(b"\0").endswith(_GIF_TRAILER)
    return False


def _end_of_boxes(file: IO[bytes], n_bytes: int) -> int:
    """Return where the last box of an MP4 or MOV file ends, in bytes from its beginning."""
    place = 0
    while place < n_bytes:
        file.seek(place)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 0:  # to the end of the file
            return n_bytes
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        place += max(size, 8)
    return place


def _end_of_riff(file: IO[bytes]) -> int:
    """Return where the first part of an AVI file ends; 0 where its recorder did not write that."""
    size = int.from_bytes(file.read(8)[4:], "little")
    return 0 if size == _UNKNOWN_RIFF else size + 8


def _end_of_elements(file: IO[bytes], n_bytes: int) -> int:
    """Return where the last element of a Matroska file ends, in bytes from its beginning.

    Recorders that write a stream do not know the sizes of segment and clusters, so the elements in
    them are followed.
    """
    place = end = 0
    while place < n_bytes:
        file.seek(place)
        head = file.read(_MAX_HEAD)
        kind, n_kind = _number(head, keep_marker=True)
        size, n_size = _number(head[n_kind:], keep_marker=False)
        if not n_size:
            return n_bytes + 1
        place += n_kind + n_size
        unknown = size == _UNKNOWN
        end = max(end, place if unknown else place + size)
        if kind not in (_SEGMENT, _CLUSTER):
            if unknown:
                return end
            place += size
    return end


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """Return a number of variable length and its length in bytes, 0 where the data ends before.

    The leading zero bits of the first byte are the number of bytes that follow it.
    """
    length = 9 - data[0].bit_length() if data and data[0] else 0
    if not length or len(data) < length:
        return 0, 0
    value = int.from_bytes(data[:length], "big")
    if keep_marker:
        return value, length
    ones = (1 << 7 * length) - 1
    return (_UNKNOWN if value & ones == ones else value & ones), length
