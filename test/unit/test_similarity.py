"""Similarities: by hand, and as plain loops say on random input."""

import loops
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poseflow_ros.tracking.similarity import (
    box_correspondence_iou,
    box_iou,
    pose_correspondence_iou,
    pose_iou,
)

UNIT = [0, 0, 10, 10]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param(UNIT, UNIT, 1, id="the same box"),
        pytest.param(UNIT, [5, 0, 15, 10], 50 / 150, id="half of each"),
        pytest.param(UNIT, [5, 5, 15, 15], 25 / 175, id="a corner of each"),
        pytest.param(UNIT, [2, 2, 4, 7], 10 / 100, id="one inside the other"),
        pytest.param(UNIT, [10, 0, 20, 10], 0, id="a common edge"),
        pytest.param(UNIT, [0, 30, 10, 40], 0, id="apart in y alone"),
        pytest.param(UNIT, [30, 30, 40, 40], 0, id="apart in x and y"),
        pytest.param(UNIT, [3, 3, 3, 3], 0, id="a box without area"),
        pytest.param([3, 3, 3, 3], [3, 3, 3, 3], 0, id="two boxes without area"),
        pytest.param([-10, -10, 0, 0], [-5, -10, 5, 0], 50 / 150, id="below zero"),
    ],
)
def test_box_iou_by_hand(a, b, expected):
    for one, other in ((a, b), (b, a)):
        assert box_iou(np.array([one], float), np.array([other], float)) == pytest.approx(expected)


def test_box_iou_of_several_sets_at_once():
    sets = np.array([[UNIT], [[0, 0, 5, 10]]], float)
    assert box_iou(sets, sets[::-1]).tolist() == [[[0.5]], [[0.5]]]
    assert box_iou(sets, sets).tolist() == [[[1.0]], [[1.0]]]


# Boxes reach mag = 10 px to each side: 20 x 20 around a keypoint.
@pytest.mark.parametrize(
    ("shifts", "num", "expected"),
    [
        pytest.param([(0, 0), (0, 0)], 2, 1, id="the same pose"),
        pytest.param([(10, 0), (10, 0)], 2, 200 / 600, id="shifted by mag: half overlaps"),
        pytest.param([(0, 15), (0, 15)], 2, 100 / 700, id="overlap up to twice mag"),
        pytest.param([(20, 0), (0, 20)], 2, 0, id="shifted by twice mag: nothing overlaps"),
        pytest.param([(0, 0), (99, 0)], 1, 1, id="the best keypoint alone"),
        pytest.param([(0, 0), (99, 0)], 2, 1 / 2, id="the mean of the best two"),
        pytest.param([(0, 0), (10, 0)], 7, (1 + 1 / 3) / 2, id="num above the keypoints: all"),
        pytest.param([(25, 25), (25, 25)], 2, 0, id="too far in x and y does not count twice"),
    ],
)
def test_pose_iou_by_hand(shifts, num, expected):
    pose = np.array([[[100.0, 100.0], [300.0, 200.0]]])
    assert pose_iou(pose, pose + np.array(shifts), num, 10.0) == pytest.approx(expected)


A, B = [0, 0, 10, 10], [100, 0, 110, 10]


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        pytest.param([(5, 5, 105, 5)], 1, id="all from a to b"),
        pytest.param([(5, 5, 105, 5), (5, 5, 200, 5)], 1 / 2, id="one leaves a for elsewhere"),
        pytest.param([(5, 5, 105, 5), (50, 5, 105, 5)], 1 / 2, id="one enters b from elsewhere"),
        pytest.param([(5, 5, 105, 5), (50, 5, 60, 5)], 1, id="one has nothing to do with them"),
        pytest.param([(5, 5, 200, 5), (50, 5, 105, 5)], 0, id="none does both"),
        pytest.param([(105, 5, 5, 5)], 0, id="from b to a"),
        pytest.param([(0, 10, 110, 0)], 1, id="the border belongs to the box"),
        pytest.param([(-0.1, 5, 105, 5)], 0, id="a tenth of a pixel outside"),
        pytest.param([(50, 50, 60, 60)], 0, id="none touches either"),
        pytest.param([], 0, id="no correspondences"),
    ],
)
def test_box_correspondence_iou_by_hand(matches, expected):
    matches = np.array(matches, float).reshape(-1, 4)
    similarity = box_correspondence_iou(np.array([A], float), np.array([B], float), matches)
    assert similarity == pytest.approx(expected)


@pytest.mark.parametrize(
    ("matches", "num", "expected"),
    [
        pytest.param([(0, 0, 100, 0), (0, 50, 100, 50)], 2, 1, id="both keypoints"),
        pytest.param([(0, 0, 100, 0)], 2, 1 / 2, id="one of two keypoints"),
        pytest.param([(0, 0, 100, 0)], 1, 1, id="the best keypoint alone"),
        pytest.param([(0, 0, 100, 50)], 2, 0, id="from one keypoint to the other"),
        pytest.param([(10, 10, 90, -10)], 1, 1, id="mag pixels off, to each side"),
        pytest.param([(10.1, 0, 100, 0)], 1, 0, id="more than mag pixels off"),
        pytest.param([(0, 0, 100, 0), (0, 0, 150, 0)], 1, 1 / 2, id="half of them get lost"),
        pytest.param([], 2, 0, id="no correspondences"),
    ],
)
def test_pose_correspondence_iou_by_hand(matches, num, expected):
    a, b = np.array([[[0.0, 0], [0, 50]]]), np.array([[[100.0, 0], [100, 50]]])
    matches = np.array(matches, float).reshape(-1, 4)
    assert pose_correspondence_iou(a, b, matches, num, 10.0) == pytest.approx(expected)


# Whole numbers from a small range: points on borders, boxes without area and ties are common.
@settings(max_examples=80, deadline=None)
@given(
    m=st.integers(0, 4),
    n=st.integers(0, 4),
    k=st.integers(1, 5),
    c=st.integers(0, 15),
    num=st.integers(1, 8),
    mag=st.sampled_from([1.0, 2.5, 6.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_loops_say_the_same(m, n, k, c, num, mag, seed):
    rng = np.random.default_rng(seed)
    corners = [rng.integers(0, 12, (count, 2, 2)).astype(float) for count in (m, n)]
    boxes_a, boxes_b = (np.sort(one, axis=1).reshape(-1, 4) for one in corners)
    poses_a, poses_b = (rng.integers(0, 12, (count, k, 2)).astype(float) for count in (m, n))
    matches = rng.integers(0, 12, (c, 4)).astype(float)

    for similarity, by_loop, rows, columns, more in (
        (box_iou, loops.box_iou, boxes_a, boxes_b, ()),
        (pose_iou, loops.pose_iou, poses_a, poses_b, (num, mag)),
        (box_correspondence_iou, loops.box_correspondence_iou, boxes_a, boxes_b, (matches,)),
        (
            pose_correspondence_iou,
            loops.pose_correspondence_iou,
            poses_a,
            poses_b,
            (matches, num, mag),
        ),
    ):
        result = similarity(rows, columns, *more)
        expected = loops.pairs_of(lambda a, b, f=by_loop, more=more: f(a, b, *more), rows, columns)
        assert result.shape == (m, n)
        assert ((result >= 0) & (result <= 1)).all()
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)
