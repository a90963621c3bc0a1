"""Camera motion: known motions are found with other moving objects; none is invented."""

import numpy as np
import pytest
from made_cues import cues_of
from made_tracker import make_tracker
from people import make_person

from poseflow_ros.imaging.camera_motion import estimate_camera_motion

pytestmark = pytest.mark.filterwarnings("error")

NOBODY = np.zeros((0, 4))
# Where people stand and points of the background are looked at: the corners of the image.
CORNERS = np.array([[0.0, 0.0], [640.0, 0.0], [0.0, 480.0], [640.0, 480.0]])


def similarity(degrees, scale, shift):
    """Return a function that turns, grows and then shifts (C, 2) points."""
    turn = np.deg2rad(degrees)

    def apply(points):
        x, y = points.T
        right = scale * (np.cos(turn) * x - np.sin(turn) * y) + shift[0]
        down = scale * (np.sin(turn) * x + np.cos(turn) * y) + shift[1]
        return np.stack([right, down], axis=1)

    return apply


def background(truth, n=150, seed=0, noise_px=0.0):
    """Return (n, 4) correspondences of a 640 x 480 image that moves as `truth` says."""
    rng = np.random.default_rng(seed)
    before = rng.uniform(0, [640, 480], (n, 2))
    return np.hstack([before, truth(before) + noise_px * rng.normal(size=(n, 2))])


def follow(motion, points):
    return np.array([motion.linear @ point + motion.shift for point in points])


MOTIONS = [
    pytest.param(0, 1, (0, 0), id="standing still"),
    pytest.param(0, 1, (7, -3), id="shifted"),
    pytest.param(0, 1, (-90, 40), id="shifted far"),
    pytest.param(3, 1, (0, 0), id="turned about the first pixel"),
    pytest.param(-8, 1, (-30, 60), id="turned and shifted"),
    pytest.param(0, 1.06, (-19, -14), id="nearer"),
    pytest.param(1.5, 0.95, (20, 5), id="turned, shifted and farther"),
]


@pytest.mark.parametrize(("degrees", "scale", "shift"), MOTIONS)
def test_an_exact_motion_is_found_exactly(degrees, scale, shift):
    truth = similarity(degrees, scale, shift)
    motion = estimate_camera_motion(background(truth), NOBODY)
    turn = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    # OpenCV takes coordinates in single precision.
    np.testing.assert_allclose(motion.linear, linear, atol=1e-6)
    np.testing.assert_allclose(motion.shift, shift, atol=1e-3)


def elsewhere(rng, correspondences):
    """Return correspondences that end anywhere."""
    return np.hstack(
        [correspondences[:, :2], rng.uniform(0, [640, 480], (len(correspondences), 2))]
    )


def bus(rng, correspondences):
    """Return correspondences of a bus that passes at 45 pixels a frame."""
    start = rng.uniform([100, 100], [400, 300], (len(correspondences), 2))
    return np.hstack([start, np.add(start, (45.0, 2.0))])


@pytest.mark.parametrize("others", [elsewhere, bus], ids=["miscorrespondences", "a bus"])
@pytest.mark.parametrize(("degrees", "scale", "shift"), MOTIONS)
def test_motion_is_found_with_noise_and_30_percent_outliers(degrees, scale, shift, others):
    truth = similarity(degrees, scale, shift)
    rng = np.random.default_rng(3)
    correspondences = background(truth, seed=3, noise_px=0.3)
    correspondences[::3][:45] = others(rng, correspondences[::3][:45])
    correspondences = rng.permutation(correspondences)
    motion = estimate_camera_motion(correspondences, NOBODY)
    np.testing.assert_allclose(follow(motion, CORNERS), truth(CORNERS), atol=0.6)
    # The noise of 105 points, in the middle of them, is 0.3 / sqrt(105) = 0.03 pixels.
    middle = np.array([[320.0, 240.0]])
    np.testing.assert_allclose(follow(motion, middle), truth(middle), atol=0.15)


def test_correspondences_on_people_are_ignored():
    truth = similarity(1, 1, (-6, 2))
    scene = background(truth, n=60)
    boxes = np.array([[100.0, 100.0, 300.0, 400.0], [400.0, 50.0, 500.0, 300.0]])
    scene = scene[~in_boxes(boxes, scene[:, 2:])]
    rng = np.random.default_rng(1)
    ends = rng.uniform([100, 100], [300, 400], (300, 2))  # five times as many as of the scene
    walker = np.hstack([ends - [9.0, 0.0], ends])
    motion = estimate_camera_motion(np.vstack([walker, scene]), boxes)
    np.testing.assert_allclose(follow(motion, CORNERS), truth(CORNERS), atol=1e-3)


def in_boxes(boxes, points):
    return np.array([[x1 <= x <= x2 and y1 <= y <= y2 for x1, y1, x2, y2 in boxes]
                     for x, y in points]).any(axis=1)  # fmt: skip


