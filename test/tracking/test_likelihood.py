"""Log-likelihood ratios: how likely a detection is to be somebody."""

import math

import loops
import numpy as np
import pytest
from people import make_person, together, without_legs
from robust_table import ANCHOR, APPEARANCE, BLUE, FIRST, RED, UNKNOWN, detect, make_tracks

from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking import likelihood as constants
from poseflow_ros.tracking import motion, robust
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.likelihood import reidentify, score_pairs
from poseflow_ros.tracking.robust_tracks import RobustTracks
from poseflow_ros.tracking.tracks import append

pytestmark = pytest.mark.filterwarnings("error")

HEIGHT = 100.0


def predict(tracks, dt_s):
    """Let the tracks go unobserved for `dt_s`."""
    tracks.motion.predict(dt_s, tracks.scales, np.zeros(len(tracks), bool))


def at(x, y=100.0, height=HEIGHT):
    return make_person(x, y, height)


def grown(factor):
    """Return somebody of another height, with the torso's middle where it was."""
    return at(300, 300 - ANCHOR * HEIGHT * (factor - 1), factor * HEIGHT)


def ratios_of(tracks, detections, stamp_s=0.0):
    return score_pairs(tracks, detections, stamp_s, APPEARANCE)[0]


def ratio_of(tracks, detections, stamp_s=0.0):
    return float(ratios_of(tracks, detections, stamp_s)[0, 0])


def test_ratio_of_a_standing_person_by_hand():
    ratios, similarity = score_pairs(make_tracks(at(200)), detect(at(200)), 0.0, APPEARANCE)
    assert similarity == pytest.approx(1)
    # Both models and the measurement are equally vague; nothing is known of the appearance.
    position = -math.log(2 * motion._POSITION_NOISE**2)
    expected = position + constants._PRIOR + constants._SIMILARITY_WEIGHT / 2
    assert ratios == pytest.approx(expected, abs=0.01)
    assert ratios > 1


def test_ratio_decreases_with_distance_up_to_the_gate():
    spread = math.sqrt(2) * motion._POSITION_NOISE * HEIGHT
    near = spread * np.arange(4)
    far = [3 * HEIGHT, 30 * HEIGHT]
    for dx, dy in ((1, 0), (0, -1), (-0.6, 0.8)):
        poses = [at(300 + d * dx, 300 + d * dy) for d in (*near, *far)]
        (ratios,) = ratios_of(make_tracks(at(300, 300)), detect(*poses))
        assert (np.diff(ratios[:4]) < 0).all()
        assert ratios[:2].min() > 0
        assert ratios[4:].tolist() == [-np.inf] * 2


@pytest.mark.parametrize(
    ("log_likelihood", "expected"),
    [
        pytest.param(-1.0, True, id="unlikely"),
        pytest.param(constants._LEAST_POSITION - 0.1, False, id="beyond the gate"),
    ],
)
def test_unlikely_position_is_outside_the_gate(log_likelihood, expected):
    # -d^2 / 2 - log(2 noise^2) is the log-likelihood of d standard deviations.
    noise = motion._POSITION_NOISE
    distance = math.sqrt(-2 * (log_likelihood + math.log(2 * noise**2)))
    other = at(300 + distance * math.sqrt(2) * noise * make_tracks(at(300)).scales[0])
    assert np.isfinite(ratio_of(make_tracks(at(300)), detect(other))) == expected


@pytest.mark.parametrize("factors", [[1, 1.1, 1.3, 1.5], [1, 1 / 1.1, 1 / 1.3, 1 / 1.5]])
def test_ratio_decreases_with_size_difference(factors):
    (ratios,) = ratios_of(make_tracks(grown(1)), detect(*map(grown, factors)))
    assert (np.diff(ratios) < 0).all()


def test_different_size_is_outside_the_gate():
    gate = math.exp(constants._SIZE_GATE)
    factors = (0.99 * gate, 1.01 * gate, 1.01 / gate, 0.99 / gate)
    (ratios,) = ratios_of(make_tracks(grown(1)), detect(*map(grown, factors)))
    assert np.isfinite(ratios).tolist() == [True, False, True, False]


