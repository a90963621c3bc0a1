"""The size of a person in the image, from the lengths of torso and limbs."""

import numpy as np

from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton

# Weight of the box relative to the limbs, whose weights are squared lengths of up to about 0.4. It
# dominates only if almost no limb is visible.
_BOX_WEIGHT = 0.02
# A box with a larger ratio of width to height is of a person who lies down or spreads the arms.
_WIDTH_TO_HEIGHT = 0.8
# Maximum ratio of the scale from limbs and the scale from the box, as keypoints may be wrong.
_MAX_FACTOR = 3.0


def body_scales(poses: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (N,) pixels, the height of each person in an upright posture.

    It is the root mean square of the visible limbs' lengths, each relative to its share of a
    standing person's height. It does not change when a person bends or when the legs leave the
    image, while the height of the box changes by a factor of two.
    """
    width, height = (poses.boxes[:, 2:] - poses.boxes[:, :2]).T
    box = np.maximum(height, _WIDTH_TO_HEIGHT * width)
    starts, ends = skeleton.limb_ends
    weights = poses.keypoint_scores[:, starts] * poses.keypoint_scores[:, ends]
    limbs = poses.keypoints[:, starts] - poses.keypoints[:, ends]
    squares = (weights[..., None] * limbs * limbs).sum(axis=(1, 2)) + _BOX_WEIGHT * box**2
    scales = np.sqrt(squares / (weights @ skeleton.squared_limb_lengths + _BOX_WEIGHT))
    return np.clip(scales, box / _MAX_FACTOR, box * _MAX_FACTOR)
