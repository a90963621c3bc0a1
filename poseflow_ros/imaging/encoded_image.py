"""Decode JPEG, PNG and other image files, reject truncated and damaged ones; encode JPEG."""

from contextlib import suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import Image

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
_START_OF_IMAGE, _START_OF_SCAN, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
# libjpeg's warning about bytes between the last scan and the end marker: many cameras write some.
_HARMLESS = "extraneous bytes before marker 0xd9"
_EXIF_WITHIN = 2**16


INSTALL_SIMPLEJPEG = "JPEG needs simplejpeg; to install it: python3 -m pip install simplejpeg"


class DecodeError(ValueError):
    """An encoded image that cannot be decoded completely; the text is the reason alone."""


def decode(data: bytes, ignore_orientation: bool = False, any_depth: bool = False) -> NDArray[Any]:
    """Return the (H, W, 3) uint8 RGB pixels of a JPEG, PNG or any file that OpenCV decodes.

    Args:
        data: the content of the file; padding may follow.
        ignore_orientation: return the pixels as stored, without the rotation in the EXIF data.
        any_depth: return uint16 for files of 16 bits, instead of their upper 8 bits.

    Raises:
        DecodeError: it is truncated, damaged or of an unknown type.
        ImportError: it is a JPEG, and simplejpeg is not installed.
    """
    if data.startswith(JPEG):
        data = with_end_marker(data)
        pixels = _decode_jpeg(data)
        if ignore_orientation or b"Exif" not in data[:_EXIF_WITHIN]:
            return pixels
    if data.startswith(PNG) and not has_all_chunks(data):
        raise DecodeError("a chunk is not complete")
    if is_webp(data) and len(data) < int.from_bytes(data[4:8], "little") + 8:
        raise DecodeError("the file is shorter than its header says")
    return _decode_with_opencv(data, ignore_orientation, any_depth)


def encode_jpeg(image: Image) -> NDArray[np.uint8]:
    """Return the bytes of a JPEG of an (H, W, 3) RGB image."""
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    return np.asarray(cv2.imencode(".jpg", bgr)[1], np.uint8).ravel()


def is_webp(data: bytes) -> bool:
    """Return whether data begin as a WebP file does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def with_end_marker(data: bytes) -> bytes:
    """Return a JPEG with its end marker; some MJPEG cameras omit it, or send zeros instead.

    Only where everything is in one scan, as in MJPEG: otherwise what is missing could be a scan.
    """
    # The end marker cannot occur in the data after the last start of a scan.
    if data.rfind(_END_OF_IMAGE) > data.rfind(_START_OF_SCAN) or not _has_one_scan(data):
        return data
    data = data.rstrip(b"\0")
    stuffing = b"\0" if data.endswith(b"\xff") else b""  # a data byte FF is followed by 00
    return data + stuffing + _END_OF_IMAGE


def _has_one_scan(data: bytes) -> bool:
    """Return whether the first scan of a JPEG has all color components and all of their bits."""
    place, frame = len(_START_OF_IMAGE), -1
    while data[place : place + 1] == b"\xff" and place + 10 < len(data):
        marker = data[place + 1]
        if marker in _SEQUENTIAL_FRAMES:
            frame = place
        if marker == _START_OF_SCAN[1]:
            return frame >= 0 and data[place + 4] == data[frame + 9]  # numbers of components
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _decode_jpeg(data: bytes) -> Image:
    """Decode a JPEG with libjpeg-turbo, whose warnings OpenCV only prints."""
    import simplejpeg

    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "RGB"), np.uint8)
    except ValueError as error:
        if not str(error).endswith(_HARMLESS):
            raise DecodeError(str(error)) from error
    return np.asarray(simplejpeg.decode_jpeg(data, "RGB", strict=False), np.uint8)


def has_all_chunks(data: bytes) -> bool:
    """Return whether a PNG has all of its chunks.

    OpenCV 5 allocates as many bytes as the damaged length of a chunk says, up to 4 GB.
    """
    place, kind = len(PNG), b""
    while kind != b"IEND" and place < len(data):
        # A chunk is its length, its kind, its content and a checksum.
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        place += length + 12
    return kind == b"IEND" and place <= len(data)


def _decode_with_opencv(data: bytes, ignore_orientation: bool, any_depth: bool) -> NDArray[Any]:
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if ignore_orientation else 0)
    flags |= cv2.IMREAD_ANYDEPTH if any_depth else 0
    bgr = None
    if data:
        with suppress(cv2.error):
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if bgr is None or bgr.dtype not in (np.uint8, np.uint16):
        raise DecodeError("OpenCV cannot decode it")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
