"""Log-likelihood ratios of pairs of a track and a detection.

Each term compares the likelihood of a measurement for the same person and for another person.
The terms are added; an unknown measurement adds nothing. If the sum is above 0, the detection is
more likely this person than another one.
"""

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.appearance_likelihood import AppearanceLikelihood
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.robust_tracks import RobustTracks
from poseflow_ros.tracking.similarity import box_iou, oks, oks_variances

# Gates of the position: standard deviations, and log-likelihood. Maximum distance of the centre of
# the torso from the tracked position, in body scales.
_GATE_SIGMAS = 4.25
_LEAST_POSITION = -9.0
_ANCHOR_SLACK = 0.5
# Below this ratio no similarity of pose and box can make a pair acceptable.
_HOPELESS = -4.0
# Natural logarithm of the ratio of sizes: gate and standard deviation; and the minimum of its
# log-likelihood ratio, because people can be partly occluded.
_SIZE_GATE = 1.0
_SIZE_SPREAD = 0.22
_SIZE_MOST = 3.0
# Factor of the similarity of pose and box above 0.5.
_SIMILARITY_WEIGHT = 3.0
# Prior, and its decrease with the time since the last observation: splitting one person into two
# tracks is better than merging two people.
_PRIOR = -0.6
_UNSEEN_PRIOR = -0.6
_UNSEEN_SCALE_S = 1.0


def score_pairs(
    tracks: RobustTracks,
    detections: Detections,
    stamp_s: float,
    appearance: AppearanceLikelihood,
) -> tuple[FloatArray, FloatArray]:
    """Score every pair of M tracks, predicted to `stamp_s`, and N detections.

    Returns:
        (M, N) log-likelihood ratios of track and detection being the same person, -inf outside
        the gates; (M, N) similarity of pose and box in [0, 1].
    """
    shape = len(tracks), len(detections)
    ratios, similarities = np.full(shape, -np.inf), np.zeros(shape)
    i, j = _near_pairs(tracks, detections, appearance)
    ratio = _ratio_without_pose(tracks, i, detections, j, stamp_s)
    ratio += appearance.ratios(tracks, i, detections.appearances[j])
    # Comparing poses takes longest, so it is limited to pairs that can still be accepted.
    hopeful = ratio > _HOPELESS
    i, j, ratio = i[hopeful], j[hopeful], ratio[hopeful]
    similarity = _similarity(tracks, i, detections, j)
    ratios[i, j] = ratio + _SIMILARITY_WEIGHT * (similarity - 0.5)
    similarities[i, j] = similarity
    return ratios, similarities


def _ratio_without_pose(
    tracks: RobustTracks, i: IntArray, detections: Detections, j: IntArray, stamp_s: float
) -> FloatArray:
    """Return (P,) log-likelihood ratios of position, size and time since the last observation."""
    body = detections.body[j]
    size = np.maximum(
        _size(detections.scales[j] / tracks.scales[i]),
        _size(body.heights / tracks.poses.heights[i]),
    )
    return (
        _position(tracks, i, tracks.shape.measure(i, body, detections.skeleton))
        + size
        + _prior(stamp_s - tracks.last_seen_s[i])
    )


def reidentify(tracks: RobustTracks, row: int, appearance: AppearanceLikelihood) -> int:
    """Return the row of the lost track that the new track in row `row` continues; -1 for none.

    Position, size and the mean appearance of the new track are compared. Pose and box of the lost
    track are too old.
    """
    i = _lost_before(tracks, row)
    if not len(i):
        return -1
    learned = tracks.appearances[row]
    learned = learned / max(float(np.linalg.norm(learned)), 1e-9)
    ratio = _ratio_without_appearance(tracks, i, row)
    ratio += appearance.ratios(tracks, i, np.broadcast_to(learned, (len(i), len(learned))))
    best = int(ratio.argmax())
    return int(i[best]) if ratio[best] > 0 else -1


def may_be_reidentified(tracks: RobustTracks, row: int, appearance: AppearanceLikelihood) -> bool:
    """Return whether appearance could re-identify the new track in row `row` as a lost track."""
    i = _lost_before(tracks, row)
    i = i[tracks.appearance_hits[i] >= appearance.min_hits]
    return bool((_ratio_without_appearance(tracks, i, row) > -appearance.max_ratio).any())


