"""The 14 keypoints of CrowdPose (Li et al., CVPR 2019): no face, but head and neck."""

from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.skeleton import Skeleton

_N_FACE = 5  # of COCO's keypoints, which the others follow in the same order

CROWDPOSE_14 = Skeleton(
    name="crowdpose14",
    keypoint_names=(*COCO_17.keypoint_names[_N_FACE:], "top_head", "neck"),
    n_body=14,
    edges=(
        *((12, 13), (13, 0), (13, 1), (0, 6), (1, 7), (6, 7)),  # trunk
        *((0, 2), (2, 4), (1, 3), (3, 5)),  # arms
        *((6, 8), (8, 10), (7, 9), (9, 11)),  # legs
    ),
    flip_pairs=((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)),
    torso=(0, 1, 6, 7),
    limbs=tuple((a - _N_FACE, b - _N_FACE) for a, b in COCO_17.limbs),
    limb_lengths=COCO_17.limb_lengths,
    # CrowdPose's evaluation: COCO's, and those of the shoulders for head and neck.
    oks_sigmas=(*COCO_17.oks_sigmas[_N_FACE:], 0.079, 0.079),
)
