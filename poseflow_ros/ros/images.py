"""Images between ROS messages and NumPy arrays of RGB pixels."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from poseflow_ros.imaging.encoded_image import JPEG, PNG, DecodeError, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from std_msgs.msg import Header

# Encoding: bytes per pixel of a row, OpenCV's conversion to RGB (None: already RGB). OpenCV names
# a Bayer pattern after its second row, from the second pixel on; the names that begin with the
# first row, as in ROS, are missing in OpenCV 4.5.4 (Ubuntu 22.04).
_LAYOUTS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "mono16": (2, cv2.COLOR_GRAY2RGB),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUYV),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUYV),
    "nv12": (1, cv2.COLOR_YUV2RGB_NV12),
    "nv21": (1, cv2.COLOR_YUV2RGB_NV21),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
}
# Bytes per pixel of what is left to cv_bridge or rosbags-image. The OpenCV types (8UC3, 16UC1,
# 32FC1, ...) are in neither table: they do not say which channel is which colour, and 16UC1 and
# 32FC1 are depths. cv_bridge refuses to show them; rosbags-image refuses those of one channel,
# but takes 8UC3 (BGR, mostly) for RGB and lets 32FC3 overflow.
_DEEP = {"rgb16": 6, "bgr16": 6, "rgba16": 8, "bgra16": 8}
_DEEP |= dict.fromkeys(("bayer_rggb16", "bayer_bggr16", "bayer_gbrg16", "bayer_grbg16"), 2)
_SEMI_PLANAR = {"nv12", "nv21"}
_EVEN_WIDTH = {"uyvy", "yuv422", "yuyv", "yuv422_yuy2"} | _SEMI_PLANAR

# compressed_image_transport writes "<encoding>; png compressed <converted to>", and nothing after
# "compressed" when it kept the values: then 16UC1 are depths, and a Bayer image is a mosaic.
_NO_PICTURE = re.compile(r".*compressedDepth|(16|32|64)[USF]|bayer_\w+;.*compressed\s*$")


class ImageError(ValueError):
    """A message that cannot be turned into an image: what is wrong, the value, what is allowed."""


def to_rgb(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """Turn a message into RGB pixels.

    Args:
        message: a raw image, or a JPEG or PNG. 16-bit values are scaled by 255 / 65535.

    Returns:
        (H, W, 3) uint8 RGB in [0, 255], as the camera saw it: an EXIF orientation is not applied.
        For ``rgb8`` a view of ``message.data``, not contiguous if its rows are padded.

    Raises:
        ImageError: if the encoding or format is not known, or if sizes and data disagree.
    """
    if isinstance(message, CompressedImage):
        return _decode(message)
    encoding = message.encoding
    if encoding in _DEEP:
        _check(message, _DEEP[encoding])
        return _convert_deep(message, _DEEP[encoding])
    if encoding in _LAYOUTS:
        pixel_bytes, code = _LAYOUTS[encoding]
        _check(message, pixel_bytes)
        pixels = _pixels(message, pixel_bytes)
        return pixels if code is None else np.asarray(cv2.cvtColor(pixels, code), np.uint8)
    known = ", ".join([*_LAYOUTS, *_DEEP])
    raise ImageError(f"encoding {encoding!r} does not name known colours; allowed: {known}")


def to_message(image: NDArray[np.uint8], header: Header, encoding: str = "rgb8") -> Image:
    """Copy pixels into a new message.

    Args:
        image: (H, W, 3) uint8, contiguous or not, its channels in the order of `encoding`.
        header: the message's header.
        encoding: ``rgb8`` or ``bgr8``.

    Returns:
        The message, its rows without padding.

    Raises:
        ValueError: if the encoding or the array is of another kind.
    """
    if encoding not in ("rgb8", "bgr8"):
        raise ValueError(f"encoding must be rgb8 or bgr8, got {encoding!r}")
    if image.dtype != np.uint8 or image.shape[2:] != (3,) or image.size == 0:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    height, width, _ = image.shape
    message = Image(header=header, width=width, height=height, encoding=encoding, step=3 * width)
    # Assigning bytes would take twice as long, assigning the array two thousand times.
    message.data.frombytes(np.ascontiguousarray(image))
    return message


def _rows(message: Image) -> int:
    """Count the rows of data: below those of brightness, 4:2:0 has half as many of colour."""
    height: int = message.height
    return height * 3 // 2 if message.encoding in _SEMI_PLANAR else height


def _check(message: Image, pixel_bytes: int) -> None:
    """Raise ImageError unless sizes and data agree; by numbers only, so nothing is allocated."""
    encoding, width, height, step = message.encoding, message.width, message.height, message.step
    _check_size(encoding, width, height)
    row = width * pixel_bytes
    if step < row:
        raise ImageError(f"step is {step} bytes; allowed for {width} {encoding} pixels: >= {row}")
    # The last row may lack its padding. Data beyond the rows means that a size or the encoding is
    # wrong, and then the picture is too; cv_bridge (C++) refuses it as well.
    length, most = len(message.data), step * _rows(message)
    least = most - step + row
    if not least <= length <= most:
        raise ImageError(
            f"data has {length} bytes; allowed for {width} x {height} {encoding} pixels "
            f"with step {step}: {least} to {most}"
        )


def _check_size(encoding: str, width: int, height: int) -> None:
    """Raise ImageError unless there are pixels, and even numbers where two share a colour."""
    # OpenCV turns a Bayer image of fewer than 3 x 3 pixels into black.
    least = 3 if encoding.startswith("bayer_") else 1
    size = f"size is {width} x {height} pixels; allowed for {encoding}:"
    if min(width, height) < least:
        raise ImageError(f"{size} {least} x {least} or more")
    if encoding in _EVEN_WIDTH and width % 2:
        raise ImageError(f"{size} an even width")
    if encoding in _SEMI_PLANAR and height % 2:
        raise ImageError(f"{size} an even height")


def _pixels(message: Image, pixel_bytes: int) -> NDArray[np.uint8]:
    """View the data without its padding as (rows, W, pixel_bytes); mono16 is scaled, (H, W)."""
    if message.encoding == "mono16":
        return np.asarray(cv2.convertScaleAbs(_words(message, 1), alpha=255 / 65535), np.uint8)
    shape, strides = (_rows(message), message.width, pixel_bytes), (message.step, pixel_bytes, 1)
    return np.ndarray(shape, np.uint8, message.data, strides=strides)


def _words(message: Image, channels: int) -> NDArray[np.uint16]:
    """Copy 16-bit data without its padding to (H, W * channels), in native byte order.

    OpenCV ignores the byte order of an array, and misreads rows of an odd number of bytes.
    """
    shape, order = (message.height, message.width * channels), "<>"[bool(message.is_bigendian)]
    words = np.ndarray(shape, f"{order}u2", message.data, strides=(message.step, 2))
    return words.astype(np.uint16, order="C")


def _convert_deep(message: Image, pixel_bytes: int) -> NDArray[np.uint8]:
    """Convert a 16-bit colour or Bayer image with cv_bridge, or else with rosbags-image.

    They get it without padding and in native byte order: rosbags-image ignores `step`, and
    cv_bridge swaps bytes by a method that NumPy 2 no longer has.
    """
    encoding, width = message.encoding, message.width
    packed = Image(width=width, height=message.height, encoding=encoding, step=width * pixel_bytes)
    packed.is_bigendian = int(sys.byteorder == "big")
    packed.data.frombytes(_words(message, pixel_bytes // 2).view(np.uint8))
    failures = []
    for convert in (_with_cv_bridge, _with_rosbags_image):
        try:
            return np.asarray(convert(packed), np.uint8)
        except Exception as error:  # They share no class; one built for another NumPy adds more.
            failures.append(f"{type(error).__name__}: {error}".splitlines()[0])
    raise ImageError(
        f"encoding {encoding!r} needs cv_bridge or rosbags-image ({'; '.join(failures)}): "
        "install ros-$ROS_DISTRO-cv-bridge, or pip install rosbags-image"
    )


def _with_cv_bridge(message: Image) -> Any:
    from cv_bridge import CvBridge

    return CvBridge().imgmsg_to_cv2(message, "rgb8")


def _with_rosbags_image(message: Image) -> Any:
    from rosbags.image import message_to_cvimage

    return message_to_cvimage(message, "rgb8")


def _decode(message: CompressedImage) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG, told by its first bytes: `format` is written in many ways."""
    data, name = bytes(message.data), f"compressed image of format {message.format!r}"
    if not data:
        raise ImageError(f"{name} has no data; allowed: a JPEG or PNG")
    if _NO_PICTURE.match(message.format):
        raise ImageError(f"{name} holds depths or a mosaic; allowed: a grey or colour image")
    if not data.startswith((JPEG, PNG)):
        raise ImageError(f"{name} begins with {data[:8].hex(' ')}; allowed: a JPEG or PNG")
    try:
        # Pixels have to stay where camera_info has them, so the EXIF orientation is ignored.
        return decode(data, ignore_orientation=True)
    except DecodeError as error:
        raise ImageError(
            f"{name} is cut off or damaged, {len(data)} bytes ({error}); allowed: a whole JPEG "
            "or PNG"
        ) from error