def _lost_before(tracks: RobustTracks, row: int) -> IntArray:
    """Return (P,) rows of confirmed tracks last observed before the track in row `row` started."""
    return np.flatnonzero(tracks.confirmed & (tracks.last_seen_s < tracks.first_seen_s[row]))


def _ratio_without_appearance(tracks: RobustTracks, i: IntArray, row: int) -> FloatArray:
    """Return (P,) log-likelihood ratios of tracks `i` and the track in row `row`."""
    return (
        _position(tracks, i, np.broadcast_to(tracks.motion.positions[row], (len(i), 2)))
        + _size(tracks.scales[row] / tracks.scales[i])
        + _prior(tracks.first_seen_s[row] - tracks.last_seen_s[i])
    )


def _near_pairs(
    tracks: RobustTracks, detections: Detections, appearance: AppearanceLikelihood
) -> tuple[IntArray, IntArray]:
    """Return (P,) rows and (P,) columns of pairs within a wide gate, to save time.

    The gate is on the centre of the torso and wide, because the centre jumps when keypoints
    appear or disappear.
    """
    positions, slack = tracks.motion.positions, _ANCHOR_SLACK * tracks.scales
    reach = tracks.motion.gates(tracks.scales, _GATE_SIGMAS) + slack
    dx = detections.anchors[:, 0] - positions[:, None, 0]
    dy = detections.anchors[:, 1] - positions[:, None, 1]
    squares = dx * dx + dy * dy
    i, j = np.argwhere(squares < (reach * reach)[:, None]).T
    nearer = np.maximum(1 - slack[i] / np.sqrt(squares[i, j] + 1e-9), 0.0)[:, None]
    measured = positions[i] + nearer * (detections.anchors[j] - positions[i])
    most = appearance.max_ratio * tracks.has_appearance
    hopeful = _position(tracks, i, measured) > _HOPELESS - most
    return i[hopeful], j[hopeful]


def _position(tracks: RobustTracks, i: IntArray, measured: FloatArray) -> FloatArray:
    """Return (P,) log-likelihood ratios of (P, 2) measured positions, -inf outside the gate."""
    ratio = tracks.motion.log_likelihoods(i, measured, tracks.scales[i])
    return np.where(ratio > _LEAST_POSITION, ratio, -np.inf)


def _size(growth: FloatArray) -> FloatArray:
    """Return (P,) log-likelihood ratios of (P,) ratios of sizes, -inf outside the gate."""
    logs = np.log(growth)
    ratio = -np.minimum((logs / _SIZE_SPREAD) ** 2 / 2, _SIZE_MOST)
    return np.where(np.abs(logs) < _SIZE_GATE, ratio, -np.inf)


def _prior(unseen_s: FloatArray) -> FloatArray:
    return _PRIOR + _UNSEEN_PRIOR * np.log1p(unseen_s / _UNSEEN_SCALE_S)


def _similarity(
    tracks: RobustTracks, i: IntArray, detections: Detections, j: IntArray
) -> FloatArray:
    """Return (P,) in [0, 1], the mean of OKS and box IoU.

    It is computed with the prediction and with the last observation; the higher value is used, as
    a person may have stopped although the filter predicts a motion.
    """
    body, skeleton = detections.body[j], detections.skeleton
    predicted, last = tracks.motion.positions[i], tracks.moved_anchors[i]
    base = oks_variances(tracks.scales[i], skeleton.body_sigmas)
    kept = (last - tracks.anchors[i])[:, None]
    similarity = oks(
        np.stack(
            [
                tracks.shape.offsets[i] + predicted[:, None],
                tracks.poses.keypoints[i, : skeleton.n_body] + kept,
            ]
        ),
        np.stack([tracks.shape.scores[i], tracks.poses.keypoint_scores[i, : skeleton.n_body]]),
        body.keypoints,
        body.keypoint_scores,
        np.stack([base + tracks.motion.position_variances[i, None], base]),
    )
    moves = np.stack([predicted, last]) - tracks.anchors[i]
    boxes = tracks.poses.boxes[i] + np.concatenate([moves, moves], axis=-1)
    overlap = box_iou(boxes[..., None, :], body.boxes[:, None])[..., 0, 0]
    mean: FloatArray = (similarity + overlap).max(axis=0) / 2
    return mean
