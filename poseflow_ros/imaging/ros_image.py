"""RGB arrays of ROS image messages, from a node or a bag.

The messages are of any class with the fields of sensor_msgs/Image or CompressedImage.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.imaging.encoded_image import (
    INSTALL_SIMPLEJPEG,
    JPEG,
    PNG,
    DecodeError,
    decode,
    is_webp,
)  # fmt: skip
from poseflow_ros.imaging.gray_range import FULL_RANGE, to_8_bits

if TYPE_CHECKING:
    from typing_extensions import TypeIs

# Encoding: bytes per pixel of a row, OpenCV's conversion to RGB (None: already RGB). OpenCV names
# a Bayer pattern after its second row, starting at the second pixel. OpenCV 4.5.4 (Ubuntu 22.04)
# lacks the names that start with the first row, as in ROS.
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
# Bytes per pixel of the encodings that cv_bridge or rosbags-image convert. The OpenCV types (8UC3,
# 16UC1, 32FC1, ...) are in neither table: they do not define the color of a channel, and 16UC1 and
# 32FC1 are depths. cv_bridge rejects them. rosbags-image rejects those of one channel, but reads
# 8UC3 (usually BGR) as RGB and lets 32FC3 overflow.
_DEEP = {"rgb16": 6, "bgr16": 6, "rgba16": 8, "bgra16": 8}
_DEEP |= dict.fromkeys(("bayer_rggb16", "bayer_bggr16", "bayer_gbrg16", "bayer_grbg16"), 2)
_SEMI_PLANAR = {"nv12", "nv21"}
_EVEN_WIDTH = {"uyvy", "yuv422", "yuyv", "yuv422_yuy2"} | _SEMI_PLANAR

_TIFF = (b"II*\0", b"MM\0*")
_FILES = "a JPEG, PNG, WebP or TIFF"
# compressed_image_transport writes "<encoding>; png compressed <converted to>", and nothing after
# "compressed" when it kept the values: then 16UC1 are depths, and colors are a Bayer pattern.
_NOT_AN_IMAGE = re.compile(r".*compressedDepth|(16|32|64)[USF]|bayer_\w+;.*compressed\s*$")


class ImageError(ValueError):
    """A message cannot be converted; the text gives the field, its value and what is allowed."""


class RawImage(Protocol):
    """What is used of sensor_msgs/Image."""

    @property
    def height(self) -> int:
        """Number of rows."""

    @property
    def width(self) -> int:
        """Number of pixels in a row."""

    @property
    def encoding(self) -> str:
        """How a pixel is stored."""

    @property
    def is_bigendian(self) -> int:
        """The byte order of 16-bit values."""

    @property
    def step(self) -> int:
        """Bytes from one row to the next."""

    @property
    def data(self) -> Any:
        """The bytes of all rows; a buffer."""


class EncodedImage(Protocol):
    """What is used of sensor_msgs/CompressedImage."""

    @property
    def format(self) -> str:
        """How the data were made."""

    @property
    def data(self) -> Any:
        """The bytes of a file."""


def is_encoded(message: RawImage | EncodedImage) -> "TypeIs[EncodedImage]":
    """Return whether a message contains a file.

    By a field that only such a message has: a check of all fields by the protocol takes 0.1 ms.
    """
    return hasattr(message, "format")


@dataclass(frozen=True, slots=True)
class _PackedImage:
    """An image without padding and in native byte order, for cv_bridge and rosbags-image."""

    height: int
    width: int
    encoding: str
    step: int
    data: NDArray[np.uint8]
    is_bigendian: int = int(sys.byteorder == "big")


def to_rgb(
    message: RawImage | EncodedImage,
    gray_range: Callable[[NDArray[np.uint16]], tuple[float, float]] = lambda _: FULL_RANGE,
) -> NDArray[np.uint8]:
    """Turn a message into RGB pixels.

    Args:
        message: a raw image, or a JPEG, PNG, WebP or TIFF.
        gray_range: given the (H, W) values of a 16-bit image, of all its channels side by side,
            returns those that become black and white.

    Returns:
        (H, W, 3) uint8 RGB in [0, 255]. EXIF orientation is not applied. For ``rgb8`` a view of
        ``message.data``, which is not contiguous if its rows are padded.

    Raises:
        ImageError: the encoding or format is unknown, or the sizes do not match the data.
    """
    if is_encoded(message):
        return _decode(message, gray_range)
    encoding = message.encoding
    if encoding in _DEEP:
        _check(message, _DEEP[encoding])
        return _convert_deep(message, _DEEP[encoding], gray_range)
    if encoding in _LAYOUTS:
        pixel_bytes, code = _LAYOUTS[encoding]
        _check(message, pixel_bytes)
        if encoding == "mono16":
            words = _words(message, 1)
            pixels = to_8_bits(words, gray_range(words))
        else:
            pixels = _pixels(message, pixel_bytes)
        return pixels if code is None else np.asarray(cv2.cvtColor(pixels, code), np.uint8)
    known = ", ".join([*_LAYOUTS, *_DEEP])
    raise ImageError(f"encoding {encoding!r} is not a known color encoding; allowed: {known}")


def _rows(message: RawImage) -> int:
    """Return the number of data rows; 4:2:0 has half as many chroma rows below the luma rows."""
    height: int = message.height
    return height * 3 // 2 if message.encoding in _SEMI_PLANAR else height


def _check(message: RawImage, pixel_bytes: int) -> None:
    """Raise ImageError unless the sizes match the data; allocates no memory."""
    encoding, width, height, step = message.encoding, message.width, message.height, message.step
    _check_size(encoding, width, height)
    row = width * pixel_bytes
    if step < row:
        raise ImageError(f"step is {step} bytes; allowed for {width} {encoding} pixels: >= {row}")
    # The last row may lack its padding. Data after the last row means that a size or the encoding
    # is wrong; cv_bridge (C++) rejects it too.
    length, most = len(message.data), step * _rows(message)
    least = most - step + row
    if not least <= length <= most:
        raise ImageError(
            f"data has {length} bytes; allowed for {width} x {height} {encoding} pixels "
            f"with step {step}: {least} to {most}"
        )


def _check_size(encoding: str, width: int, height: int) -> None:
    """Raise ImageError if the image is empty, or its size is odd with subsampled chroma."""
    # OpenCV returns black for a Bayer image of fewer than 3 x 3 pixels.
    least = 3 if encoding.startswith("bayer_") else 1
    size = f"size is {width} x {height} pixels; allowed for {encoding}:"
    if min(width, height) < least:
        raise ImageError(f"{size} {least} x {least} or more")
    if encoding in _EVEN_WIDTH and width % 2:
        raise ImageError(f"{size} an even width")
    if encoding in _SEMI_PLANAR and height % 2:
        raise ImageError(f"{size} an even height")


def _pixels(message: RawImage, pixel_bytes: int) -> NDArray[np.uint8]:
    """View the data without its padding as (rows, W, pixel_bytes)."""
    shape, strides = (_rows(message), message.width, pixel_bytes), (message.step, pixel_bytes, 1)
    return np.ndarray(shape, np.uint8, message.data, strides=strides)


def _words(message: RawImage, channels: int) -> NDArray[np.uint16]:
    """Copy 16-bit data without its padding to (H, W * channels), in native byte order.

    OpenCV ignores the byte order of an array and misreads rows with an odd number of bytes.
    """
    shape, order = (message.height, message.width * channels), "<>"[bool(message.is_bigendian)]
    words = np.ndarray(shape, f"{order}u2", message.data, strides=(message.step, 2))
    return words.astype(np.uint16, order="C")


def _convert_deep(
    message: RawImage,
    pixel_bytes: int,
    gray_range: Callable[[NDArray[np.uint16]], tuple[float, float]],
) -> NDArray[np.uint8]:
    """Convert a 16-bit colour or Bayer image with cv_bridge, or else with rosbags-image.

    The data is passed without padding and in native byte order: rosbags-image ignores `step`, and
    cv_bridge swaps bytes with a method that was removed in NumPy 2.
    """
    encoding, width = message.encoding, message.width
    words = _words(message, pixel_bytes // 2)
    if (values := gray_range(words)) != FULL_RANGE:
        words = to_8_bits(words, values).astype(np.uint16) * np.uint16(257)
    data = words.view(np.uint8).ravel()
    packed = _PackedImage(message.height, width, encoding, width * pixel_bytes, data)
    failures = []
    for convert in (_with_cv_bridge, _with_rosbags_image):
        try:
            return np.asarray(convert(packed), np.uint8)
        except Exception as error:  # there is no common base class
            failures.append(f"{type(error).__name__}: {error}".splitlines()[0])
    raise ImageError(
        f"encoding {encoding!r} needs cv_bridge or rosbags-image ({'; '.join(failures)}): "
        "install ros-$ROS_DISTRO-cv-bridge, or pip install rosbags-image"
    )


def _with_cv_bridge(message: _PackedImage) -> Any:
    from cv_bridge import CvBridge

    return CvBridge().imgmsg_to_cv2(message, "rgb8")


def _with_rosbags_image(message: _PackedImage) -> Any:
    from rosbags.image import message_to_cvimage

    return message_to_cvimage(message, "rgb8")


def _decode(
    message: EncodedImage,
    gray_range: Callable[[NDArray[np.uint16]], tuple[float, float]],
) -> NDArray[np.uint8]:
    """Decode a file whose kind its first bytes say: `format` is written in many ways."""
    data, name = bytes(message.data), f"compressed image of format {message.format!r}"
    if not data:
        raise ImageError(f"{name} has no data; allowed: {_FILES}")
    if _NOT_AN_IMAGE.match(message.format):
        raise ImageError(f"{name} is a depth or Bayer image; allowed: a gray or color image")
    if not (data.startswith((JPEG, PNG, *_TIFF)) or is_webp(data)):
        raise ImageError(f"{name} begins with {data[:8].hex(' ')}; allowed: {_FILES}")
    try:
        # EXIF orientation is ignored: camera_info describes the image without it.
        rgb = decode(data, ignore_orientation=True, any_depth=True)
    except DecodeError as error:
        raise ImageError(
            f"{name} is truncated or damaged, {len(data)} bytes ({error}); allowed: {_FILES}, "
            "complete"
        ) from error
    except ImportError as error:
        raise ImageError(f"{name} cannot be decoded: {INSTALL_SIMPLEJPEG}") from error
    if rgb.dtype == np.uint16:
        words = rgb.reshape(rgb.shape[0], -1)
        return to_8_bits(words, gray_range(words)).reshape(rgb.shape)
    return rgb