# Of 12 correspondences, the least that are enough, from (0..11, 0..11) to (5..16, 6..17).
@pytest.mark.parametrize(
    ("box", "found"),
    [
        pytest.param([15.5, 16.5, 30, 30], False, id="around where one ends"),
        pytest.param([16, 17, 30, 30], False, id="the upper left border is of the person"),
        pytest.param([-9, -9, 5, 6], False, id="the lower right border too"),
        pytest.param([16.1, 17, 30, 30], True, id="a tenth of a pixel off"),
        pytest.param([-4, -4, 4.9, 30], True, id="around where some began"),
        pytest.param([0, 20, 40, 30], True, id="apart in y alone"),
    ],
)
def test_correspondences_that_end_in_a_box_are_ignored(box, found):
    before = np.stack([np.arange(12.0), np.arange(12.0)], axis=1)
    correspondences = np.hstack([before, np.add(before, (5, 6))])
    motion = estimate_camera_motion(correspondences, np.array([[900, 900, 990, 990], box], float))
    assert (motion is not None) == found


@pytest.mark.parametrize(
    ("n", "found"),
    [
        pytest.param(0, False, id="none"),
        pytest.param(1, False, id="one"),
        pytest.param(11, False, id="one too few"),
        pytest.param(12, True, id="just enough"),
    ],
)
def test_too_few_correspondences_give_none(n, found):
    motion = estimate_camera_motion(background(similarity(0, 1, (3, 4)), n=n), NOBODY)
    assert (motion is not None) == found


def test_correspondences_only_on_people_give_none():
    correspondences = background(similarity(0, 1, (3, 4)))
    assert (
        estimate_camera_motion(correspondences, np.array([[-99.0, -99.0, 999.0, 999.0]])) is None
    )


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(np.tile([[10.0, 20.0], [300.0, 90.0]], (10, 1)), id="in two points"),
        pytest.param(np.linspace([0, 7], [600, 7], 20), id="on a line"),
    ],
)
def test_shift_is_found_for_any_point_distribution(before):
    motion = estimate_camera_motion(np.hstack([before, np.add(before, (8.0, -5.0))]), NOBODY)
    np.testing.assert_allclose(motion.linear, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(motion.shift, [8, -5], atol=1e-3)


ONE_POINT = np.full((50, 2), 240.0)
ANYWHERE = np.random.default_rng(0).uniform(0, 480, (50, 2))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param(ONE_POINT, ANYWHERE, id="from one point to everywhere"),
        pytest.param(ANYWHERE, ONE_POINT, id="from everywhere to one point"),
        pytest.param(ONE_POINT, ONE_POINT, id="all in one point"),
        pytest.param(ANYWHERE, 2.5 * ANYWHERE, id="2.5 times as large at once"),
        pytest.param(ANYWHERE, ANYWHERE / 2.5, id="2.5 times as small at once"),
        pytest.param(ANYWHERE, np.full((50, 2), np.nan), id="to nowhere"),
        pytest.param(1e30 * ANYWHERE, ANYWHERE, id="from too far for single precision"),
    ],
)
def test_degenerate_motion_gives_none(before, now):
    assert estimate_camera_motion(np.hstack([before, now]), NOBODY) is None


def test_correspondences_may_have_any_strides():
    correspondences = background(similarity(2, 1, (7, -3)))
    motion = estimate_camera_motion(correspondences, NOBODY)
    for view in (
        np.asfortranarray(correspondences),
        np.repeat(correspondences, 2, axis=1)[:, ::2],
    ):
        again = estimate_camera_motion(view, NOBODY)
        np.testing.assert_array_equal(again.linear, motion.linear)
        np.testing.assert_array_equal(again.shift, motion.shift)


@pytest.mark.parametrize("seed", range(3), ids="seed {}".format)
def test_random_correspondences_give_none(seed):
    rng = np.random.default_rng(seed + 100)
    correspondences = elsewhere(rng, background(similarity(0, 1, (0, 0)), seed=seed))
    assert estimate_camera_motion(correspondences, NOBODY) is None


@pytest.mark.parametrize("seed", range(3), ids="seed {}".format)
def test_two_motions_of_equal_weight_are_not_averaged(seed):
    standing = similarity(0, 1, (0, 0))
    passing = similarity(0, 1, (40, 10))
    correspondences = np.vstack(
        [background(standing, 60, seed), background(passing, 60, seed + 100)]
    )
    motion = estimate_camera_motion(correspondences, NOBODY)
    if motion is not None:
        moved = follow(motion, CORNERS)
        off = [np.abs(moved - truth(CORNERS)).max() for truth in (standing, passing)]
        assert min(off) < 0.5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("rows", [slice(0, 30), slice(None)], ids=["some", "all"])
def test_tracker_ignores_correspondences_that_are_not_finite(rows, value):
    correspondences = background(similarity(0, 1, (120, 0)))
    correspondences[rows, ::2] = value
    tracker = make_tracker()
    for i in range(4):
        tracked = tracker.update(make_person(100, 100, 100), None, 0.1 * i)
    assert tracked.track_ids.tolist() == [1]
    # 120 pixels are too far for somebody 100 pixels tall, unless the camera moved.
    person = make_person(220, 100, 100)
    tracked = tracker.update(person, cues_of(person, correspondences), 0.4)
    assert tracked.track_ids[0] == (2 if rows == slice(None) else 1)
    assert np.isfinite(tracked.velocities).all()
