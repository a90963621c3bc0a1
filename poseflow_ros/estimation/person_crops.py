"""Cut people out of images for a top-down model."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from poseflow_ros.poses import FloatArray, Image

# MMPose, GetBBoxCenterScale: the box is enlarged by this factor.
_PADDING = 1.25
_MIN_SIDE_PX = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PersonCrops:
    """The crops of N people and where they are in their image: crop = image * scale + offset.

    Attributes:
        images: N crops (H, W, 3) uint8, black where they reach beyond the image.
        scales: (N,) factors, equal in x and y.
        offsets: (N, 2) pixels (x, y); the centre of the first pixel is (0, 0).
    """

    images: Sequence[Image]
    scales: FloatArray
    offsets: FloatArray

    def to_image(self, keypoints: FloatArray) -> FloatArray:
        """Return keypoints (N, K, 2) in pixels of the crops as pixels of the image."""
        return (keypoints - self.offsets[:, None]) / self.scales[:, None, None]


def crop_people(image: Image, boxes: FloatArray, size: tuple[int, int]) -> PersonCrops:
    """Return a crop for each box, enlarged and with the aspect ratio of the size.

    Args:
        image: (H, W, 3) uint8.
        boxes: (N, 4) x1 y1 x2 y2 pixels.
        size: height and width of a crop.
    """
    height, width = size
    box_sizes = (boxes[:, 2:] - boxes[:, :2]).clip(_MIN_SIDE_PX) * _PADDING
    scales = (np.array([width, height]) / box_sizes).min(axis=1)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    offsets = np.array([width - 1, height - 1]) / 2 - scales[:, None] * centers
    crops = [
        cv2.warpAffine(image, np.array([[s, 0, x], [0, s, y]]), (width, height))
        for s, (x, y) in zip(scales, offsets, strict=True)
    ]
    return PersonCrops(crops, scales, offsets)
