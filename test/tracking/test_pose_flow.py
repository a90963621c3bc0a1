"""Pose flows: the paper's formulas by hand, and as plain loops say on random input."""

import math
import warnings

import loops
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import make_person, together

from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.pose_flow import (
    FlowSuppression,
    build_flow,
    pose_distances,
    pose_scores,
)

HEIGHT = 200
DT_S = 0.1


def person(x=0.0, score=0.9, keypoint_score=0.8):
    """Return somebody `x` heights to the right of the middle, everything equally sure."""
    pose = make_person(500 + x * HEIGHT, 100, HEIGHT, score)
    pose.keypoint_scores[:] = keypoint_score
    return pose


@pytest.mark.parametrize(
    ("score", "keypoint_scores", "expected"),
    [
        pytest.param(0.9, [0.2, 0.4, 0.9], 0.9 + 0.5 + 0.9, id="box, mean and best"),
        pytest.param(1.0, [1.0, 1.0, 1.0], 3, id="sure of everything"),
        pytest.param(0.0, [0.0, 0.0, 0.0], 0, id="sure of nothing"),
        pytest.param(0.0, [0.0, 0.0, 0.6], 0 + 0.2 + 0.6, id="one keypoint alone"),
    ],
)
def test_pose_scores_by_hand(score, keypoint_scores, expected):
    pose = Poses(np.zeros((1, 3, 2)), [keypoint_scores], np.zeros((1, 4)), [score])
    assert pose_scores(pose, COCO_17) == pytest.approx([expected])


# A keypoint's box reaches 0.05 heights to each side; at 0 distance every keypoint counts 1 in H.
SURE = math.tanh(0.8 / 0.3) ** 2
HIP = math.exp(-(0.04**2) / (2 * 0.35 * 0.214**2))


def moved(keypoints, x=0.0, y=0.0, score=0.8):
    """Return somebody with some keypoints moved by heights, the others moved far away."""
    pose = person(keypoint_score=score)
    far = np.setdiff1d(np.arange(17), keypoints)
    pose.keypoints[0, far] += 50 * HEIGHT
    pose.keypoints[0, keypoints] += np.array([x, y]) * HEIGHT
    return pose


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(person(), 1 / (17 * SURE) + 1 / 17, id="the same pose"),
        pytest.param(
            person(keypoint_score=0.15),
            1 / (17 * math.tanh(0.8 / 0.3) * math.tanh(0.5)) + 1 / 17,
            id="the same, less sure",
        ),
        pytest.param(moved([11]), 1 / SURE + 1, id="one keypoint alone"),
        pytest.param(moved([11, 12]), 1 / (2 * SURE) + 1 / 2, id="two keypoints"),
        pytest.param(moved([11], x=0.04), 1 / SURE + 1 / HIP, id="a hip within its box"),
        pytest.param(moved([11], y=-0.04), 1 / SURE + 1 / HIP, id="upwards as to the right"),
        pytest.param(moved([11], x=0.051), math.inf, id="a hip outside its box"),
        pytest.param(moved([11], y=0.051), math.inf, id="outside in y alone"),
        pytest.param(person(0.3), math.inf, id="nothing falls together"),
        pytest.param(person(20), math.inf, id="too far for numbers to be near"),
        pytest.param(person(keypoint_score=0.0), math.inf, id="the other is sure of nothing"),
    ],
)
def test_pose_distances_by_hand(other, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pose_distances(person(), other, COCO_17) == pytest.approx([expected])


@pytest.mark.parametrize("heights", [4.5, 4.6, 4.7, 4.8, 4.9])
def test_very_distant_poses_have_infinite_distance_without_warning(heights):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pose_distances(person(), person(heights), COCO_17).tolist() == [math.inf]


def test_pose_distances_without_people():
    assert pose_distances(Poses.empty(17), Poses.empty(17), COCO_17).shape == (0,)


def random_poses(rng, n, spread):
    """Return n poses, their keypoints `spread` heights around somebody standing."""
    keypoints = person().keypoints + rng.normal(0, spread * HEIGHT, (n, 17, 2))
    boxes = (
        np.array([400.0, 100, 600, 0])
        + rng.uniform(150, 250, (n, 1)) * [0, 0, 0, 1]
        + [*(0, 0, 0, 100)]
    )
    return Poses(keypoints, rng.uniform(0, 1, (n, 17)), boxes, rng.uniform(0, 1, n))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 6), spread=st.sampled_from([0.01, 0.04, 0.1]), seed=st.integers(0, 999))
def test_pose_distances_equal_those_of_loops(n, spread, seed):
    rng = np.random.default_rng(seed)
    a, b = random_poses(rng, n, spread), random_poses(rng, n, spread)
    expected = [loops.pose_distance(a[i : i + 1], b[i : i + 1]) for i in range(n)]
    np.testing.assert_allclose(pose_distances(a, b, COCO_17), expected)


