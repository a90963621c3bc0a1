"""Evidence that a pose is somebody, and the people it is about."""

import math

import loops
import numpy as np
import pytest
from people import make_person, together

from poseflow_ros.skeleton import COCO_17
from poseflow_ros.tracking import evidence as constants
from poseflow_ros.tracking import motion
from poseflow_ros.tracking.evidence import compare, recognise
from poseflow_ros.tracking.people import People, Sight
from poseflow_ros.tracking.tracks import append

pytestmark = pytest.mark.filterwarnings("error")

RED, BLUE, UNKNOWN = np.eye(4)[0], np.eye(4)[1], np.zeros(4)
HEIGHT = 100.0
FIRST = np.zeros(1, np.int64)
# From the middle of the shoulders and hips of people.make_person to the top, in heights.
ANCHOR = 0.36


def sight_of(*people, looks=None):
    looks = [UNKNOWN] * len(people) if looks is None else looks
    return Sight.of(together(*people), np.array(looks).reshape(-1, 4))


def people_of(*people, looks=None, first_id=1, stamp_s=0.0, sights=10):
    """Return confirmed people, last seen at `stamp_s`, whose looks were learned from `sights`."""
    sight = sight_of(*people, looks=looks)
    columns = np.arange(len(people))
    table = People.born(sight, columns, (columns + first_id).tolist(), stamp_s)
    table.appearances[:] = sight.appearances
    table.appearance_hits[:] = sights * sight.appearances.any(axis=1)
    table.confirmed[:] = True
    return table


def at(x, y=100, height=HEIGHT):
    return make_person(x, y, height)


def told(people, sight, stamp_s=0.0):
    return compare(people, sight, stamp_s)[0]


def test_evidence_for_somebody_standing_where_they_were_by_hand():
    evidence, likeness = compare(people_of(at(200)), sight_of(at(200)), 0.0)
    assert likeness == pytest.approx(1)
    # Both positions are as vague as a measured one; nothing is known of the looks.
    position = -math.log(2 * motion._POSITION_NOISE**2)
    assert evidence == pytest.approx(position + constants._PRIOR + constants._BODY_WEIGHT / 2)
    assert evidence > 1


def test_evidence_falls_with_distance_until_it_is_none_at_all():
    spread = math.sqrt(2) * motion._POSITION_NOISE * HEIGHT
    gate = math.sqrt(constants._GATE) * spread
    steps = [0, 0.2, 1, 2, 3, 0.999 * gate / spread, 1.001 * gate / spread, 30]
    for dx, dy in ((1, 0), (0, -1), (-0.6, 0.8)):
        poses = [at(300 + s * spread * dx, 300 + s * spread * dy) for s in steps]
        (evidence,) = told(people_of(at(300, 300)), sight_of(*poses))
        assert (np.diff(evidence[:6]) < 0).all()
        assert evidence[6:].tolist() == [-np.inf] * 2


def test_evidence_falls_with_another_height_until_it_is_none_at_all():
    def grown(factor):  # with the torso's middle where it was
        return at(300, 300 - ANCHOR * HEIGHT * (factor - 1), factor * HEIGHT)

    gate = math.exp(constants._HEIGHT_GATE)
    person = people_of(grown(1))
    for factors in ([1, 1.1, 1.3, 1.6], [1, 1 / 1.1, 1 / 1.3, 1 / 1.6]):
        (evidence,) = told(person, sight_of(*map(grown, factors)))
        assert (np.diff(evidence) < 0).all()
    (evidence,) = told(person, sight_of(*map(grown, (0.99 * gate, 1.01 * gate, 0.99 / gate))))
    assert np.isfinite(evidence).tolist() == [True, False, False]


def test_evidence_falls_with_time_unseen():
    evidence = []
    for unseen_s in (0.0, 0.1, 0.5, 2.0, 10.0):
        people = people_of(at(200))
        people.motion.predict(unseen_s, people.heights)
        evidence.append(told(people, sight_of(at(200)), unseen_s)[0, 0])
    assert (np.diff(evidence) < 0).all()


