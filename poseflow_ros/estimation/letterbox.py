"""Fit an image into the input of a network without changing its aspect ratio."""

from dataclasses import dataclass

import cv2
import numpy as np

from poseflow_ros.poses import FloatArray, Image, Poses

PAD_VALUE = 114
"""Grey level of the padding, that of YOLOX, RTMDet, RTMO and Ultralytics."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where an image is in the input: input = image * scale + offset.

    Attributes:
        scale: (2,) factor in x and y.
        offset: (2,) pixels (x, y); in image and input the centre of the first pixel is (0, 0).
    """

    scale: FloatArray
    offset: FloatArray

    def to_image(self, poses: Poses) -> Poses:
        """Return poses in pixels of the input as poses in pixels of the image."""
        corners = poses.boxes.reshape(-1, 2, 2)
        return Poses(
            (poses.keypoints - self.offset) / self.scale,
            poses.keypoint_scores,
            ((corners - self.offset) / self.scale).reshape(-1, 4),
            poses.scores,
        )


def letterbox(image: Image, size: tuple[int, int], centered: bool) -> tuple[Image, Placement]:
    """Return the image scaled and padded to a size, and its placement.

    Args:
        image: (H, W, 3) uint8.
        size: height and width of the input.
        centered: True to pad on both sides, False on the right and at the bottom.
    """
    height, width = image.shape[:2]
    factor = min(size[0] / height, size[1] / width)
    scaled_height, scaled_width = (max(1, round(side * factor)) for side in (height, width))
    top, left = (
        (side - scaled) // 2 if centered else 0
        for side, scaled in zip(size, (scaled_height, scaled_width), strict=True)
    )
    padded = np.full((*size, 3), PAD_VALUE, np.uint8)
    scaled = cv2.resize(image, (scaled_width, scaled_height), interpolation=cv2.INTER_LINEAR)
    padded[top : top + scaled_height, left : left + scaled_width] = scaled
    scale = np.array([scaled_width / width, scaled_height / height])
    # cv2.resize maps edges to edges, and the edge is half a pixel before the first centre.
    return padded, Placement(scale, np.array([left, top]) + (scale - 1) / 2)


def padded_size(image_size: tuple[int, int], long_side: int, stride: int) -> tuple[int, int]:
    """Return the smallest input, in steps of the stride, for an image with this longer side.

    Args:
        image_size: height and width of the image.
        long_side: its longer side after scaling, pixels.
        stride: both sides of the input are multiples of it, pixels.
    """
    factor = long_side / max(image_size)
    height, width = (max(1, -(-round(side * factor) // stride)) * stride for side in image_size)
    return height, width
