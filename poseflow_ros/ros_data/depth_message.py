"""Depth images in metres from their messages."""

from typing import Any

import numpy as np

from poseflow_ros.imaging.ros_image import EncodedImage, ImageError, RawImage, is_encoded
from poseflow_ros.ros_data.compressed_depth import depth_pixels
from poseflow_ros.spatial.depth import DepthImage, metres

_TYPES: dict[str, np.dtype[Any]] = {
    "16UC1": np.dtype(np.uint16),
    "mono16": np.dtype(np.uint16),
    "32FC1": np.dtype(np.float32),
}


def depth_encoding(message: RawImage | EncodedImage) -> str:
    """Return the encoding of the depths, also of a compressed message."""
    if is_encoded(message):
        return str(message.format).partition(";")[0].strip()
    return str(message.encoding)


def depth_image(message: RawImage | EncodedImage) -> DepthImage:
    """Return a depth message in metres.

    Raises:
        ImageError: its encoding is not a depth encoding, or size and data disagree.
    """
    if is_encoded(message):
        return metres(depth_pixels(message))
    kind: Any = _TYPES.get(message.encoding)
    if kind is None:
        known = ", ".join(_TYPES)
        raise ImageError(f"depth encoding is {message.encoding!r}; allowed: {known}")
    height, width, step = message.height, message.width, message.step
    if step < width * kind.itemsize or len(message.data) < step * height or not width * height:
        raise ImageError(
            f"depth data has {len(message.data)} bytes and steps of {step}, which is not "
            f"{width} x {height} {message.encoding} pixels"
        )
    kind = kind.newbyteorder(">" if message.is_bigendian else "<")
    rows = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)
    pixels = np.ascontiguousarray(rows[:, : width * kind.itemsize]).view(kind)
    return metres(pixels.astype(kind.newbyteorder("="), copy=False))
