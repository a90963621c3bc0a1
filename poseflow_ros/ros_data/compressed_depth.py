"""Depth images in CompressedImage messages, as compressed_depth_image_transport writes them."""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.imaging.encoded_image import PNG, has_all_chunks
from poseflow_ros.imaging.ros_image import EncodedImage, ImageError

# An enum and two parameters of the quantization, little-endian.
_HEADER = struct.Struct("<iff")
_RVL_SIZE = struct.Struct("<ii")
# A few bytes may claim any number of pixels.
_MAX_PIXELS = 2**26


def depth_pixels(message: EncodedImage) -> NDArray[np.generic]:
    """Return a depth image.

    The format is "ENCODING; compressedDepth", perhaps with "png" or "rvl", whose data begin with
    a header of 12 bytes, or "ENCODING; png compressed" without.

    Returns:
        (H, W) uint16 millimetres for 16UC1, float32 metres for 32FC1, NaN where unknown.

    Raises:
        ImageError: the format is not one of depths, or the data are damaged.
    """
    encoding, transport = _format(message.format)
    data = bytes(message.data)
    if "compressedDepth" not in transport:
        return _png(data, message.format)
    if len(data) <= _HEADER.size:
        raise ImageError(f"compressed depth has {len(data)} bytes; allowed: more than 12")
    _, a, b = _HEADER.unpack_from(data)
    content = data[_HEADER.size :]
    values = decode_rvl(content) if "rvl" in transport else _png(content, message.format)
    if encoding != "32FC1":
        return values
    # Written as inverse depth, a / depth + b; 0 where unknown.
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.float32(a) / (values.astype(np.float32) - np.float32(b))
    depth[values == 0] = np.nan
    return depth


def decode_rvl(content: bytes) -> NDArray[np.uint16]:
    """Return the (H, W) image that RVL holds.

    Wilson, Fast lossless depth image compression, 2017. The width and the height, then
    numbers of 4-bit groups: in turns the length of a run of zeros and that of a run of other
    values, which is followed by the differences to the value before.

    Raises:
        ImageError: the data end early, or the runs do not fit the image.
    """
    if len(content) < _RVL_SIZE.size:
        raise ImageError(f"RVL depth has {len(content)} bytes; allowed: 8 or more")
    width, height = _RVL_SIZE.unpack_from(content)
    n_pixels = width * height
    if min(width, height) < 1 or n_pixels > _MAX_PIXELS:
        raise ImageError(f"RVL depth has {width} x {height} pixels; allowed: 1 to {_MAX_PIXELS}")
    numbers = _numbers(content[_RVL_SIZE.size :])
    lengths, starts = _runs(numbers, n_pixels)
    known = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    taken = np.concatenate([numbers[i : i + n] for i, n in starts] or [numbers[:0]])
    differences = (taken >> 1) ^ -(taken & 1)
    pixels = np.zeros(n_pixels, np.uint16)
    pixels[known] = np.cumsum(differences).astype(np.uint16)
    return pixels.reshape(height, width)


def _numbers(content: bytes) -> NDArray[np.int64]:
    """Return the numbers: 3 bits a group, the lowest first, while the fourth bit is set."""
    words = np.frombuffer(content, "<u4", len(content) // 4)
    groups = (words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32) & 15).ravel()
    goes_on = groups >= 8
    if not len(groups):
        return np.zeros(0, np.int64)
    first = np.flatnonzero(~np.concatenate([[False], goes_on[:-1]]))
    place = np.arange(len(groups)) - np.repeat(first, np.diff(first, append=len(groups)))
    # A number of more groups than 32 bits need is damaged; it is refused as too long a run.
    shifts = 3 * np.minimum(place, 11)
    return np.add.reduceat((groups & 7).astype(np.int64) << shifts, first)


def _runs(
    numbers: NDArray[np.int64], n_pixels: int
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Return the lengths of all runs, and (first number, length) of those of other values."""
    lengths: list[int] = []
    starts, index, n_done, counts = [], 0, 0, numbers.tolist()
    while n_done < n_pixels:
        zeros, others = counts[index : index + 2] if index + 1 < len(counts) else (0, 0)
        n_done += zeros + others
        if n_done > n_pixels or not zeros + others or index + 2 + others > len(counts):
            raise ImageError(f"RVL depth is truncated or damaged, {len(counts)} numbers")
        lengths += [zeros, others]
        starts.append((index + 2, others))
        index += 2 + others
    return np.array(lengths, np.int64), starts


def _format(text: str) -> tuple[str, str]:
    """Return the encoding and the rest of a format.

    Raises:
        ImageError: it is not one of depths.
    """
    encoding, _, transport = (part.strip() for part in text.partition(";"))
    if encoding not in ("16UC1", "32FC1", "mono16") or not transport:
        raise ImageError(
            f"compressed depth has the format {text!r}; allowed: 16UC1; compressedDepth, "
            "32FC1; compressedDepth, 16UC1; png compressed"
        )
    return encoding, transport


def _png(data: bytes, name: str) -> NDArray[np.uint16]:
    """Return the (H, W) pixels of a PNG of 16 bits.

    Raises:
        ImageError: it is none, or damaged.
    """
    whole = data.startswith(PNG) and has_all_chunks(data)
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if whole else None
    if values is None or values.ndim != 2 or values.dtype != np.uint16:
        raise ImageError(
            f"compressed depth of format {name!r} holds no whole PNG of 16 bits, {len(data)} bytes"
        )
    return values
