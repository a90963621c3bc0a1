"""Whether a file ends before its container does, where FFmpeg does not report it."""

import os
from pathlib import Path
from typing import IO

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_TS_PACKETS = (188, 192, 204)
_GIF_TRAILER, _GIF_PADDING = b"\x3b", 4096


def is_cut_off(path: Path, container: str) -> bool:
    """Return whether the file is shorter than its container says.

    Args:
        path: of the file.
        container: FFmpeg's name of it; only Matroska, WebM, MPEG-TS and GIF are checked.
    """
    n_bytes = path.stat().st_size
    if container == "mpegts":
        return all(n_bytes % size for size in _TS_PACKETS)
    with path.open("rb") as file:
        if container.startswith("matroska"):
            return _end_of_elements(file, n_bytes) > n_bytes
        if container == "gif":
            file.seek(-min(n_bytes, _GIF_PADDING), os.SEEK_END)
            return not file.read().rstrip(b"\0").endswith(_GIF_TRAILER)
    return False


def _end_of_elements(file: IO[bytes], n_bytes: int) -> int:
    """Return where the last element of a Matroska file ends, in bytes from its beginning.

    Recorders that write a stream do not know the sizes of segment and clusters, so the elements in
    them are followed.
    """
    place = end = 0
    while place < n_bytes:
        file.seek(place)
        kind = _number(file, keep_marker=True)
        size = _number(file, keep_marker=False)
        if kind is None or size is None:
            return n_bytes + 1
        place = file.tell()
        unknown = size < 0
        end = max(end, place if unknown else place + size)
        if kind not in (_SEGMENT, _CLUSTER):
            if unknown:
                return end
            place += size
    return end


def _number(file: IO[bytes], *, keep_marker: bool) -> int | None:
    """Return a number of variable length; -1 for an unknown size, None where the file ends.

    The leading zero bits of the first byte are the number of bytes that follow it.
    """
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    if len(rest) < length - 1:
        return None
    bits = 7 * length
    value = int.from_bytes(first + rest, "big")
    if keep_marker:
        return value
    value &= (1 << bits) - 1
    return -1 if value == (1 << bits) - 1 else value