def test_the_time_alone_speaks_against_whoever_was_unseen():
    people, sight = people_of(at(200)), sight_of(at(200))
    fallen = told(people, sight, 3.0) - told(people, sight, 0.0)
    assert fallen == pytest.approx(
        constants._UNSEEN_PRIOR * math.log(1 + 3.0 / constants._UNSEEN_SCALE_S)
    )


def test_a_vague_position_tells_less_nearby_and_more_far_off():
    sure, vague = people_of(at(200)), people_of(at(200))
    vague.motion.position_variances *= 9
    poses = sight_of(at(200), at(200 + 0.35 * HEIGHT))
    near, far = told(sure, poses)[0] - told(vague, poses)[0]
    assert near == pytest.approx(math.log((9 + 1) / (1 + 1)))
    assert far < 0


@pytest.mark.parametrize(
    ("cosine", "sign"),
    [
        pytest.param(1.0, 1, id="the same"),
        pytest.param(0.95, 1, id="alike"),
        pytest.param(1 - constants._APPEARANCE_DIFFERENT, 0, id="as often the same as another"),
        pytest.param(0.6, -1, id="different"),
        pytest.param(0.0, -1, id="nothing in common"),
    ],
)
def test_what_looks_say_by_hand(cosine, sign):
    looks = [cosine * RED + math.sqrt(1 - cosine**2) * BLUE]
    known, unknown = people_of(at(200), looks=[RED]), people_of(at(200))
    sight = sight_of(at(200), looks=looks)
    said = float((told(known, sight) - told(unknown, sight))[0, 0])
    most = constants._APPEARANCE_MOST
    unlike = max(1 - cosine, 1e-9)
    by_hand = constants._APPEARANCE_WEIGHT * math.log(constants._APPEARANCE_DIFFERENT / unlike)
    assert said == pytest.approx(min(most, max(-most, by_hand)), abs=1e-6)
    assert (said > 1e-3) - (said < -1e-3) == sign


@pytest.mark.parametrize(
    ("learned", "seen", "sights"),
    [
        pytest.param(UNKNOWN, RED, 10, id="nothing learned"),
        pytest.param(RED, UNKNOWN, 10, id="nothing seen"),
        pytest.param(UNKNOWN, UNKNOWN, 0, id="neither"),
        pytest.param(RED, BLUE, constants._APPEARANCE_HITS - 1, id="too little learned"),
    ],
)
def test_unknown_looks_say_exactly_nothing(learned, seen, sights):
    people = people_of(at(200), looks=[learned], sights=sights)
    without = people_of(at(200))
    assert told(people, sight_of(at(200), looks=[seen])) == told(without, sight_of(at(200)))


def test_looks_without_dimensions_say_nothing():
    sight = Sight.of(at(200), np.zeros((1, 0)))
    people = People.born(sight, FIRST, [1], 0.0)
    assert told(people, sight) == told(people_of(at(200)), sight_of(at(200)))


def test_what_was_learned_of_mixed_looks_counts_by_its_direction():
    one, half = people_of(at(200), looks=[RED]), people_of(at(200), looks=[0.5 * RED])
    sight = sight_of(at(200), looks=[RED])
    assert told(half, sight) == pytest.approx(told(one, sight))


@pytest.mark.parametrize(("m", "n"), [(0, 0), (0, 2), (2, 0)], ids="{}".format)
def test_nobody_is_no_error(m, n):
    people, sight = people_of(*[at(200)] * m), sight_of(*[at(200)] * n)
    evidence, likeness = compare(people, sight, 1.0)
    assert evidence.shape == likeness.shape == (m, n)


