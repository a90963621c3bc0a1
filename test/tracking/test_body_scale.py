"""Body scales: the height that somebody would have when standing upright."""

from dataclasses import replace

import numpy as np
import pytest
from people import make_bent_person, make_person, together, without_legs

from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking import body_scale as constants
from poseflow_ros.tracking.body_scale import body_scales

pytestmark = pytest.mark.filterwarnings("error")

LEFT_ELBOW, LEFT_WRIST = 7, 9


def make_mannequin(height, box_height=None):
    """Return somebody upright whose limbs are exactly as long as the table of the skeleton says.

    The box is as high as the person unless given.
    """
    lengths = dict(zip(COCO_17.limbs, COCO_17.limb_lengths, strict=True))
    keypoints = np.zeros((1, 17, 2))
    for side, x in ((0, 0.1), (1, -0.1)):
        shoulder, elbow, wrist, hip, knee, ankle = (i + side for i in (5, 7, 9, 11, 13, 15))
        keypoints[0, shoulder] = x, 0.2
        for upper, lower in (
            *((shoulder, elbow), (elbow, wrist)),
            *((shoulder, hip), (hip, knee), (knee, ankle)),
        ):
            keypoints[0, lower] = keypoints[0, upper] + [0, lengths[upper, lower]]
    box = np.array([[-0.2 * height, 0, 0.2 * height, box_height or height]])
    return Poses(height * keypoints, np.full((1, 17), 0.8), box, np.array([0.9]))


def broken_limb(person, score):
    """Return the person with both keypoints of a forearm far from where they belong."""
    keypoints, scores = person.keypoints.copy(), person.keypoint_scores.copy()
    keypoints[0, LEFT_ELBOW], keypoints[0, LEFT_WRIST] = [-5000, 0], [5000, 0]
    scores[0, [LEFT_ELBOW, LEFT_WRIST]] = score
    return replace(person, keypoints=keypoints, keypoint_scores=scores)


def unseen(person):
    return replace(person, keypoint_scores=np.zeros((1, 17)))


@pytest.mark.parametrize("height", [5.0, 180.0, 2000.0])
def test_scale_of_an_upright_person_is_the_height(height):
    assert body_scales(make_mannequin(height), COCO_17) == pytest.approx([height])
    assert body_scales(make_person(300, 50, height), COCO_17) == pytest.approx([height], rel=0.03)


@pytest.mark.parametrize(
    ("person", "tolerance"),
    [
        *(
            pytest.param(make_bent_person(300, 50, 200, d), 0.05, id=f"bent by {d} degrees")
            for d in (0, 30, 60, 90, 120)
        ),
        pytest.param(without_legs(make_person(300, 50, 200)), 0.1, id="legs outside the image"),
        pytest.param(without_legs(make_person(300, 50, 200), 0.4), 0.1, id="half of the legs too"),
        pytest.param(make_mannequin(200, 100), 0.1, id="a box of half the height"),
        pytest.param(make_mannequin(200, 400), 0.1, id="a box of twice the height"),
        pytest.param(broken_limb(make_person(300, 50, 200), 0.0), 0.05, id="a limb not visible"),
    ],
)
def test_scale_does_not_change_with_posture_or_truncation(person, tolerance):
    assert body_scales(person, COCO_17) == pytest.approx([200], rel=tolerance)


def test_box_of_a_bent_person_is_about_half_as_high():
    heights = [make_bent_person(300, 50, 200, degrees).heights[0] for degrees in (0, 120)]
    assert heights[1] < 0.6 * heights[0]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param((40, 100), 100, id="standing"),
        pytest.param((100, 40), 100 * constants._WIDTH_TO_HEIGHT, id="lying"),
        pytest.param((1, 1), 1, id="one pixel"),
    ],
)
def test_scale_is_from_the_box_without_visible_keypoints(size, expected):
    person = unseen(make_person(50, 50, 100))
    person.boxes[:] = [30, 20, 30 + size[0], 20 + size[1]]
    assert body_scales(person, COCO_17) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("person", "box"),
    [
        pytest.param(broken_limb(make_person(300, 50, 200), 0.8), 200, id="a limb of 10,000 px"),
        pytest.param(replace(make_person(300, 50, 200), boxes=np.array([[0.0, 0, 1, 1]])), 1,
                     id="a person in a box of one pixel"),
        pytest.param(replace(make_person(300, 50, 200), keypoints=np.zeros((1, 17, 2))), 200,
                     id="all keypoints in one point"),
        pytest.param(make_person(300, 50, 1e-3), 1e-3, id="a thousandth of a pixel"),
        pytest.param(make_person(-1e6, 1e6, 1e5), 1e5, id="100,000 pixels"),
    ],
)  # fmt: skip
def test_the_scale_stays_within_a_factor_of_the_box(person, box):
    (scale,) = body_scales(person, COCO_17)
    assert box / constants._MAX_FACTOR <= scale <= box * constants._MAX_FACTOR


def test_wrong_limb_with_low_score_has_little_effect():
    person = make_person(300, 50, 200)
    keypoints, scores = person.keypoints.copy(), person.keypoint_scores.copy()
    keypoints[0, LEFT_WRIST] += [100, 0]  # a forearm nearly four times as long
    scores[0, LEFT_WRIST] = 0.05
    assert body_scales(
        replace(person, keypoints=keypoints, keypoint_scores=scores), COCO_17
    ) == pytest.approx([200], rel=0.05)


def test_no_people_give_no_scales():
    assert body_scales(Poses.empty(17), COCO_17).shape == (0,)


def scale_by_loop(pose):
    """Return the root mean square over the limbs, and the box as one more of weight 0.02."""
    x1, y1, x2, y2 = pose.boxes[0]
    box = max(y2 - y1, constants._WIDTH_TO_HEIGHT * (x2 - x1))
    squares = constants._BOX_WEIGHT * box**2
    shares = constants._BOX_WEIGHT
    for (a, b), length in zip(COCO_17.limbs, COCO_17.limb_lengths, strict=True):
        weight = pose.keypoint_scores[0, a] * pose.keypoint_scores[0, b]
        (ax, ay), (bx, by) = pose.keypoints[0, a], pose.keypoints[0, b]
        squares += weight * ((ax - bx) ** 2 + (ay - by) ** 2)
        shares += weight * length**2
    factor = constants._MAX_FACTOR
    return min(max((squares / shares) ** 0.5, box / factor), box * factor)


def make_crowd(rng, n):
    crowd = [make_person(*rng.uniform(0, 600, 2), rng.uniform(20, 300)) for _ in range(n)]
    poses = together(*crowd)
    poses.keypoint_scores[:] = rng.random((n, 17)) * (rng.random((n, 17)) < 0.8)
    poses.keypoints[:] += rng.normal(0, 30, (n, 17, 2))
    return poses


def test_scales_equal_those_of_a_loop():
    poses = make_crowd(np.random.default_rng(0), 60)
    expected = [scale_by_loop(poses[i : i + 1]) for i in range(60)]
    np.testing.assert_allclose(body_scales(poses, COCO_17), expected)


def test_scale_is_proportional_to_image_size_and_independent_of_position():
    poses = make_crowd(np.random.default_rng(1), 20)
    moved = replace(poses, keypoints=3 * poses.keypoints + 70, boxes=3 * poses.boxes + 70)
    np.testing.assert_allclose(body_scales(moved, COCO_17), 3 * body_scales(poses, COCO_17))