def test_equal_scale_in_a_shorter_box_is_equal_size():
    tracks = make_tracks(at(200))
    whole, upper, smaller = ratios_of(
        tracks, detect(at(200), without_legs(at(200), 0.5), at(200, 100 + 18, 50))
    )[0]
    # The box alone says half the size, which at the most costs half of the similarity.
    assert upper > whole - constants._SIMILARITY_WEIGHT / 2
    assert smaller < upper - 1


def test_equal_box_height_is_equal_size_for_any_keypoints():
    pose = at(200)
    middle = np.array([200, 100 + ANCHOR * HEIGHT])
    pose.keypoints[:] = middle + 0.6 * (pose.keypoints - middle)
    tracks = make_tracks(at(200))
    assert ratio_of(tracks, detect(pose)) > 0


def test_ratio_decreases_with_time_since_observation():
    ratios = []
    for unseen_s in (0.0, 0.1, 0.5, 2.0, 10.0):
        tracks = make_tracks(at(200))
        predict(tracks, unseen_s)
        ratios.append(ratio_of(tracks, detect(at(200)), unseen_s))
    assert (np.diff(ratios) < 0).all()


def test_ratio_of_a_lost_track_decreases_with_time_only():
    tracks, detections = make_tracks(at(200)), detect(at(200))
    fallen = ratio_of(tracks, detections, 3.0) - ratio_of(tracks, detections, 0.0)
    expected = constants._UNSEEN_PRIOR * math.log(1 + 3.0 / constants._UNSEEN_SCALE_S)
    assert fallen == pytest.approx(expected)


def test_uncertain_position_gives_lower_ratio_nearby_and_higher_far_away():
    sure, vague = make_tracks(at(200)), make_tracks(at(200))
    vague.motion.covariances[..., 0] *= 9
    detections = detect(at(200), at(200 + 0.3 * HEIGHT))
    near, far = (ratios_of(sure, detections) - ratios_of(vague, detections))[0]
    assert near == pytest.approx(math.log((9 + 1) / (1 + 1)))
    assert far < 0


def test_standing_person_is_similar_for_any_prediction():
    tracks = make_tracks(at(200))
    tracks.motion.means[..., 0] += 15
    ratios, similarity = score_pairs(tracks, detect(at(200), at(215), at(300)), 0.0, APPEARANCE)
    assert similarity[0, :2] == pytest.approx([1, 1], abs=0.01)
    assert similarity[0, 2] < 0.5
    assert (ratios[0, :2] > 0).all()


def test_similarity_uses_the_last_observation_after_camera_motion():
    tracks = make_tracks(at(200))
    tracks.motion.means[..., 0] += 45  # the filter expects somebody else's place
    tracks.moved_anchors += [30, 0]
    similarity = score_pairs(tracks, detect(at(230)), 0.0, APPEARANCE)[1]
    assert similarity == pytest.approx(1)


@pytest.mark.parametrize(
    ("cosine", "sign"),
    [
        pytest.param(1.0, 1, id="the same"),
        pytest.param(0.95, 1, id="alike"),
        pytest.param(1 - APPEARANCE.typical_distance, 0, id="as often the same as another"),
        pytest.param(0.6, -1, id="different"),
        pytest.param(0.0, -1, id="nothing in common"),
    ],
)
def test_appearance_ratio_by_hand(cosine, sign):
    appearances = [cosine * RED + math.sqrt(1 - cosine**2) * BLUE]
    known, unknown = make_tracks(at(200), appearances=[RED]), make_tracks(at(200))
    detections = detect(at(200), appearances=appearances)
    added = ratio_of(known, detections) - ratio_of(unknown, detections)
    most = APPEARANCE.max_ratio
    distance = max(1 - cosine, 1e-9)
    expected = APPEARANCE.weight * math.log(APPEARANCE.typical_distance / distance)
    assert added == pytest.approx(min(most, max(-most, expected)), abs=1e-6)
    assert (added > 1e-3) - (added < -1e-3) == sign


def mixed(red):
    """Return the appearance whose cosine with RED is `red`."""
    return red * RED + math.sqrt(1 - red**2) * BLUE


