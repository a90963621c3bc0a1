"""How likely a pose is to be somebody: log likelihood ratios, which add up.

Each part compares how often it is seen of the same person with how often of another, and what is
not known adds nothing. Above 0 the pose is likelier this person than anybody else. The constants
are fitted to recorded poses of two networks, and hold from 3 to 10 frames a second.
"""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.people import People, Sight
from poseflow_ros.tracking.pose_flow import SIGMAS
from poseflow_ros.tracking.similarity import box_iou, oks, oks_variances

# Positions farther off than this many standard deviations, squared, are somebody else's.
_GATE = 18.0
# Natural logarithms of the ratio of heights: gate and spread, and the most that it speaks
# against, as people are half hidden at times.
_HEIGHT_GATE = 1.0
_HEIGHT_SPREAD = 0.2
_HEIGHT_MOST = 3.0
# How much the likeness of pose and box, in [0, 1], counts above or below a half.
_BODY_WEIGHT = 3.0
# What must be made up for, and the more the longer a person was not seen: to split a person in
# two is better than to join two people.
_PRIOR = -0.6
_UNSEEN_PRIOR = -0.3
_UNSEEN_SCALE_S = 1.0
# Appearance counts _WEIGHT ln(_DIFFERENT / (1 - cosine)), up to _MOST either way, from this
# many sights on.
_APPEARANCE_WEIGHT = 2.7
_APPEARANCE_DIFFERENT = 0.11
_APPEARANCE_MOST = 3.5
_APPEARANCE_HITS = 3


def compare(people: People, sight: Sight, stamp_s: float) -> tuple[FloatArray, FloatArray]:
    """Return what speaks for each of N poses being each of M people, predicted to `stamp_s`.

    Returns:
        (M, N) evidence, -inf beyond the gates; (M, N) likeness of pose and box in [0, 1].
    """
    i, j = np.nonzero(_within_gates(people, sight))
    likeness = _likeness(people, sight, i, j)
    told = (
        _position(people, i, sight.anchors[j])
        + _height(people, i, sight.heights[j])
        + _appearance(people, i, sight.appearances[j])
        + _prior(stamp_s - people.last_seen_s[i])
        + _BODY_WEIGHT * (likeness - 0.5)
    )
    shape = len(people), len(sight.poses)
    evidence, likenesses = np.full(shape, -np.inf), np.zeros(shape)
    evidence[i, j], likenesses[i, j] = told, likeness
    return evidence, likenesses


def recognise(people: People, row: int) -> int:
    """Return the row of the lost person who the young track of row `row` is; -1 for nobody.

    By where they are now and what all its sights looked like.
    """
    lost = people.confirmed & (people.last_seen_s < people.first_seen_s[row])
    i = np.flatnonzero(lost)
    if not len(i):
        return -1
    looks = people.appearances[row]
    looks = looks / max(float(np.linalg.norm(looks)), 1e-9)
    evidence = (
        _position(people, i, people.motion.positions[row])
        + _height(people, i, people.heights[row])
        + _appearance(people, i, np.broadcast_to(looks, (len(i), len(looks))))
        + _prior(people.first_seen_s[row] - people.last_seen_s[i])
    )
    best = int(evidence.argmax())
    return int(i[best]) if evidence[best] > 0 else -1


def _within_gates(people: People, sight: Sight) -> NDArray[np.bool_]:
    """Return (M, N), true where person and pose may belong together: the rest costs nothing."""
    reach = _GATE * people.motion.innovation_variances(people.heights)
    dx = people.motion.positions[:, None, 0] - sight.anchors[:, 0]
    dy = people.motion.positions[:, None, 1] - sight.anchors[:, 1]
    near = dx * dx + dy * dy < reach[:, None]
    growth = np.log(sight.heights / people.heights[:, None])
    return near & (np.abs(growth) < _HEIGHT_GATE)


def _position(people: People, i: IntArray, positions: FloatArray) -> FloatArray:
    """Return (P,): of a normal density, in heights, over an even one."""
    variances = people.motion.innovation_variances(people.heights)[i]
    offsets = positions - people.motion.positions[i]
    distances = (offsets * offsets).sum(axis=1) / variances
    told = -distances / 2 - np.log(variances / people.heights[i] ** 2)
    return np.where(distances < _GATE, told, -np.inf)


def _height(people: People, i: IntArray, heights: FloatArray) -> FloatArray:
    """Return (P,): -inf beyond the gate; (P,) heights."""
    growth = np.log(heights / people.heights[i])
    told = -np.minimum((growth / _HEIGHT_SPREAD) ** 2 / 2, _HEIGHT_MOST)
    return np.where(np.abs(growth) < _HEIGHT_GATE, told, -np.inf)


def _appearance(people: People, i: IntArray, appearances: FloatArray) -> FloatArray:
    """Return (P,), 0 where either appearance is not known; (P, D) appearances."""
    known = (people.appearance_hits[i] >= _APPEARANCE_HITS) & appearances.any(axis=1)
    learned = people.appearances[i]
    lengths = np.linalg.norm(learned, axis=1) + 1e-9
    unlike = 1 - (learned * appearances).sum(axis=1) / lengths
    told = _APPEARANCE_WEIGHT * np.log(_APPEARANCE_DIFFERENT / np.maximum(unlike, 1e-3))
    return np.where(known, told.clip(-_APPEARANCE_MOST, _APPEARANCE_MOST), 0.0)


def _prior(unseen_s: FloatArray) -> FloatArray:
    return _PRIOR + _UNSEEN_PRIOR * np.log1p(unseen_s / _UNSEEN_SCALE_S)


def _likeness(people: People, sight: Sight, i: IntArray, j: IntArray) -> FloatArray:
    """Return (P,) in [0, 1], the mean of OKS and box IoU, people where they are expected."""
    moved = (people.motion.positions - people.anchors)[i]
    poses = sight.poses
    variances = oks_variances(people.heights[i], SIGMAS)
    variances += people.motion.position_variances[i, None]
    similarity = oks(
        people.poses.keypoints[i] + moved[:, None],
        people.poses.keypoint_scores[i],
        poses.keypoints[j],
        poses.keypoint_scores[j],
        variances,
    )
    boxes = people.poses.boxes[i] + np.hstack([moved, moved])
    return (similarity + box_iou(boxes[:, None], poses.boxes[j][:, None])[:, 0, 0]) / 2
