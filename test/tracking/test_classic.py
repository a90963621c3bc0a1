"""The grade of PoseFlow as published, by hand and as a plain loop says."""

import loops
import numpy as np
import pytest
from people import NO_MATCHES, make_person, matches_between, together

from poseflow_ros.config import ClassicConfig
from poseflow_ros.poses import Poses
from poseflow_ros.tracking.classic import grade, pose_boxes

CONFIG = ClassicConfig(num=7, mag=30.0)


def loop_box(keypoints):
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    width, height = high - low
    # (w + r)(h + r) = 1.2 w h, as a polynomial of r.
    margin = np.roots([1.0, width + height, -0.2 * width * height]).max()
    return [*(low - margin), *(high + margin)]


def loop_grade(track, pose, was_in_previous, matches, num, mag):
    a, b = loop_box(track), loop_box(pose)
    overlap, pose_overlap = loops.box_iou(a, b), loops.pose_iou(track, pose, num, mag)
    if not was_in_previous:
        return 1 * overlap + 1 * pose_overlap
    return (
        1 * loops.box_correspondence_iou(a, b, matches)
        + 2 * overlap
        + 1 * loops.pose_correspondence_iou(track, pose, matches, num, mag)
        + 2 * pose_overlap
    )


@pytest.mark.parametrize(
    "in_previous",
    [
        pytest.param([True, True, True], id="all seen in the previous frame"),
        pytest.param([True, False, True], id="one longer ago"),
        pytest.param([False, False, False], id="all longer ago"),
    ],
)
@pytest.mark.parametrize("n_matches", [0, 1, 300])
@pytest.mark.parametrize("n_poses", [0, 1, 4])
def test_grades_equal_those_of_a_loop(in_previous, n_matches, n_poses):
    rng = np.random.default_rng(n_matches + n_poses)
    tracks = together(*(make_person(*rng.uniform(50, 110, 2), 120) for _ in in_previous))
    poses = together(*(make_person(*rng.uniform(50, 110, 2), 100) for _ in range(n_poses)))
    starts = rng.uniform(30, 230, (n_matches, 2))
    matches = np.hstack([starts, starts + rng.normal(0, 15, (n_matches, 2))])
    grades, greatest = grade(tracks, np.array(in_previous), poses, matches, CONFIG)
    expected = [
        [loop_grade(track, pose, recent, matches, 7, 30.0) for pose in poses.keypoints]
        for track, recent in zip(tracks.keypoints, in_previous, strict=True)
    ]
    np.testing.assert_allclose(grades, np.reshape(expected, (3, n_poses)), atol=1e-6)
    assert greatest.tolist() == [[6.0 if recent else 2.0] for recent in in_previous]


@pytest.mark.parametrize(
    ("recent", "all_match", "expected"),
    [
        pytest.param(True, True, 6, id="all four terms"),
        pytest.param(True, False, 4, id="no correspondences: 2 + 2"),
        pytest.param(False, True, 2, id="longer ago: correspondences do not count"),
        pytest.param(False, False, 2, id="longer ago, no correspondences"),
    ],
)
def test_the_same_pose_has_the_greatest_grade(recent, all_match, expected):
    person = make_person(100, 50, 200)
    matches = matches_between(person, person) if all_match else NO_MATCHES
    grades, greatest = grade(person, np.array([recent]), person, matches, CONFIG)
    assert grades == pytest.approx(expected)
    assert greatest.tolist() == [[6.0 if recent else 2.0]]


def test_correspondences_extend_a_track_without_overlap():
    before, after = make_person(100, 50, 100), make_person(200, 50, 100)
    recent = np.array([True])
    (alone,), _ = grade(before, recent, after, NO_MATCHES, CONFIG)
    (led,), _ = grade(before, recent, after, matches_between(before, after), CONFIG)
    assert alone == 0
    # Neighbouring keypoints share boxes, but every correspondence stays within its own.
    assert led == pytest.approx(2)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        pytest.param((10, 20), (40, 100), id="upright"),
        pytest.param((-50, -20), (30, 20), id="lying, below zero"),
        pytest.param((0, 0), (1e-3, 1e4), id="next to a line"),
    ],
)
def test_the_margin_of_a_box_solves_its_equation(low, high):
    keypoints = np.array([[low, high, np.mean([low, high], axis=0)]], float)
    (x1, y1, x2, y2), (width, height) = pose_boxes(keypoints)[0], np.subtract(high, low)
    margin = low[0] - x1
    assert margin > 0
    assert [low[1] - y1, x2 - high[0], y2 - high[1]] == pytest.approx([margin] * 3, rel=1e-4)
    assert (width + margin) * (height + margin) == pytest.approx(1.2 * width * height)


def test_collinear_or_coincident_keypoints_have_no_margin():
    line = np.array([[[0.0, 5], [9, 5]], [[3.0, 4], [3, 4]]])
    assert pose_boxes(line).tolist() == [[0, 5, 9, 5], [3, 4, 3, 4]]


def test_no_people_give_no_boxes_and_no_grades():
    nobody = Poses.empty(17)
    assert pose_boxes(nobody.keypoints).shape == (0, 4)
    grades, greatest = grade(nobody, np.zeros(0, bool), nobody, NO_MATCHES, CONFIG)
    assert grades.shape == (0, 0)
    assert greatest.shape == (0, 1)