@pytest.mark.parametrize(
    ("others", "distances"),
    [
        pytest.param([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], id="distinctive"),
        pytest.param([0.99, 0.98, 0.97], [0.01, 0.02, 0.03], id="everybody looks alike"),
        pytest.param([0.8], [0.2], id="one other person"),
    ],
)
def test_appearance_ratio_depends_on_the_distance_of_other_people_by_hand(others, distances):
    people = make_tracks(*[at(200)] * (1 + len(others)), appearances=[RED, *map(mixed, others)])
    logs = [math.log(APPEARANCE.typical_distance)] * APPEARANCE.prior_people
    logs += [math.log(distance) for distance in distances]
    typical = min(
        math.exp(sum(logs) / len(logs)),
        APPEARANCE.typical_distance * APPEARANCE.max_distinctiveness,
    )
    (ratio,) = APPEARANCE.ratios(people, FIRST, mixed(0.95)[None])
    most = APPEARANCE.max_ratio
    expected = APPEARANCE.weight * math.log(typical / 0.05)
    assert ratio == pytest.approx(min(most, max(-most, expected)))


@pytest.mark.parametrize(
    ("learned", "observed", "appearance_hits"),
    [
        pytest.param(UNKNOWN, RED, 10, id="nothing learned"),
        pytest.param(RED, UNKNOWN, 10, id="nothing observed"),
        pytest.param(UNKNOWN, UNKNOWN, 0, id="neither"),
        pytest.param(RED, BLUE, APPEARANCE.min_hits - 1, id="too little learned"),
    ],
)
def test_unknown_appearance_adds_exactly_nothing(learned, observed, appearance_hits):
    tracks = make_tracks(at(200), appearances=[learned], appearance_hits=appearance_hits)
    detections = detect(at(200), appearances=[observed])
    assert ratio_of(tracks, detections) == ratio_of(make_tracks(at(200)), detect(at(200)))


def test_appearance_without_dimensions_adds_nothing():
    detections = Detections.of(at(200), np.zeros((1, 0)), COCO_17)
    tracks = RobustTracks.born(detections, FIRST, [1], 0.0)
    assert ratio_of(tracks, detections) == ratio_of(make_tracks(at(200)), detect(at(200)))


def test_mean_appearance_is_compared_by_direction():
    one = make_tracks(at(200), appearances=[RED])
    half = make_tracks(at(200), appearances=[0.5 * RED])
    detections = detect(at(200), appearances=[RED])
    assert ratio_of(half, detections) == pytest.approx(ratio_of(one, detections))


@pytest.mark.parametrize(("m", "n"), [(0, 0), (0, 2), (2, 0)], ids="{}".format)
def test_no_people_are_accepted(m, n):
    tracks, detections = make_tracks(*[at(200)] * m), detect(*[at(200)] * n)
    ratios, similarity = score_pairs(tracks, detections, 1.0, APPEARANCE)
    assert ratios.shape == similarity.shape == (m, n)


def position_by_loop(filters, row, measured, scale):
    """Return the log-likelihood of a position under the models of one row of `Motion`."""
    likelihood = 0.0
    noise = (motion._POSITION_NOISE * scale) ** 2
    for probability, mean, covariance in zip(
        filters.probabilities[row], filters.means[row], filters.covariances[row], strict=True
    ):
        dx, dy = measured[0] - mean[0].real, measured[1] - mean[0].imag
        variance = covariance[0] + noise
        density = math.exp(-(dx**2 + dy**2) / (2 * variance)) * scale**2 / variance
        likelihood += probability * density
    return math.log(likelihood) if likelihood > 0 else -math.inf


def size_by_loop(ratio):
    log = math.log(ratio)
    if abs(log) >= constants._SIZE_GATE:
        return -math.inf
    return -min((log / constants._SIZE_SPREAD) ** 2 / 2, constants._SIZE_MOST)


def appearance_by_loop(learned, appearance_hits, observed):
    if appearance_hits < APPEARANCE.min_hits or not any(observed):
        return 0.0
    cosine = sum(learned * observed) / math.sqrt(sum(learned**2))
    ratio = APPEARANCE.typical_distance / max(1 - cosine, 1e-3)
    value = APPEARANCE.weight * math.log(ratio)
    return max(-APPEARANCE.max_ratio, min(APPEARANCE.max_ratio, value))


