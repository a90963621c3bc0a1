"""Error models of detectors."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DetectorModel:
    """The error model of a detector, fitted to real detections by tools/fit_detector_model.py.

    Lengths are shares of the person's height. Scores are logits: mean and standard deviation of
    log(s / (1 - s)). Correlations decay as exp(-t / memory).

    Attributes:
        miss: logit of the probability of a miss: for a visible person, slope per hidden share.
        miss_memory_s: time constant of misses.
        score: person score: for a visible person, slope per hidden share, standard deviation.
        score_memory_s: time constant of scores.
        lowest_score: minimum score of detections.
        box_std: (4,) of the edges x1 y1 x2 y2.
        box_std_covered: (4,) of people with a hidden share of 0.4 or more.
        box_shared: correlation of left and right edge, and of top and bottom.
        box_memory_s: time constant of box errors.
        keypoint_std: (9,) of x and of y: nose, then the pairs from eyes to ankles.
        keypoint_hidden_factor: factor of `keypoint_std` for hidden keypoints.
        keypoint_memory_s: time constant of keypoint errors.
        keypoint_score: (9,) of visible keypoints.
        keypoint_score_std: (9,) their standard deviations.
        keypoint_score_shared: correlation of the keypoint scores with the person score.
        keypoint_score_hidden: added for hidden keypoints.
        duplicates: share of detected people who are detected twice.
        duplicate_memory_s: time constant of duplicates.
        duplicate_score: added to the person's score.
        duplicate_keypoint_score: added to `keypoint_score`.
        duplicate_height: height of a duplicate's box, relative to the person's.
        false_per_image: number of false positives per image of 768 x 576.
        false_seen: share of images in which an existing false positive is detected.
        false_life_s: mean lifetime of a false positive.
        false_size: log of the height relative to people's: mean and standard deviation.
        false_score: mean and standard deviation.
        false_keypoint_score: added to `keypoint_score`.
    """

    miss: tuple[float, float]
    miss_memory_s: float
    score: tuple[float, float, float]
    score_memory_s: float
    lowest_score: float
    box_std: tuple[float, ...]
    box_std_covered: tuple[float, ...]
    box_shared: tuple[float, float]
    box_memory_s: float
    keypoint_std: tuple[float, ...]
    keypoint_hidden_factor: float
    keypoint_memory_s: float
    keypoint_score: tuple[float, ...]
    keypoint_score_std: tuple[float, ...]
    keypoint_score_shared: float
    keypoint_score_hidden: float
    duplicates: float
    duplicate_memory_s: float
    duplicate_score: float
    duplicate_keypoint_score: float
    duplicate_height: float
    false_per_image: float
    false_seen: float
    false_life_s: float
    false_size: tuple[float, float]
    false_score: tuple[float, float]
    false_keypoint_score: float


# PETS09-S2L1 (docs/benchmarks.md): MoveNet MultiPose on tiles, and a small one-stage detector.
MOVENET_TILED = DetectorModel(
    miss=(-3.418, 4.742),
    miss_memory_s=0.267,
    score=(-0.269, -1.195, 0.387),
    score_memory_s=0.71,
    lowest_score=-1.734,
    box_std=(0.055, 0.025, 0.053, 0.03),
    box_std_covered=(0.039, 0.038, 0.074, 0.081),
    box_shared=(0.323, 0.113),
    box_memory_s=0.52,
    keypoint_std=(0.032, 0.033, 0.032, 0.034, 0.05, 0.064, 0.026, 0.034, 0.064),
    keypoint_hidden_factor=1.586,
    keypoint_memory_s=0.157,
    keypoint_score=(-0.088, -0.111, -0.008, 0.481, -0.14, -0.439, 0.716, 0.308, 0.113),
    keypoint_score_std=(0.515, 0.56, 0.606, 0.625, 0.532, 0.534, 0.445, 0.5, 0.598),
    keypoint_score_shared=0.353,
    keypoint_score_hidden=-0.716,
    duplicates=0.063,
    duplicate_memory_s=0.73,
    duplicate_score=-0.44,
    duplicate_keypoint_score=-0.728,
    duplicate_height=0.68,
    false_per_image=1.053,
    false_seen=0.749,
    false_life_s=1.377,
    false_size=(-0.621, 0.401),
    false_score=(-1.277, 0.459),
    false_keypoint_score=-0.642,
)
ONE_STAGE = DetectorModel(
    miss=(-1.357, 3.3),
    miss_memory_s=1.097,
    score=(0.273, -1.291, 1.238),
    score_memory_s=2.203,
    lowest_score=-2.197,
    box_std=(0.056, 0.024, 0.05, 0.025),
    box_std_covered=(0.07, 0.038, 0.084, 0.051),
    box_shared=(0.32, 0.396),
    box_memory_s=0.497,
    keypoint_std=(0.025, 0.024, 0.023, 0.026, 0.033, 0.042, 0.022, 0.028, 0.037),
    keypoint_hidden_factor=1.03,
    keypoint_memory_s=0.149,
    keypoint_score=(0.141, -0.589, 0.146, 4.005, 2.079, 1.305, 4.8, 3.983, 3.169),
    keypoint_score_std=(1.835, 1.994, 1.506, 1.074, 1.323, 1.124, 0.938, 0.862, 0.751),
    keypoint_score_shared=0.296,
    keypoint_score_hidden=-1.182,
    duplicates=0.004,
    duplicate_memory_s=0.327,
    duplicate_score=0.535,
    duplicate_keypoint_score=-0.637,
    duplicate_height=0.925,
    false_per_image=0.16,
    false_seen=1.0,
    false_life_s=0.156,
    false_size=(0.163, 0.206),
    false_score=(0.247, 1.328),
    false_keypoint_score=-2.184,
)
MODELS = {"movenet_tiled": MOVENET_TILED, "one_stage": ONE_STAGE}