def by_loop(people, sight, stamp_s, m, n):
    """Return the evidence and the likeness of one pair, in plain numbers."""
    height, other = float(people.heights[m]), float(sight.heights[n])
    noise = (motion._POSITION_NOISE * height) ** 2
    variance = float(people.motion.position_variances[m]) + noise
    expected, anchor = people.motion.positions[m], sight.anchors[n]
    squared = (anchor[0] - expected[0]) ** 2 + (anchor[1] - expected[1]) ** 2
    growth = math.log(other / height)
    if squared / variance >= constants._GATE or abs(growth) >= constants._HEIGHT_GATE:
        return -math.inf, 0.0
    moved = expected - people.anchors[m]
    spreads = [0.35 * height**2 * (2 * sigma) ** 2 + people.motion.position_variances[m]
               for sigma in COCO_17.oks_sigmas]  # fmt: skip
    pose, other_pose = people.poses[m : m + 1], sight.poses[n : n + 1]
    likeness = 0.5 * loops.oks(
        [p + moved for p in pose.keypoints[0]],
        pose.keypoint_scores[0],
        other_pose.keypoints[0],
        other_pose.keypoint_scores[0],
        spreads,
    )
    x1, y1, x2, y2 = pose.boxes[0]
    box = (x1 + moved[0], y1 + moved[1], x2 + moved[0], y2 + moved[1])
    likeness += 0.5 * loops.box_iou(box, other_pose.boxes[0])
    looks = 0.0
    if people.appearance_hits[m] >= constants._APPEARANCE_HITS and any(sight.appearances[n]):
        learned = people.appearances[m]
        cosine = sum(learned * sight.appearances[n]) / math.sqrt(sum(learned**2))
        looks = constants._APPEARANCE_WEIGHT * math.log(
            constants._APPEARANCE_DIFFERENT / max(1 - cosine, 1e-3)
        )
        looks = max(-constants._APPEARANCE_MOST, min(constants._APPEARANCE_MOST, looks))
    unseen = (stamp_s - people.last_seen_s[m]) / constants._UNSEEN_SCALE_S
    evidence = (
        -squared / variance / 2
        - math.log(variance / height**2)
        - min((growth / constants._HEIGHT_SPREAD) ** 2 / 2, constants._HEIGHT_MOST)
        + looks
        + constants._PRIOR
        + constants._UNSEEN_PRIOR * math.log(1 + unseen)
        + constants._BODY_WEIGHT * (likeness - 0.5)
    )
    return evidence, likeness


@pytest.mark.parametrize("seed", range(8), ids="seed {}".format)
def test_a_loop_says_the_same_of_a_crowd(seed):
    rng = np.random.default_rng(seed)

    def crowd(n):
        poses = together(*(at(*rng.uniform(100, 300, 2), rng.uniform(60, 160)) for _ in range(n)))
        poses.keypoint_scores[:] = rng.random(poses.keypoint_scores.shape)
        poses.keypoints[:] += rng.normal(0, 4, poses.keypoints.shape)
        looks = rng.random((n, 4)) * (rng.random((n, 1)) < 0.7)
        looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-9)
        return Sight.of(poses, looks)

    people = People.born(crowd(7), np.arange(7), list(range(7)), 0.0)
    people.appearances[:] = rng.random((7, 4))
    people.appearance_hits[:] = rng.integers(1, 6, 7)
    people.last_seen_s[:] = rng.uniform(0, 2, 7)
    people.motion.predict(rng.uniform(0, 0.5), people.heights)
    people.motion.move(np.eye(2), rng.normal(0, 10, 2))
    sight = crowd(9)
    evidence, likeness = compare(people, sight, 2.5)
    assert 5 < np.isfinite(evidence).sum() < 63
    for m, n in np.ndindex(7, 9):
        expected = by_loop(people, sight, 2.5, m, n)
        assert (evidence[m, n], likeness[m, n]) == pytest.approx(expected, abs=1e-7), (m, n)


GAP_S = 5.0


def after_a_gap(young, *lost, looks, lost_looks, gap_s=GAP_S):
    """Return people lost at 0 s and, in the last row, a young track that begins after the gap."""
    people = people_of(*lost, looks=lost_looks)
    people.motion.predict(gap_s, people.heights)
    newborn = people_of(young, looks=[looks], stamp_s=gap_s)
    newborn.confirmed[:] = False
    return append(people, newborn)