def similarity_by_loop(tracks, row, pose):
    """Return the mean of OKS and IoU: with the prediction or the last pose, what is greater."""
    base = [0.35 * tracks.scales[row] ** 2 * (2 * sigma) ** 2 for sigma in COCO_17.oks_sigmas]
    expected, last = tracks.motion.positions[row], tracks.moved_anchors[row]
    moved = last - tracks.anchors[row]
    predicted = (
        [offset + expected for offset in tracks.shape.offsets[row]],
        tracks.shape.scores[row],
        [variance + tracks.motion.position_variances[row] for variance in base],
        expected - tracks.anchors[row],
    )
    before = (
        [p + moved for p in tracks.poses.keypoints[row]],
        tracks.poses.keypoint_scores[row],
        base,
        moved,
    )
    values = []
    for keypoints, scores, variances, (dx, dy) in (predicted, before):
        alike = loops.oks(keypoints, scores, pose.keypoints[0], pose.keypoint_scores[0], variances)
        x1, y1, x2, y2 = tracks.poses.boxes[row]
        overlap = loops.box_iou((x1 + dx, y1 + dy, x2 + dx, y2 + dy), pose.boxes[0])
        values.append((alike + overlap) / 2)
    return max(values)


def measured_by_loop(tracks, row, pose):
    total, weights = np.zeros(2), 0.0
    for k in range(17):
        weight = 1.0 if k in COCO_17.torso else 0.3
        weight = weight * tracks.shape.scores[row, k] * pose.keypoint_scores[0, k] + 1e-6
        total += weight * (pose.keypoints[0, k] - tracks.shape.offsets[row, k])
        weights += weight
    return total / weights


def pair_by_loop(tracks, detections, stamp_s, m, n):
    """Return the ratio and the similarity of one pair, in plain numbers."""
    pose, scale = detections.poses[n : n + 1], float(tracks.scales[m])
    similarity = similarity_by_loop(tracks, m, pose)
    measured = measured_by_loop(tracks, m, pose)
    position = position_by_loop(tracks.motion, m, measured, scale)
    if position <= constants._LEAST_POSITION:
        return -math.inf, similarity
    size = max(
        size_by_loop(detections.scales[n] / scale),
        size_by_loop(pose.heights[0] / tracks.poses.heights[m]),
    )
    unseen = (stamp_s - tracks.last_seen_s[m]) / constants._UNSEEN_SCALE_S
    ratio = (
        position
        + size
        + appearance_by_loop(
            tracks.appearances[m], tracks.appearance_hits[m], detections.appearances[n]
        )
        + constants._PRIOR
        + constants._UNSEEN_PRIOR * math.log(1 + unseen)
        + constants._SIMILARITY_WEIGHT * (similarity - 0.5)
    )
    return ratio, similarity


def make_crowd(rng, n):
    poses = together(*(at(*rng.uniform(100, 250, 2), rng.uniform(50, 160)) for _ in range(n)))
    poses.keypoint_scores[:] = rng.random(poses.keypoint_scores.shape)
    poses.keypoints[:] += rng.normal(0, 4, poses.keypoints.shape)
    appearances = rng.random((n, 4)) * (rng.random((n, 1)) < 0.7)
    appearances /= np.maximum(np.linalg.norm(appearances, axis=1, keepdims=True), 1e-9)
    return Detections.of(poses, appearances, COCO_17)


@pytest.mark.parametrize("seed", range(4), ids="seed {}".format)
def test_ratios_equal_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    tracks = RobustTracks.born(make_crowd(rng, 7), np.arange(7), list(range(7)), 0.0)
    tracks.appearances[:] = rng.random((7, 4))
    tracks.appearance_hits[:] = rng.integers(1, 6, 7)
    tracks.motion.probabilities[:] = rng.dirichlet([1, 1], 7)
    tracks.motion.predict(rng.uniform(0, 0.2), tracks.scales, np.arange(7) % 2 == 0)
    tracks.motion.move(np.eye(2), rng.normal(0, 10, 2))
    tracks.motion.means[..., 0] += rng.normal(0, 5, (7, 2))
    tracks.moved_anchors += rng.normal(0, 10, 2)
    tracks.last_seen_s[:] = rng.uniform(0, 2, 7)
    detections = make_crowd(rng, 9)
    ratios, similarity = score_pairs(tracks, detections, 2.5, APPEARANCE)
    assert 5 < np.isfinite(ratios).sum() < 63
    for m, n in np.ndindex(7, 9):
        expected = pair_by_loop(tracks, detections, 2.5, m, n)
        if np.isfinite(ratios[m, n]):
            assert (ratios[m, n], similarity[m, n]) == pytest.approx(expected, abs=1e-7), (m, n)
        else:  # a pair that is not looked at could not be assigned, not even with the bonus
            assert expected[0] < -robust._RECENT_BONUS, (m, n)


