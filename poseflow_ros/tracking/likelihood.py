"""How likely a detection is to be somebody: log-likelihood ratios, which add up.

Each part compares how often it is observed of the same person with how often of another, and what
is not known adds nothing. Above 0 the detection is likelier this person than anybody else.
"""

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.pose_flow import SIGMAS
from poseflow_ros.tracking.robust_tracks import RobustTracks
from poseflow_ros.tracking.similarity import box_iou, oks, oks_variances

# Positions farther off than this many standard deviations, or with a lower log-likelihood, are
# somebody else's. The middle of the torso may be this many body scales off the position.
_GATE_SIGMAS = 4.25
_LEAST_POSITION = -9.0
_ANCHOR_SLACK = 0.5
# Below this no similarity of pose and box makes up for the rest.
_HOPELESS = -4.0
# Natural logarithms of the ratio of sizes: gate and spread, and the most that it speaks against,
# as people are half hidden at times.
_SIZE_GATE = 1.0
_SIZE_SPREAD = 0.22
_SIZE_MOST = 3.0
# How much the similarity of pose and box, in [0, 1], counts above or below a half.
_SIMILARITY_WEIGHT = 3.0
# What must be made up for, and the more the longer a person was not seen: to split a person in
# two is better than to join two people.
_PRIOR = -0.6
_UNSEEN_PRIOR = -0.6
_UNSEEN_SCALE_S = 1.0
# Appearance counts _WEIGHT ln(typical / (1 - cosine)), up to _MOST either way, from this many
# independent observations on. The typical distance of a person is the geometric mean of the
# distances to all other known people and of _VIRTUAL people at the distance _DIFFERENT, at most
# _ODDITY times that: a striped shirt is more distinctive than a dark coat among dark coats.
_APPEARANCE_WEIGHT = 2.5
_APPEARANCE_MOST = 3.0
_APPEARANCE_HITS = 3
_APPEARANCE_DIFFERENT = 0.11
_APPEARANCE_VIRTUAL = 3
_APPEARANCE_ODDITY = 1.35
_LEAST_DISTANCE = 1e-3


def score_pairs(
    tracks: RobustTracks, detections: Detections, stamp_s: float
) -> tuple[FloatArray, FloatArray]:
    """Compare M tracks, predicted to `stamp_s`, with N detections.

    Returns:
        (M, N) log-likelihood ratios of the detection being the track's person, -inf beyond the
        gates; (M, N) similarity of pose and box in [0, 1].
    """
    shape = len(tracks), len(detections)
    ratios, similarities = np.full(shape, -np.inf), np.zeros(shape)
    i, j = _near_pairs(tracks, detections)
    ratio = _ratio_without_pose(tracks, i, detections, j, stamp_s)
    # Poses are compared, which takes longest, where the ratio could still come to matter.
    hopeful = ratio > _HOPELESS
    i, j, ratio = i[hopeful], j[hopeful], ratio[hopeful]
    similarity = _similarity(tracks, i, detections.poses[j])
    ratios[i, j] = ratio + _SIMILARITY_WEIGHT * (similarity - 0.5)
    similarities[i, j] = similarity
    return ratios, similarities


def _ratio_without_pose(
    tracks: RobustTracks, i: IntArray, detections: Detections, j: IntArray, stamp_s: float
) -> FloatArray:
    """Return (P,) log-likelihood ratios of all but the similarity of pose and box."""
    poses = detections.poses[j]
    size = np.maximum(
        _size(detections.scales[j] / tracks.scales[i]),
        _size(poses.heights / tracks.poses.heights[i]),
    )
    return (
        _position(tracks, i, tracks.shape.measure(i, poses))
        + size
        + appearance_ratios(tracks, i, detections.appearances[j])
        + _prior(stamp_s - tracks.last_seen_s[i])
    )


def reidentify(tracks: RobustTracks, row: int) -> int:
    """Return the row of the lost person who the young track of row `row` is; -1 for nobody.

    By where they are now and the mean of the young track's appearances. Pose and box are not
    compared: the lost person's are too old.
    """
    i = _lost_before(tracks, row)
    if not len(i):
        return -1
    appearance = tracks.appearances[row]
    appearance = appearance / max(float(np.linalg.norm(appearance)), 1e-9)
    ratio = _ratio_without_looks(tracks, i, row)
    ratio += appearance_ratios(tracks, i, np.broadcast_to(appearance, (len(i), len(appearance))))
    best = int(ratio.argmax())
    return int(i[best]) if ratio[best] > 0 else -1


def may_be_reidentified(tracks: RobustTracks, row: int) -> bool:
    """Return whether appearance could show the young track of row `row` to be somebody lost."""
    i = _lost_before(tracks, row)
    i = i[tracks.appearance_hits[i] >= _APPEARANCE_HITS]
    return bool((_ratio_without_looks(tracks, i, row) > -_APPEARANCE_MOST).any())


def _lost_before(tracks: RobustTracks, row: int) -> IntArray:
    """Return the (P,) rows of people last observed before the track of row `row` began."""
    return np.flatnonzero(tracks.confirmed & (tracks.last_seen_s < tracks.first_seen_s[row]))