@pytest.mark.parametrize(
    ("x", "looks", "lost_looks", "expected"),
    [
        pytest.param(220, RED, (RED, BLUE), 0, id="the one who looks so"),
        pytest.param(220, BLUE, (RED, BLUE), 1, id="the other one"),
        pytest.param(280, RED, (RED, RED), 1, id="the nearer of two who look alike"),
        pytest.param(220, RED, (BLUE, BLUE), -1, id="nobody looks so"),
        pytest.param(220, UNKNOWN, (RED, BLUE), -1, id="a place alone is poor evidence"),
        pytest.param(220, RED, (UNKNOWN, UNKNOWN), -1, id="nobody's looks are known"),
        pytest.param(99999, RED, (RED, BLUE), -1, id="too far for anybody"),
    ],
)
def test_who_is_recognised(x, looks, lost_looks, expected):
    people = after_a_gap(at(x), at(200), at(290), looks=looks, lost_looks=lost_looks)
    assert recognise(people, 2) == expected


def test_somebody_unseen_for_a_moment_is_recognised_by_the_place_alone():
    people = after_a_gap(
        at(201), at(200), at(500), looks=UNKNOWN, lost_looks=(UNKNOWN, UNKNOWN), gap_s=0.2
    )
    assert recognise(people, 2) == 0


def test_looks_count_by_direction_in_recognition():
    people = after_a_gap(at(220), at(200), looks=0.4 * RED, lost_looks=(0.7 * RED,))
    assert recognise(people, 1) == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("confirmed", False, id="who was never a person"),
        pytest.param("last_seen_s", GAP_S, id="who was seen when the young track began"),
        pytest.param("last_seen_s", GAP_S + 1, id="who was seen later"),
    ],
)
def test_who_is_not_recognised(column, value):
    people = after_a_gap(at(200), at(200), looks=RED, lost_looks=(RED,), gap_s=GAP_S)
    assert recognise(people, 1) == 0
    getattr(people, column)[0] = value
    assert recognise(people, 1) == -1


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        pytest.param("heights", 1, 3 * HEIGHT, id="the young one is three times as tall"),
        pytest.param("last_seen_s", 0, -1e4, id="unseen for hours"),
    ],
)
def test_what_speaks_against_a_place_that_fits(column, row, value):
    looks = {"looks": UNKNOWN, "lost_looks": (UNKNOWN,)}
    people = after_a_gap(at(200), at(200), **looks, gap_s=0.4)
    assert recognise(people, 1) == 0
    getattr(people, column)[row] = value
    assert recognise(people, 1) == -1


def test_nobody_lost_is_nobody_recognised():
    people = people_of(at(200))
    people.confirmed[:] = False
    assert recognise(people, 0) == -1


def test_an_anchor_is_the_middle_of_the_torso_as_far_as_it_is_seen():
    pose = at(200)
    pose.keypoints[0, [5, 6, 11, 12]] = [[0, 0], [40, 0], [0, 100], [40, 100]]
    assert sight_of(pose).anchors == pytest.approx(np.array([[20, 50]]))
    pose.keypoint_scores[0, [5, 6, 11, 12]] = 0
    assert sight_of(pose).anchors == pytest.approx(np.array([[20, 50]]))
    pose.keypoint_scores[0, [6, 12]] = 0.9  # the right side alone
    assert sight_of(pose).anchors == pytest.approx(np.array([[40, 50]]), abs=0.1)


def test_what_a_frame_shows_of_people():
    sight = sight_of(at(200), at(210, 100, 200), looks=[RED, BLUE])
    assert sight.heights.tolist() == [100, 200]
    assert sight.confidences == pytest.approx([0.85, 0.85])  # half 0.9, half 0.8
    # 40 x 100 in 80 x 200, 30 px of the width: x from 180 to 220 and from 170 to 250.
    assert sight.overlaps == pytest.approx(np.array([[0, 0.25], [0.25, 0]]))
    assert sight.alone.tolist() == [False, False]


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        pytest.param(400, True, id="apart"),
        pytest.param(230, True, id="10 of 70 px overlap"),
        pytest.param(226, False, id="14 of 66 px overlap"),
    ],
)
def test_alone_is_whom_nobody_overlaps_by_a_fifth(x, expected):
    assert sight_of(at(200), at(x)).alone.tolist() == [expected, expected]
    assert sight_of(at(x)).alone.tolist() == [True]
    assert sight_of().alone.shape == (0,)