def flow(steps, start=None, wait_s=DT_S):
    return build_flow(start or person(), steps, [wait_s] * len(steps), COCO_17)


def test_a_flow_follows_one_person():
    steps = [together(person(3), person(0.05 * i)) for i in (1, 2, 3)]
    assert flow(steps) == [1, 1, 1]


# Standing within 0.8 heights a second all the time; where not said otherwise a pose adds 2.5.
NOBODY = together()
WEAK, TOO_WEAK = person(0.0, 0.3, 0.3001), person(0.0, 0.3, 0.2999)  # 0.9002 and 0.8998


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([], [], id="nothing to go on to"),
        pytest.param([NOBODY], [], id="nobody"),
        pytest.param([person(), NOBODY, person()], [0], id="a frame without anybody ends it"),
        pytest.param([person(), person(9), person()], [0], id="somebody far away ends it"),
        pytest.param([NOBODY, person()], [], id="nobody at once"),
        pytest.param([person(), WEAK, person()], [0, 0, 0], id="a weak pose that adds enough"),
        pytest.param([person(), TOO_WEAK, person()], [0], id="one that adds too little ends it"),
        pytest.param([TOO_WEAK], [], id="a pose too weak at once"),
        pytest.param([together(TOO_WEAK, WEAK)], [1], id="of two weak ones the one that counts"),
        pytest.param([together(WEAK, person())], [1], id="the better of two"),
    ],
)
def test_flow_ends_at_dissimilar_or_weak_poses(steps, expected):
    assert flow(steps) == expected


@pytest.mark.parametrize(
    ("offset", "wait_s", "expected"),
    [
        pytest.param(0.3, 0.1, [], id="a third of a height in a tenth of a second"),
        pytest.param(0.3, 0.5, [0], id="in half a second"),
        pytest.param(0.0, 0.0, [0], id="standing, at the same time"),
        pytest.param(0.3, 0.0, [], id="elsewhere at the same time"),
        pytest.param(3.0, 1.0, [], id="three heights in a second"),
    ],
)
def test_flow_is_limited_by_walking_speed(offset, wait_s, expected):
    assert flow([person(offset)], wait_s=wait_s) == expected
    assert flow([person(-offset)], wait_s=wait_s) == expected


def test_each_step_has_its_own_interval():
    steps = [person(0.3), person(0.6)]
    assert build_flow(person(), steps, [0.5, 0.5], COCO_17) == [0, 0]
    assert build_flow(person(), steps, [0.5, 0.01], COCO_17) == [0]
    assert build_flow(person(), steps, [0.01, 0.5], COCO_17) == []


def test_flow_maximizes_the_sum_and_is_not_greedy():
    # To the left a sure pose (2.9) and a weak one (0.96), to the right 2.5 and 2.5.
    left = [person(-0.1, 1.0, 0.95), person(-0.2, 0.32, 0.32)]
    right = [person(0.1), person(0.2)]
    steps = [together(*people) for people in zip(left, right, strict=True)]
    assert flow(steps, wait_s=0.15) == [1, 1]
    assert flow(steps[:1], wait_s=0.15) == [0]


def test_good_pose_is_not_replaced_by_several_weak_ones():
    # On the left one pose of 2.9 and then nobody, on the right 0.96 and 0.96.
    weak = [person(0.3, 0.32, 0.32), person(0.5, 0.32, 0.32)]
    steps = [together(person(-0.3, 1.0, 0.95), weak[0]), weak[1]]
    assert flow(steps, wait_s=0.5) == [0]
    assert flow([weak[0], weak[1]], wait_s=0.5) == [0, 0]


SCORES = [0.2, 0.36, 1.0]  # sums below, just above and well above the least gain


