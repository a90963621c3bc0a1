"""What the input of a model holds: order of the colours, mean, scale and padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import Image


@dataclass(frozen=True, slots=True)
class InputFormat:
    """What a model's input holds: (value - mean) / std for each channel.

    Attributes:
        rgb: whether red is the first channel; otherwise blue is.
        mean: of the three channels, in their order, from 0 to 255.
        std: likewise.
        centered: whether a letterboxed image has padding on both sides; otherwise it is in the
            upper left.
    """

    rgb: bool
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    centered: bool = True

    def pack(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Return the input (N, 3, H, W) float32 for RGB images of equal size."""
        inputs: NDArray[np.float32] = cv2.dnn.blobFromImages(list(images), swapRB=not self.rgb)
        if any(self.mean):
            inputs -= np.array(self.mean, np.float32)[:, None, None]
        if self.std != (1.0, 1.0, 1.0):
            inputs *= (1 / np.array(self.std, np.float32))[:, None, None]
        return inputs


# Ultralytics, predictor.preprocess and LetterBox: RGB, divided by 255, padding on both sides.
ULTRALYTICS = InputFormat(rgb=True, std=(255.0, 255.0, 255.0))
# MMPose, configs/body_2d_keypoint/rtmo: PoseDataPreprocessor with mean 0 and std 1, which keeps
# OpenCV's BGR; BottomupResize, which pads on both sides.
RTMO = InputFormat(rgb=False)
# MMDetection, configs/yolox: no normalization of BGR, Pad on the right and at the bottom.
YOLOX = InputFormat(rgb=False, centered=False)
# MMDetection, configs/rtmdet: as YOLOX, with ImageNet's mean and std in the order BGR.
RTMDET = InputFormat(
    rgb=False, mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395), centered=False
)
# MMPose, configs of RTMPose, HRNet and ViTPose: bgr_to_rgb, ImageNet's mean and std.
TOP_DOWN = InputFormat(rgb=True, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
# This package's export of Keypoint R-CNN, which contains the normalization; as in torchvision,
# padding on the right and at the bottom.
KEYPOINT_RCNN = InputFormat(rgb=True, centered=False)