def raised(pose, dx):
    """Return the pose with the same box, and all of the body's keypoints `dx` pixels off."""
    pose.keypoints[..., 0] += dx
    return pose


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(at(203, 101), True, id="found twice"),
        pytest.param(at(200, 100, 130), True, id="the same box, larger"),
        pytest.param(raised(at(225), -24), True, id="another box, the same keypoints"),
        pytest.param(raised(at(225), -19), True, id="another box, the keypoints 6 px off"),
        pytest.param(raised(at(225), 10), False, id="somebody beside"),
        pytest.param(at(400), False, id="somebody elsewhere"),
        pytest.param(raised(at(400), -200), False, id="the same keypoints, a box elsewhere"),
    ],
)
def test_duplicates(other, expected):
    sight = sight_of(at(200), other)
    assert sight.duplicates.tolist() == [[False, expected], [expected, False]]


@pytest.mark.parametrize("seed", range(5), ids="seed {}".format)
def test_a_duplicate_is_one_of_the_other(seed):
    rng = np.random.default_rng(seed)
    crowd = [at(*rng.uniform(100, 160, 2), rng.uniform(60, 160)) for _ in range(20)]
    duplicates = sight_of(*crowd).duplicates
    assert not duplicates.diagonal().any()
    assert 0 < duplicates.sum() < 380
    np.testing.assert_array_equal(duplicates, duplicates.T)


def test_newborn_people():
    sight = sight_of(at(100), at(300), at(320), at(600), looks=[RED, RED, BLUE, UNKNOWN])
    people = People.born(sight, np.array([0, 2, 3]), [7, 8, 9], 4.0)
    assert len(people) == 3
    assert people.track_ids.tolist() == [7, 8, 9]
    assert people.first_seen_s.tolist() == people.last_seen_s.tolist() == [4, 4, 4]
    assert people.hits.tolist() == [1, 1, 1]
    assert people.match_scores.tolist() == [0, 0, 0]
    assert not people.confirmed.any()
    assert people.seen_as.tolist() == [0, 2, 3]
    assert people.evidence == pytest.approx([0.6, 0.6, 0.6])
    np.testing.assert_allclose(people.motion.positions[:, 0], [100, 320, 600])
    # Of the second somebody is in the way, of the third nothing is known.
    np.testing.assert_array_equal(people.appearances, [RED, UNKNOWN, UNKNOWN])
    assert people.appearance_hits.tolist() == [1, 0, 0]
    people.anchors[:] = people.heights[:] = people.poses.boxes[:] = 0
    assert sight.anchors.all()
    assert sight.heights.all()
    assert sight.poses.boxes.all()
    assert people.motion.positions.all()


def hit(people, sight, rows, columns, stamp_s=1.0):
    rows, columns = np.array(rows), np.array(columns)
    people.hit(rows, columns, np.full(len(rows), 0.7), sight, stamp_s)


def test_a_hit_is_taken_in_by_the_people_hit():
    people = people_of(at(100), at(300), at(500))
    sight = sight_of(at(504, 96), at(104, 100, 120))
    half_life_s = 0.3 * math.log(2)
    hit(people, sight, [0, 2], [1, 0], half_life_s)
    assert people.hits.tolist() == [2, 1, 2]
    assert people.last_seen_s.tolist() == [half_life_s, 0, half_life_s]
    assert people.match_scores.tolist() == [0.7, 0, 0.7]
    assert people.seen_as.tolist() == [1, 1, 0]  # born as the second pose, and not hit
    assert people.evidence == pytest.approx([1.2, 0.6, 1.2])
    assert people.heights == pytest.approx([100 + 20 / 2, 100, 100])
    np.testing.assert_array_equal(people.anchors[[0, 2]], sight.anchors[[1, 0]])
    np.testing.assert_array_equal(people.poses.boxes[2], sight.poses.boxes[0])
    # Two positions equally sure: half way.
    np.testing.assert_allclose(people.motion.positions[[1, 2]], [[300, 136], [502, 134]])


def test_one_of_two_poses_of_a_person_is_no_evidence_for_a_second():
    people = people_of(at(100), at(102), at(300))
    hit(people, sight_of(at(102), at(100), at(300), at(302)), [0, 1, 2], [1, 0, 2])
    assert people.evidence == pytest.approx([1.2, 0.6, 1.2])


