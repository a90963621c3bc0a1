"""The names, edges and sizes of the COCO person skeleton."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What the K keypoints of a pose mean.

    Attributes:
        name: how messages refer to it.
        keypoint_names: K names.
        edges: pairs of keypoint indices to draw a line between.
        flip_pairs: pairs of keypoint indices that change places in a mirror.
        torso: indices of the keypoints that move least against the body.
        limbs: pairs of keypoint indices, the ends of bones whose length tells a person's size.
        limb_lengths: of the limbs, relative to a standing person's height (Drillis and Contini,
            Body segment parameters, 1966).
        oks_sigmas: K standard deviations of the object keypoint similarity, relative to the
            square root of the person's area (COCO keypoint evaluation).
    """

    name: str
    keypoint_names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    flip_pairs: tuple[tuple[int, int], ...]
    torso: tuple[int, ...]
    limbs: tuple[tuple[int, int], ...]
    limb_lengths: tuple[float, ...]
    oks_sigmas: tuple[float, ...]


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
    limb_lengths=(0.288, 0.288, 0.245, 0.245, 0.246, 0.246, 0.186, 0.186, 0.146, 0.146),
    oks_sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035),
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
)
