"""COCO-WholeBody (Jin et al., ECCV 2020): COCO's keypoints, feet, face and hands."""

from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.skeleton import Skeleton

_FEET, _FACE, _LEFT_HAND, _RIGHT_HAND = 17, 23, 91, 112
_N_HAND = 21
_LEFT_WRIST, _RIGHT_WRIST = 9, 10
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_HAND = ("hand_root", *(f"{finger}{joint}" for finger in _FINGERS for joint in range(1, 5)))

# Of the face's 68 landmarks (Sagonas et al., 300-W, ICCV Workshops 2013): jaw, brows, nose, eyes,
# outer and inner lips.
_FACE_FLIP_PAIRS = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((31, 35), (32, 34)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),
    *((60, 64), (61, 63), (65, 67)),
)


def _hand_edges(wrist: int, root: int) -> tuple[tuple[int, int], ...]:
    """Return the edges of a hand: from the wrist, and along each finger."""
    firsts = range(root + 1, root + _N_HAND, 4)
    fingers = [(first + i, first + i + 1) for first in firsts for i in range(3)]
    return ((wrist, root), *((root, first) for first in firsts), *fingers)


_HAND_SIGMAS = (
    *(0.029, 0.022, 0.035, 0.037, 0.047),
    *(0.026, 0.025, 0.024, 0.035),
    *(0.018, 0.024, 0.022, 0.026),
    *(0.017, 0.021, 0.021, 0.032),
    *(0.020, 0.019, 0.022, 0.031),
)

WHOLEBODY_133 = Skeleton(
    name="wholebody133",
    keypoint_names=(
        *COCO_17.keypoint_names,
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
        *(f"face_{i}" for i in range(68)),
        *(f"left_{name}" for name in _HAND),
        *(f"right_{name}" for name in _HAND),
    ),
    n_body=17,
    edges=(
        *COCO_17.edges,
        *((15, 17), (15, 18), (15, 19), (16, 20), (16, 21), (16, 22)),  # feet
        *_hand_edges(_LEFT_WRIST, _LEFT_HAND),
        *_hand_edges(_RIGHT_WRIST, _RIGHT_HAND),
    ),
    flip_pairs=(
        *COCO_17.flip_pairs,
        *((_FEET + i, _FEET + 3 + i) for i in range(3)),
        *((_FACE + a, _FACE + b) for a, b in _FACE_FLIP_PAIRS),
        *((_LEFT_HAND + i, _RIGHT_HAND + i) for i in range(_N_HAND)),
    ),
    torso=COCO_17.torso,
    limbs=COCO_17.limbs,
    limb_lengths=COCO_17.limb_lengths,
    # COCO-WholeBody's evaluation.
    oks_sigmas=(
        *COCO_17.oks_sigmas,
        *(0.068, 0.066, 0.066, 0.092, 0.094, 0.094),  # feet
        *(0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020),  # jaw
        *(0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041, 0.045),
        *(0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015),  # brows
        *(0.009, 0.007, 0.007, 0.007, 0.012, 0.009, 0.008, 0.016, 0.010),  # nose
        *(0.017, 0.011, 0.009, 0.011, 0.009, 0.007),  # eyes
        *(0.013, 0.008, 0.011, 0.012, 0.010, 0.034),
        *(0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007),
        *(0.007, 0.008, 0.011, 0.008, 0.008, 0.008, 0.010, 0.008),  # inner lips
        *_HAND_SIGMAS,
        *_HAND_SIGMAS,
    ),
)