def test_a_pose_is_evidence_by_how_far_its_confidence_is_beyond_doubt():
    # Half of these and half of the keypoints' 0.8, less 0.25.
    people = [make_person(100 * i, 100, 50, score) for i, score in enumerate((1.0, 0.5, 0.1))]
    assert sight_of(*people).evidence == pytest.approx([0.65, 0.4, 0.2])
    weak = make_person(0, 0, 50, 0.1)
    weak.keypoint_scores[:] = 0.3
    assert sight_of(weak).evidence.tolist() == [0]


@pytest.mark.parametrize(
    ("others", "looks", "expected"),
    [
        pytest.param([], BLUE, (0.75, 0.25), id="alone"),
        pytest.param([at(400)], BLUE, (0.75, 0.25), id="with somebody elsewhere"),
        pytest.param([at(220)], BLUE, (1, 0), id="with somebody in the way"),
        pytest.param([], UNKNOWN, (1, 0), id="of unknown looks"),
    ],
)
def test_looks_are_learned_where_nobody_overlaps(others, looks, expected):
    people = people_of(at(200), looks=[RED], sights=3)
    hit(people, sight_of(at(200), *others, looks=[looks] + [RED] * len(others)), [0], [0])
    assert people.appearances[0] == pytest.approx(np.array([*expected, 0, 0]))
    assert people.appearance_hits.tolist() == [3 + (expected[1] > 0)]


def test_looks_are_the_mean_of_all_sights_at_first_and_then_fade():
    people = People.born(sight_of(at(200), looks=[RED]), FIRST, [1], 0.0)
    for looks in [RED] * 8 + [BLUE]:
        hit(people, sight_of(at(200), looks=[looks]), [0], [0])
    np.testing.assert_allclose(people.appearances[0], [0.9, 0.1, 0, 0])
    for _ in range(200):
        hit(people, sight_of(at(200), looks=[BLUE]), [0], [0])
    assert people.appearance_hits.tolist() == [30]
    assert people.appearances[0, 1] > 0.99


def test_a_person_who_is_found_again_goes_on_as_who_they_were():
    lost = people_of(at(100), looks=[RED], first_id=4, stamp_s=1.0, sights=6)
    others = people_of(at(300), first_id=5, stamp_s=2.0)
    young = people_of(at(150), looks=[BLUE], first_id=6, stamp_s=9.0, sights=2)
    people = append(append(others, lost), young)
    people.hits[:] = 3, 20, 4
    people.evidence[:] = 1, 15, 2.5
    people.states[:] = 1, 2, 0
    people.seen_as[:] = 0, -1, 1
    people.join(1, 2)
    assert people.track_ids.tolist()[:2] == [5, 4]
    assert people.first_seen_s.tolist()[:2] == [2, 1]
    assert people.last_seen_s.tolist()[:2] == [2, 9]
    assert people.hits.tolist()[:2] == [3, 24]
    assert people.evidence.tolist()[:2] == [1, 17.5]
    assert people.seen_as.tolist() == [0, 1, -1]
    np.testing.assert_allclose(people.appearances[1], [0.75, 0.25, 0, 0])
    assert people.appearance_hits.tolist()[:2] == [0, 8]
    np.testing.assert_allclose(people.motion.positions[:, 0], [300, 150, 150])
    np.testing.assert_array_equal(people.poses.boxes[1], at(150).boxes[0])
    people.motion.positions[2] = 0
    assert people.motion.positions[1].all()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(0, 0, (0, 0, 0), id="nothing learned of either"),
        pytest.param(0, 3, (0, 1, 3), id="of the young one alone"),
        pytest.param(30, 20, (0.6, 0.4, 30), id="no more sights than are counted"),
    ],
)
def test_looks_of_those_joined(old, new, expected):
    lost = people_of(at(100), looks=[RED], sights=old)
    young = people_of(at(100), looks=[BLUE], stamp_s=1.0, sights=new)
    people = append(lost, young)
    people.join(0, 1)
    assert [*people.appearances[0, :2], people.appearance_hits[0]] == pytest.approx(expected)
