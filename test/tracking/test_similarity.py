"""Similarities: by hand, and as plain loops say on random input."""

import math

import loops
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poseflow_ros.tracking.similarity import (
    box_correspondence_iou,
    box_iou,
    oks,
    oks_variances,
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


# Both keypoints have a variance of 50: exp(-d^2 / 100).
@pytest.mark.parametrize(
    ("shifts", "scores_a", "scores_b", "expected"),
    [
        pytest.param([(0, 0), (0, 0)], (1, 1), (1, 1), 1, id="the same pose"),
        pytest.param([(10, 0), (10, 0)], (1, 1), (1, 1), math.exp(-1), id="10 pixels off"),
        pytest.param([(-6, 8), (6, -8)], (1, 1), (1, 1), math.exp(-1), id="10 in x and y"),
        pytest.param(
            [(10, 0), (0, 20)], (1, 1), (1, 1), (math.exp(-1) + math.exp(-4)) / 2, id="the mean"
        ),
        pytest.param([(0, 0), (0, 999)], (1, 1), (1, 1), 1 / 2, id="one keypoint elsewhere"),
        pytest.param([(0, 0), (0, 999)], (0.4, 0.1), (0.4, 0.1), 0.8, id="by the scores, 4 to 1"),
        pytest.param([(0, 0), (0, 999)], (0.9, 0.1), (0.4, 0.9), 0.6 / 0.9, id="of both poses"),
        pytest.param([(0, 0), (0, 999)], (1, 0), (1, 1), 1, id="one sees nothing there"),
        pytest.param([(0, 0), (0, 0)], (1, 0), (0, 1), 0, id="nothing that both see"),
        pytest.param([(0, 0), (0, 0)], (0, 0), (0, 0), 0, id="nothing seen"),
        pytest.param([(9e6, 0), (0, 9e6)], (1, 1), (1, 1), 0, id="far apart"),
    ],
)
def test_oks_by_hand(shifts, scores_a, scores_b, expected):
    pose = np.array([[100.0, 100.0], [300.0, 200.0]])
    scores_a, scores_b, variances = np.array([scores_a, scores_b, (50, 50)], float)
    for one, other in ((pose, pose + shifts), (pose + shifts, pose)):
        assert oks(one, scores_a, other, scores_b, variances) == pytest.approx(expected)


def test_oks_of_certain_poses_equals_that_of_coco():
    # cocoeval.py: vars = (sigmas * 2)**2, e = (dx**2 + dy**2) / vars / area / 2,
    # mean(exp(-e)); the area here is that of a person of this height.
    rng = np.random.default_rng(4)
    sigmas, heights = np.array([0.026, 0.079, 0.107]), np.array([80.0, 200.0])
    truth = rng.uniform(0, 400, (2, 3, 2))
    found = truth + rng.normal(0, 5, (2, 3, 2))
    ours = oks(truth, np.ones((2, 3)), found, np.ones((2, 3)), oks_variances(heights, sigmas))
    for i, height in enumerate(heights):
        dx, dy = (found[i] - truth[i]).T
        e = (dx**2 + dy**2) / (2 * sigmas) ** 2 / (0.35 * height**2) / 2
        assert ours[i] == pytest.approx(np.exp(-e).mean())
    assert 0.1 < ours.min() < ours.max() < 0.95


@pytest.mark.parametrize(
    ("height", "sigma", "expected"),
    [
        pytest.param(100, 0.5, 3500, id="the area: 0.35 heights squared"),
        pytest.param(200, 0.5, 14000, id="twice as tall"),
        pytest.param(100, 0.05, 35, id="a tenth of the sigma"),
    ],
)
def test_oks_variances_by_hand(height, sigma, expected):
    variances = oks_variances(np.array([height], float), np.array([sigma]))
    assert variances == pytest.approx(np.array([[expected]]))


def test_oks_variances_have_one_row_per_height():
    variances = oks_variances(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, 1.0, 1.5]))
    assert variances.shape == (2, 2, 3)
    np.testing.assert_allclose(variances[1, 0], 0.35 * 9 * np.array([1, 4, 9]))


@settings(max_examples=60, deadline=None)
@given(
    m=st.integers(0, 4), n=st.integers(0, 4), k=st.integers(1, 5), seed=st.integers(0, 2**32 - 1)
)
def test_oks_of_all_pairs_equals_a_loop(m, n, k, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 12, (count, k, 2)).astype(float) for count in (m, n))
    scores_a, scores_b = (rng.integers(0, 4, (count, k)) / 3 for count in (m, n))
    variances = rng.uniform(1, 40, (m, k))
    result = oks(a[:, None], scores_a[:, None], b, scores_b, variances[:, None])
    rows = list(zip(a, scores_a, variances, strict=True))
    columns = list(zip(b, scores_b, strict=True))
    expected = loops.pairs_of(
        lambda row, column: loops.oks(row[0], row[1], *column, row[2]), rows, columns
    )
    assert result.shape == (m, n)
    assert ((result >= 0) & (result <= 1 + 1e-12)).all()
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)


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
def test_similarities_equal_those_of_loops(m, n, k, c, num, mag, seed):
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
