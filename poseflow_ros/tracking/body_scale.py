"""How large a person is in the image, from the lengths of torso and limbs."""

import numpy as np

from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton

# How much the box counts beside the limbs, whose weights are squared lengths of up to about 0.4:
# enough to decide where hardly a limb is visible.
_BOX_WEIGHT = 0.02
# A box this much wider than high is of somebody who lies or spreads the arms.
_WIDTH_TO_HEIGHT = 0.8
# The scale stays within this factor of what the box says: a limb of two wrong keypoints.
_MAX_FACTOR = 3.0


def body_scales(poses: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (N,) pixels, the height that each person would have when standing upright.

    The root mean square of the visible limbs' lengths, each relative to its share of a standing
    person's height. A person who bends, or whose legs are outside the image, keeps the scale,
    while the box changes by a factor of two.
    """
    width, height = (poses.boxes[:, 2:] - poses.boxes[:, :2]).T
    box = np.maximum(height, _WIDTH_TO_HEIGHT * width)
    starts, ends = skeleton.limb_ends
    weights = poses.keypoint_scores[:, starts] * poses.keypoint_scores[:, ends]
    limbs = poses.keypoints[:, starts] - poses.keypoints[:, ends]
    squares = (weights[..., None] * limbs * limbs).sum(axis=(1, 2)) + _BOX_WEIGHT * box**2
    scales = np.sqrt(squares / (weights @ skeleton.squared_limb_lengths + _BOX_WEIGHT))
    return np.clip(scales, box / _MAX_FACTOR, box * _MAX_FACTOR)