GAP_S = 3.0


def after_a_gap(young, *lost, appearance, lost_appearances, gap_s=GAP_S):
    """Return people lost at 0 s and, in the last row, a young track that begins after the gap."""
    tracks = make_tracks(*lost, appearances=lost_appearances)
    predict(tracks, gap_s)
    newborn = make_tracks(young, appearances=[appearance], stamp_s=gap_s)
    newborn.confirmed[:] = False
    return append(tracks, newborn)


@pytest.mark.parametrize(
    ("x", "appearance", "lost_appearances", "expected"),
    [
        pytest.param(220, RED, (RED, BLUE), 0, id="the one of this appearance"),
        pytest.param(220, BLUE, (RED, BLUE), 1, id="the other one"),
        pytest.param(280, RED, (RED, RED), 1, id="the nearer of two alike"),
        pytest.param(220, RED, (BLUE, BLUE), -1, id="nobody has this appearance"),
        pytest.param(220, UNKNOWN, (RED, BLUE), -1, id="a place alone says too little"),
        pytest.param(220, RED, (UNKNOWN, UNKNOWN), -1, id="nobody's appearance is known"),
        pytest.param(99999, RED, (RED, BLUE), -1, id="too far for anybody"),
    ],
)
def test_lost_track_is_reidentified(x, appearance, lost_appearances, expected):
    tracks = after_a_gap(at(x), at(200), at(290), appearance=appearance,
                         lost_appearances=lost_appearances)  # fmt: skip
    assert reidentify(tracks, 2, APPEARANCE) == expected


def test_briefly_lost_track_is_reidentified_by_position_alone():
    tracks = after_a_gap(at(201), at(200), at(500), appearance=UNKNOWN,
                         lost_appearances=(UNKNOWN, UNKNOWN), gap_s=0.2)  # fmt: skip
    assert reidentify(tracks, 2, APPEARANCE) == 0


def test_appearance_counts_by_direction_in_reidentification():
    tracks = after_a_gap(at(220), at(200), appearance=0.4 * RED, lost_appearances=(0.7 * RED,))
    assert reidentify(tracks, 1, APPEARANCE) == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("confirmed", False, id="who was never a person"),
        pytest.param("last_seen_s", GAP_S, id="who was seen when the young track began"),
        pytest.param("last_seen_s", GAP_S + 1, id="who was seen later"),
    ],
)
def test_dissimilar_track_is_not_reidentified(column, value):
    tracks = after_a_gap(at(200), at(200), appearance=RED, lost_appearances=(RED,))
    assert reidentify(tracks, 1, APPEARANCE) == 0
    getattr(tracks, column)[0] = value
    assert reidentify(tracks, 1, APPEARANCE) == -1


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        pytest.param("scales", 1, 3 * HEIGHT, id="the young one is three times as tall"),
        pytest.param("last_seen_s", 0, -1e4, id="unseen for hours"),
    ],
)
def test_size_and_appearance_prevent_reidentification_at_the_same_position(column, row, value):
    tracks = after_a_gap(at(200), at(200), appearance=UNKNOWN, lost_appearances=(UNKNOWN,),
                         gap_s=0.4)  # fmt: skip
    assert reidentify(tracks, 1, APPEARANCE) == 0
    getattr(tracks, column)[row] = value
    assert reidentify(tracks, 1, APPEARANCE) == -1


def test_no_reidentification_without_lost_tracks():
    tracks = make_tracks(at(200))
    tracks.confirmed[:] = False
    assert reidentify(tracks, 0, APPEARANCE) == -1