def _ratio_without_looks(tracks: RobustTracks, i: IntArray, row: int) -> FloatArray:
    """Return (P,) log-likelihood ratios of the tracks `i` being that of row `row`."""
    return (
        _position(tracks, i, np.broadcast_to(tracks.motion.positions[row], (len(i), 2)))
        + _size(tracks.scales[row] / tracks.scales[i])
        + _prior(tracks.first_seen_s[row] - tracks.last_seen_s[i])
    )


def _near_pairs(tracks: RobustTracks, detections: Detections) -> tuple[IntArray, IntArray]:
    """Return the (P,) rows and (P,) columns that may belong together: the rest costs nothing.

    Generously by the torsos' middles, which jump where keypoints appear or disappear.
    """
    positions, slack = tracks.motion.positions, _ANCHOR_SLACK * tracks.scales
    reach = tracks.motion.gates(tracks.scales, _GATE_SIGMAS) + slack
    dx = detections.anchors[:, 0] - positions[:, None, 0]
    dy = detections.anchors[:, 1] - positions[:, None, 1]
    squares = dx * dx + dy * dy
    i, j = np.argwhere(squares < (reach * reach)[:, None]).T
    nearer = np.maximum(1 - slack[i] / np.sqrt(squares[i, j] + 1e-9), 0.0)[:, None]
    measured = positions[i] + nearer * (detections.anchors[j] - positions[i])
    hopeful = _position(tracks, i, measured) > _HOPELESS - _APPEARANCE_MOST * tracks.has_appearance
    return i[hopeful], j[hopeful]


def _position(tracks: RobustTracks, i: IntArray, measured: FloatArray) -> FloatArray:
    """Return (P,): of (P, 2) measured positions, -inf beyond the gate."""
    ratio = tracks.motion.log_likelihoods(i, measured, tracks.scales[i])
    return np.where(ratio > _LEAST_POSITION, ratio, -np.inf)


def _size(growth: FloatArray) -> FloatArray:
    """Return (P,): of (P,) ratios of sizes, -inf beyond the gate."""
    logs = np.log(growth)
    ratio = -np.minimum((logs / _SIZE_SPREAD) ** 2 / 2, _SIZE_MOST)
    return np.where(np.abs(logs) < _SIZE_GATE, ratio, -np.inf)


def appearance_ratios(tracks: RobustTracks, i: IntArray, appearances: FloatArray) -> FloatArray:
    """Return (P,) log-likelihood ratios of (P, D) appearances, 0 where either is not known."""
    if not appearances.shape[1]:
        return np.zeros(len(i))
    known = (tracks.appearance_hits[i] >= _APPEARANCE_HITS) & appearances.any(axis=1)
    learned = tracks.appearances[i]
    lengths = np.linalg.norm(learned, axis=1) + 1e-9
    distances = 1 - (learned * appearances).sum(axis=1) / lengths
    ratio = _typical_logs(tracks)[i] - np.log(np.maximum(distances, _LEAST_DISTANCE))
    ratio *= _APPEARANCE_WEIGHT
    return np.where(known, ratio.clip(-_APPEARANCE_MOST, _APPEARANCE_MOST), 0.0)


def _typical_logs(tracks: RobustTracks) -> FloatArray:
    """Return (M,) natural logarithms of the typical distance of other people to each."""
    logs = np.full(len(tracks), np.log(_APPEARANCE_DIFFERENT))
    known = tracks.confirmed & (tracks.appearance_hits >= _APPEARANCE_HITS)
    n_others = np.count_nonzero(known) - 1
    if n_others < 1:
        return logs
    learned = tracks.appearances[known]
    learned = learned / (np.linalg.norm(learned, axis=1, keepdims=True) + 1e-9)
    distances = np.log(np.maximum(1 - learned @ learned.T, _LEAST_DISTANCE))
    np.fill_diagonal(distances, 0.0)
    total = _APPEARANCE_VIRTUAL * logs[known] + distances.sum(axis=1)
    most = logs[known] + np.log(_APPEARANCE_ODDITY)
    logs[known] = np.minimum(total / (_APPEARANCE_VIRTUAL + n_others), most)
    return logs


def _prior(unseen_s: FloatArray) -> FloatArray:
    return _PRIOR + _UNSEEN_PRIOR * np.log1p(unseen_s / _UNSEEN_SCALE_S)


def _similarity(tracks: RobustTracks, i: IntArray, poses: Poses) -> FloatArray:
    """Return (P,) in [0, 1], the mean of OKS and box IoU.

    With the prediction or with the last observation, whichever is higher: somebody who is where
    they were is the same person, whatever the filter expects.
    """
    predicted, last = tracks.motion.positions[i], tracks.moved_anchors[i]
    base = oks_variances(tracks.scales[i], SIGMAS)
    kept = (last - tracks.anchors[i])[:, None]
    similarity = oks(
        np.stack([tracks.shape.offsets[i] + predicted[:, None], tracks.poses.keypoints[i] + kept]),
        np.stack([tracks.shape.scores[i], tracks.poses.keypoint_scores[i]]),
        poses.keypoints,
        poses.keypoint_scores,
        np.stack([base + tracks.motion.position_variances[i, None], base]),
    )
    moves = np.stack([predicted, last]) - tracks.anchors[i]
    boxes = tracks.poses.boxes[i] + np.concatenate([moves, moves], axis=-1)
    overlap = box_iou(boxes[..., None, :], poses.boxes[:, None])[..., 0, 0]
    mean: FloatArray = (similarity + overlap).max(axis=0) / 2
    return mean
