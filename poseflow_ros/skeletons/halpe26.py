"""The 26 keypoints of Halpe (Fang et al., AlphaPose, TPAMI 2022): COCO's, trunk and feet."""

from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.skeleton import Skeleton

HALPE_26 = Skeleton(
    name="halpe26",
    keypoint_names=(
        *COCO_17.keypoint_names,
        *("head", "neck", "hip"),
        *("left_big_toe", "right_big_toe"),
        *("left_small_toe", "right_small_toe"),
        *("left_heel", "right_heel"),
    ),
    n_body=20,
    edges=(
        *((0, 1), (0, 2), (1, 3), (2, 4)),  # face
        *((17, 18), (18, 5), (18, 6), (18, 19), (19, 11), (19, 12)),  # trunk
        *((5, 7), (7, 9), (6, 8), (8, 10)),  # arms
        *((11, 13), (13, 15), (12, 14), (14, 16)),  # legs
        *((15, 20), (15, 22), (15, 24), (16, 21), (16, 23), (16, 25)),  # feet
    ),
    flip_pairs=(*COCO_17.flip_pairs, (20, 21), (22, 23), (24, 25)),
    torso=COCO_17.torso,
    limbs=COCO_17.limbs,
    limb_lengths=COCO_17.limb_lengths,
    # Beside COCO's those of Halpe's own evaluation.
    oks_sigmas=(*COCO_17.oks_sigmas, *[0.08] * 3, *[0.089] * 6),
)