@settings(max_examples=150, deadline=None)
@given(
    counts=st.lists(st.integers(0, 3), min_size=0, max_size=4),
    spread=st.sampled_from([0.05, 0.2, 0.5]),
    backward=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_flow_has_the_maximum_sum(counts, spread, backward, seed):
    rng = np.random.default_rng(seed)
    steps = [
        together(*(person(rng.normal(0, spread), *rng.choice(SCORES, 2)) for _ in range(n)))
        for n in counts
    ]
    waits_s = rng.choice([0.0, 0.05, 0.1, 0.3], len(steps)).tolist()
    if backward:
        steps, waits_s = steps[::-1], waits_s[::-1]
    start = person()
    found = build_flow(start, steps, waits_s, COCO_17)
    assert loops.is_flow(start, steps, waits_s, found)
    expected = loops.best_flow_score(start, steps, waits_s)
    assert loops.flow_score(steps, found) == pytest.approx(expected)


# Two flows of one person, HERE twice, and of two people.
HERE, ALMOST, BESIDE = person(), person(0.03), person(0.15)


def meet(flows, people, hits, track_ids=(1, 2), remembered=(1, 2), independence=1.0):
    """Return the result of flow NMS for one frame."""
    detections = Detections.of(together(*people), np.zeros((len(people), 0)), COCO_17)
    return flows.update(
        np.array(track_ids[: len(people)], np.int64),
        np.array(hits[: len(people)], np.float64),
        independence,
        detections.coincident,
        np.array(remembered, np.int64),
    )


# The other flow was there for so many frames before, without the first near it.
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param(0, 3, id="both new: the least number of frames"),
        pytest.param(2, 3, id="three of five frames are more than half"),
        pytest.param(3, 4, id="three of six are not"),
        pytest.param(9, 10, id="ten of nineteen"),
    ],
)
def test_two_flows_of_one_person_are_found_if_most_frames_agree(before, expected):
    flows = FlowSuppression()
    found = [meet(flows, [HERE, ALMOST], [40 + n, before + n]) for n in range(1, expected + 1)]
    assert found == [[]] * (expected - 1) + [[(0, 1)]]


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        pytest.param([9, 4], (0, 1), id="the longer is the first"),
        pytest.param([4, 9], (1, 0), id="the longer is the second"),
        pytest.param([4, 4], (0, 1), id="both alike: the first"),
    ],
)
def test_longer_flow_is_first_in_the_pair(hits, expected):
    flows = FlowSuppression()
    assert [meet(flows, [HERE, ALMOST], hits) for _ in range(3)] == [[], [], [expected]]


def test_counts_do_not_depend_on_which_flow_is_longer():
    flows = FlowSuppression()
    assert meet(flows, [HERE, ALMOST], [3, 2]) == []
    assert meet(flows, [HERE, ALMOST], [4, 3]) == []
    # The second alone for two frames.
    assert meet(flows, [HERE, ALMOST], [5, 6]) == [(1, 0)]


def test_dependent_frames_have_lower_weight():
    flows = FlowSuppression()
    # At 40 fps a frame counts for a quarter, of both flows' observations, too.
    hits = 1 + 0.25 * np.arange(1, 13)
    found = [meet(flows, [HERE, ALMOST], [n, n], independence=0.25) for n in hits]
    assert found == [[]] * 11 + [[(0, 1)]]


def test_brief_coincidence_of_two_long_flows_is_not_one_person():
    flows = FlowSuppression()
    for n in range(20):
        assert meet(flows, [HERE, ALMOST], [30 + n, 25 + n]) == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(BESIDE, id="side by side, the boxes overlapping"),
        pytest.param(make_person(510, 175, 140), id="one before the other"),
        pytest.param(person(9), id="far apart"),
    ],
)
def test_two_people_are_never_merged(other):
    flows = FlowSuppression()
    for n in range(1, 40):
        assert meet(flows, [HERE, other], [n, n]) == []


def test_pairs_of_three_flows_are_counted_separately():
    flows = FlowSuppression()
    people, ids = [BESIDE, HERE, ALMOST], (7, 8, 9)
    found = [meet(flows, people, [n, n, n], ids, ids) for n in (1, 2, 3)]
    assert found == [[], [], [(1, 2)]]


def test_frames_with_only_one_of_the_flows_are_not_counted():
    flows = FlowSuppression()
    assert meet(flows, [HERE, ALMOST], [2, 2]) == []
    assert [meet(flows, [HERE], [n]) for n in (3, 4, 5)] == [[], [], []]
    assert [meet(flows, [HERE, ALMOST], [6 + n, 2 + n]) for n in (1, 2)] == [[], [(0, 1)]]


def test_counts_are_removed_with_the_tracks():
    flows = FlowSuppression()
    assert [meet(flows, [HERE, ALMOST], [n, n]) for n in (1, 2)] == [[], []]
    assert meet(flows, [HERE], [3], remembered=(1,)) == []
    assert [meet(flows, [HERE, ALMOST], [n, n]) for n in (1, 2, 3)] == [[], [], [(0, 1)]]


def test_no_flows_give_no_pairs():
    assert meet(FlowSuppression(), [], [], remembered=()) == []


@settings(max_examples=40, deadline=None)
@given(pattern=st.lists(st.sampled_from([0.0, 0.03, 0.06, 0.15]), min_size=1, max_size=15))
def test_counting_equals_median_distance(pattern):
    flows, distances = FlowSuppression(), []
    for n, offset in enumerate(pattern, start=1):
        found = meet(flows, [HERE, person(offset)], [n, n])
        distances.append(loops.pose_distance(HERE, person(offset)))
        near = [distance < 0.4 for distance in distances]
        # A frame in which they are apart is none to find it in.
        if near[-1] and sum(near) >= 3 and n % 2:
            assert bool(found) == (np.median(distances) < 0.4)
        if found:
            assert np.median(distances) < 0.4
