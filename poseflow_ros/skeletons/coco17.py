"""COCO's person skeleton (Lin et al., Microsoft COCO, ECCV 2014)."""

from poseflow_ros.skeletons.skeleton import Skeleton

COCO_17 = Skeleton(
    name="coco17",
    keypoint_names=(
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ),
    n_body=17,
    edges=(
        *((0, 1), (0, 2), (1, 3), (2, 4)),  # head
        *((5, 6), (5, 11), (6, 12), (11, 12)),  # torso
        *((5, 7), (7, 9), (6, 8), (8, 10)),  # arms
        *((11, 13), (13, 15), (12, 14), (14, 16)),  # legs
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    torso=(5, 6, 11, 12),
    limbs=(
        *((5, 11), (6, 12)),  # sides of the torso
        *((11, 13), (12, 14), (13, 15), (14, 16)),  # thighs and shanks
        *((5, 7), (6, 8), (7, 9), (8, 10)),  # upper arms and forearms
    ),
    # Drillis and Contini, Body segment parameters, 1966.
    limb_lengths=(0.288, 0.288, 0.245, 0.245, 0.246, 0.246, 0.186, 0.186, 0.146, 0.146),
    # COCO's keypoint evaluation.
    oks_sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035),
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
)
