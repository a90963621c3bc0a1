"""ROS image messages of RGB arrays."""

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from poseflow_ros.imaging.encoded_image import encode_jpeg


def to_message(image: NDArray[np.uint8], header: Header, encoding: str = "rgb8") -> Image:
    """Copy pixels into a new message.

    Args:
        image: (H, W, 3) uint8, contiguous or not, with channels in the order of `encoding`.
        header: of the message.
        encoding: ``rgb8`` or ``bgr8``.

    Returns:
        The message; its rows are not padded.

    Raises:
        ValueError: the encoding, shape or type is not one of these.
    """
    if encoding not in ("rgb8", "bgr8"):
        raise ValueError(f"encoding must be rgb8 or bgr8, got {encoding!r}")
    if image.dtype != np.uint8 or image.shape[2:] != (3,) or image.size == 0:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    height, width, _ = image.shape
    message = Image(header=header, width=width, height=height, encoding=encoding, step=3 * width)
    # Assigning bytes takes twice as long, assigning the array 2000 times as long.
    message.data.frombytes(np.ascontiguousarray(image))
    return message


def to_jpeg(image: NDArray[np.uint8], header: Header) -> CompressedImage:
    """Return (H, W, 3) uint8 RGB as a JPEG, as compressed_image_transport publishes it."""
    message = CompressedImage(header=header, format="rgb8; jpeg compressed bgr8")
    message.data.frombytes(encode_jpeg(image))
    return message
