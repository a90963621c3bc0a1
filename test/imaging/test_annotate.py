"""Tracked people drawn on an image: what is drawn where, and what is left out."""

import colorsys
from itertools import pairwise

import numpy as np
import pytest

from poseflow_ros.imaging.annotate import draw, track_color
from poseflow_ros.poses import Poses, TrackedPoses, TrackState
from poseflow_ros.skeletons.coco17 import COCO_17

GREY = 60
# The hue of id 1 is the golden ratio, 0.618 of the circle or 222.5 degrees: between cyan and
# blue. Saturation 0.8: the least channel is 51; green is 255 * (1 - 0.8 * 0.708) = 110.5.
COLOR_1 = (51, 111, 255)
NOSE, LEFT_EYE, LEFT_SHOULDER, LEFT_ELBOW, LEFT_HIP, LEFT_KNEE, LEFT_ANKLE = 0, 1, 5, 7, 11, 13, 15


def canvas(height=200, width=300):
    return np.full((height, width, 3), GREY, np.uint8)


def person(points, box=(20, 40, 280, 190), track_id=1, state=TrackState.CONFIRMED):
    """Return one track; `points` is {keypoint: (x, y, score)}, all others have score 0."""
    keypoints, scores = np.zeros((1, 17, 2)), np.zeros((1, 17))
    for index, (x, y, score) in points.items():
        keypoints[0, index], scores[0, index] = (x, y), score
    return TrackedPoses(
        poses=Poses(keypoints, scores, [box], [0.9]),
        track_ids=np.array([track_id]),
        states=np.array([state]),
        match_scores=np.zeros(1),
        ages_s=np.zeros(1),
        time_since_update_s=np.zeros(1),
        hits=np.ones(1, int),
        velocities=np.zeros((1, 2)),
    )


def drawn(tracked, image=None, min_keypoint_score=0.2):
    return draw(canvas() if image is None else image, tracked, COCO_17, min_keypoint_score)


def untouched(image, x, y, reach=5):
    return (image[y - reach : y + reach + 1, x - reach : x + reach + 1] == GREY).all()


def test_color_is_drawn_only_at_the_keypoint():
    image = drawn(person({NOSE: (150, 100, 0.9)}))
    assert tuple(image[100, 150].tolist()) == COLOR_1
    assert untouched(image, 140, 100)
    assert untouched(image, 100, 150)


def test_x_is_to_the_right_and_y_down():
    image = drawn(person({LEFT_ANKLE: (250, 120, 1.0)}))
    assert tuple(image[120, 250].tolist()) == COLOR_1
    assert untouched(image, 120, 150)


def test_edges_connect_keypoints():
    image = drawn(person({LEFT_SHOULDER: (100, 80, 0.9), LEFT_ELBOW: (200, 80, 0.9)}))
    assert tuple(image[80, 150].tolist()) == COLOR_1
    image = drawn(person({NOSE: (100, 80, 0.9), LEFT_ELBOW: (200, 80, 0.9)}))  # no edge
    assert untouched(image, 150, 80)


def test_a_keypoint_with_a_low_score_is_left_out_with_its_edges():
    leg = {LEFT_HIP: (100, 80, 0.9), LEFT_KNEE: (150, 80, 0.19), LEFT_ANKLE: (200, 80, 0.9)}
    image = drawn(person(leg))
    assert untouched(image, 150, 80)
    assert untouched(image, 125, 80)
    assert untouched(image, 175, 80)
    assert tuple(image[80, 100].tolist()) == tuple(image[80, 200].tolist()) == COLOR_1
    leg[LEFT_KNEE] = (150, 80, 0.2)  # the least allowed
    image = drawn(person(leg))
    assert [tuple(image[80, x].tolist()) for x in (125, 150, 175)] == [COLOR_1] * 3


def test_the_box_is_drawn_in_the_person_s_colour():
    image = drawn(person({}, box=(20, 40, 280, 190)))
    for x, y in ((280, 100), (20, 100), (150, 190), (250, 40)):
        assert tuple(image[y, x].tolist()) == COLOR_1
    assert untouched(image, 150, 100)


def test_label_of_a_person_at_the_top_stays_in_the_image():
    image = drawn(person({}, box=(20, -50, 280, 190)))
    assert (image[:16, 22:30] != GREY).any()


def test_input_image_is_not_modified():
    image = canvas()
    result = drawn(person({NOSE: (150, 100, 0.9)}), image)
    assert (image == GREY).all()
    assert not np.shares_memory(result, image)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.full((200, 300, 4), GREY, np.uint8)[:, :, 2::-1], id="channels swapped"),
        pytest.param(np.full((400, 600, 3), GREY, np.uint8)[::2, ::-2], id="every other pixel"),
        pytest.param(np.full((300, 200, 3), GREY, np.uint8).transpose(1, 0, 2), id="transposed"),
        pytest.param(np.broadcast_to(np.uint8(GREY), (200, 300, 3)), id="read-only"),
    ],
)
def test_drawing_does_not_depend_on_strides(image):
    tracked = person({NOSE: (150, 100, 0.9), LEFT_EYE: (170, 90, 0.9)})
    np.testing.assert_array_equal(drawn(tracked, image), drawn(tracked))


@pytest.mark.parametrize("state", set(TrackState) - {TrackState.CONFIRMED})
def test_invisible_and_tentative_tracks_are_not_drawn(state):
    assert (drawn(person({NOSE: (150, 100, 0.9)}, state=state)) == GREY).all()


def test_no_people_leave_the_image_unchanged():
    nobody = person({})[np.zeros(1, bool)]
    assert (drawn(nobody) == GREY).all()


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(-5000, id="left"),
        pytest.param(9e9, id="beyond 32 bits"),
        pytest.param(-1e300, id="beyond 64 bits"),
    ],
)
def test_person_far_outside_is_not_drawn(x):
    points = {LEFT_HIP: (x, x, 0.9), LEFT_KNEE: (x, x + 50, 0.9)}
    image = drawn(person(points, box=(x, x, x + 50, x + 90)))
    assert untouched(image, 150, 100, reach=60)


def test_nan_keypoints_are_not_drawn():
    image = drawn(person({NOSE: (150, 100, 0.9), LEFT_EYE: (np.nan, np.nan, 0.0)}))
    assert tuple(image[100, 150].tolist()) == COLOR_1


def test_consecutive_ids_have_different_hues():
    hues = [colorsys.rgb_to_hsv(*track_color(i))[0] for i in range(1, 50)]
    for one, other in pairwise(hues):
        apart = abs(one - other)
        assert min(apart, 1 - apart) > 0.3
