"""Detections of several tiles: each person once, and no half bodies."""

import numpy as np
import pytest

from poseflow_ros.estimation.tile_merging import merge_tiles
from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17

WHOLE = np.array([0, 0, 1000, 600])
LEFT, RIGHT = np.array([0, 0, 600, 600]), np.array([400, 0, 1000, 600])

# A standing person, 100 pixels high, feet at (0, 0): x, y of the COCO keypoints.
STANDING = np.array([
    (0, -94), (2, -96), (-2, -96), (4, -94), (-4, -94),  # head
    (12, -82), (-12, -82), (16, -62), (-16, -62), (16, -46), (-16, -46),  # arms
    (8, -50), (-8, -50), (8, -26), (-8, -26), (8, -4), (-8, -4),  # legs
], float)  # fmt: skip
WALKING = STANDING + np.array(
    [(0, 0)] * 7
    + [
        (8, 0),
        (-8, 0),
        (18, -6),
        (-18, -6),
        (0, 0),
        (0, 0),
        (10, -2),
        (-10, 0),
        (22, -3),
        (-20, 0),
    ]
)
LOWER = slice(11, 17)


def person(x, y, height=100.0, score=0.5, keypoint_score=0.6, shape=STANDING):
    keypoints = shape * height / 100 + (x, y)
    low, high = keypoints.min(axis=0) - 0.04 * height, keypoints.max(axis=0) + 0.04 * height
    scores = np.full((1, 17), keypoint_score)
    return Poses(keypoints[None], scores, np.concatenate([low, high])[None], np.array([score]))


def upper_half(x, y, height=100.0, score=0.5):
    """Return what a tile that ends at the hips shows: the legs squeezed to its border, unsure."""
    whole = person(x, y, height, score)
    keypoints, scores, boxes = whole.keypoints, whole.keypoint_scores, whole.boxes.copy()
    keypoints[:, LOWER, 1] = y - 0.5 * height + 0.02 * height * np.arange(6)
    scores[:, LOWER] = 0.1
    boxes[:, 3] = y - 0.4 * height
    return Poses(keypoints, scores, boxes, whole.scores)


def merge(*parts):
    """Merge the people of (region, people) pairs."""
    regions = np.array([region for region, _ in parts])
    detections = [Poses.joined([Poses.empty(17), *people]) for _, people in parts]
    return merge_tiles(detections, regions, WHOLE, COCO_17)


def feet(poses):
    return sorted(poses.keypoints[:, 15:].mean(axis=1)[:, 0].round().tolist())


def test_nobody_anywhere_is_nobody():
    assert merge((WHOLE, []), (LEFT, []), (RIGHT, [])).keypoints.shape == (0, 17, 2)


def test_a_person_in_two_tiles_is_one_person():
    found = merge((LEFT, [person(500, 300)]), (RIGHT, [person(503, 298, score=0.4)]))
    assert feet(found) == [500]


def test_the_pose_with_the_most_visible_keypoints_is_kept():
    poor = person(500, 300, score=0.5)
    poor.keypoint_scores[0, LOWER] = 0.2
    found = merge((LEFT, [poor]), (RIGHT, [person(502, 300, score=0.4)]))
    assert feet(found) == [502]


@pytest.mark.parametrize("x", [590, 410], ids=["left tile", "right tile"])
def test_a_person_cut_by_the_border_of_a_tile_is_dropped(x):
    region = LEFT if x == 590 else RIGHT
    assert len(merge((region, [person(x, 300)]))) == 0
    whole = person(x, 300, score=0.2)
    found = merge((region, [person(x + 2, 301, score=0.9)]), (WHOLE, [whole]))
    np.testing.assert_array_equal(found.keypoints, whole.keypoints)


@pytest.mark.parametrize("place", [(22, 300), (978, 300), (500, 100), (500, 598)])
def test_a_person_cut_by_the_image_is_kept(place):
    regions = (LEFT, RIGHT) if place[0] == 500 else (LEFT,) if place[0] == 22 else (RIGHT,)
    assert len(merge(*[(region, [person(*place)]) for region in regions])) == 1


def test_half_a_body_inside_a_whole_one_is_dropped():
    # The half ends above the border of its tile, so that only the whole pose shows what it is.
    whole = person(500, 300, height=250)
    for order in (1, -1):
        parts = [(LEFT, [upper_half(501, 301, height=250, score=0.9)]), (WHOLE, [whole])]
        found = merge(*parts[::order])
        np.testing.assert_array_equal(found.keypoints, whole.keypoints)


def test_left_taken_for_right_is_still_the_same_person():
    mirrored = person(500, 300, score=0.4)
    for left, right in COCO_17.flip_pairs:
        mirrored.keypoints[0, [left, right]] = mirrored.keypoints[0, [right, left]]
    wide = person(500, 300, height=104)
    assert len(merge((LEFT, [wide]), (RIGHT, [mirrored]))) == 1


@pytest.mark.parametrize("apart", [25, 30, 40])
def test_two_people_close_together_both_survive(apart):
    pair = [person(490, 300), person(490 + apart, 303, shape=WALKING)]
    again = [person(491, 301, score=0.45), person(489 + apart, 302, score=0.45, shape=WALKING)]
    assert feet(merge((LEFT, pair), (RIGHT, again))) == [490, 490 + apart + 1]


def test_a_child_in_front_of_an_adult_survives():
    adult, child = person(500, 300, height=200), person(505, 300, height=100)
    low, high = adult.boxes[0, :2], adult.boxes[0, 2:]
    assert (child.boxes[0, :2] > low).all()
    assert (child.boxes[0, 2:] <= high).all()
    assert len(merge((WHOLE, [adult]), (LEFT, [child]), (RIGHT, [child]))) == 2


def test_the_order_of_the_tiles_makes_no_difference():
    rng = np.random.default_rng(1)
    parts = [(region, [person(*rng.uniform((450, 200), (550, 400)), score=rng.uniform())
                       for _ in range(6)]) for region in (WHOLE, LEFT, RIGHT)]  # fmt: skip
    np.testing.assert_array_equal(merge(*parts).scores, merge(*parts[::-1]).scores)
