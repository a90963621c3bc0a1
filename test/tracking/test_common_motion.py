"""The camera motion from the people alone: what most of them have in common."""

import numpy as np
import pytest

from poseflow_ros.tracking.common_motion import estimate_common_motion

pytestmark = pytest.mark.filterwarnings("error")

SCALE = 80.0
STILL = np.zeros(2)


def spread(n, seed=0, size=(1000, 600)):
    """Return (n, 2) places at random."""
    return np.random.default_rng(seed).uniform((0, 0), size, (n, 2))


def scales_of(points, scale=SCALE):
    return np.full(len(points), scale)


def estimate(before, now, last=STILL, before_scales=None, now_scales=None):
    before_scales = scales_of(before) if before_scales is None else before_scales
    now_scales = scales_of(now) if now_scales is None else now_scales
    return estimate_common_motion(before, before_scales, now, now_scales, np.array(last, float))


def assert_explains(motion, before, now, within=0.1):
    """Assert that the motion leads from (N, 2) points to (N, 2) points, in body scales."""
    assert motion is not None
    apart = np.linalg.norm(before @ motion.linear.T + motion.shift - now, axis=1)
    assert apart.max() < within * SCALE
    # Rotation times scale: the columns are perpendicular and equally long.
    (a, c), (b, d) = motion.linear
    assert (a, c) == pytest.approx((d, -b))
    assert motion.linear.shape == (2, 2)
    assert motion.shift.shape == (2,)


def rotated(points, degrees, scale, about=(500, 300)):
    turn = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (points - about) @ linear.T + about


@pytest.mark.parametrize("n", [3, 5, 20])
@pytest.mark.parametrize(
    "displacement", [(60, -20), (-300, 10), (0, 45)], ids=["right and up", "far left", "down"]
)
def test_equal_displacements_give_the_camera_motion(n, displacement):
    before = spread(n)
    motion = estimate(before, before + displacement)
    assert_explains(motion, before, before + displacement, 0.01)
    np.testing.assert_allclose(motion.linear, np.eye(2), atol=0.01)


@pytest.mark.parametrize("displacement", [(25, 5), (-40, 0)])
def test_equal_displacements_of_200_people_give_the_camera_motion(displacement):
    before = spread(200, size=(4000, 3000))
    assert_explains(estimate(before, before + displacement), before, before + displacement, 0.01)


def test_detection_order_does_not_affect_the_motion():
    before = spread(20)
    now = np.add(before, (90, 30))
    motion = estimate(before, now[np.random.default_rng(1).permutation(20)])
    assert_explains(motion, before, now, 0.01)


# A rotation or a zoom displaces people by up to 0.1 body scales more or less than the middle.
@pytest.mark.parametrize(
    ("degrees", "scale", "shift"),
    [
        pytest.param(1, 1, (70, 0), id="rotated and shifted"),
        pytest.param(0, 1.015, (70, 0), id="zoomed in and shifted"),
        pytest.param(-1, 0.99, (0, -60), id="rotated, zoomed out and shifted"),
    ],
)
def test_rotation_and_zoom_are_part_of_the_motion(degrees, scale, shift):
    before = spread(20)
    now = rotated(before, degrees, scale) + shift
    motion = estimate(before, now, now_scales=scales_of(now, SCALE * scale))
    assert_explains(motion, before, now, 0.15)
    displaced = before + (now - before).mean(axis=0)
    left = np.linalg.norm(before @ motion.linear.T + motion.shift - now, axis=1)
    assert left.mean() < 0.6 * np.linalg.norm(displaced - now, axis=1).mean()


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("running", [0, 1, 2], ids="{} run".format)
def test_still_camera_gives_none_with_runners(n, running):
    before = spread(n)
    now = before + np.random.default_rng(1).normal(0, 0.03 * SCALE, (n, 2))
    now[:running] += [1.5 * SCALE, 0]
    assert estimate(before, now) is None


def test_still_camera_gives_none_after_a_motion():
    before = spread(6)
    assert estimate(before, before, last=(70, 0)) is None


@pytest.mark.parametrize(
    ("n", "m"),
    [
        pytest.param(0, 0, id="nobody"),
        pytest.param(0, 5, id="nobody is tracked"),
        pytest.param(5, 0, id="nobody is found"),
        pytest.param(1, 1, id="one person"),
        pytest.param(2, 2, id="two people"),
        pytest.param(2, 6, id="two people, and others found"),
        pytest.param(6, 2, id="two found of six people"),
    ],
)
def test_fewer_than_three_people_give_none(n, m):
    before = spread(max(n, m))
    assert estimate(before[:n], (np.add(before, (60, 0)))[:m]) is None


def test_motion_is_robust_to_false_positives_and_misses():
    before = spread(12)
    found = np.delete(np.add(before, (70, 25)), [1, 5, 8], axis=0)
    false_positives = spread(5, seed=9)
    motion = estimate(before, np.vstack([false_positives, found]))
    assert_explains(motion, before, np.add(before, (70, 25)), 0.05)


def test_walking_people_give_the_camera_motion():
    before = spread(15)
    now = np.add(before, (80, -10)) + np.random.default_rng(4).normal(0, 0.06 * SCALE, (15, 2))
    assert_explains(estimate(before, now), before, np.add(before, (80, -10)), 0.15)


def test_motion_is_robust_to_runners():
    before = spread(10)
    now = np.add(before, (80, -10))
    now[:3] += [[100, 0], [-90, 20], [0, 120]]
    assert_explains(estimate(before, now), before, np.add(before, (80, -10)), 0.05)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_detections_of_another_size_are_not_matched(factor):
    before = spread(6)
    now = np.add(before, (60, 0))
    assert estimate(before, now, now_scales=scales_of(now, factor * SCALE)) is None


def test_diverging_people_give_none():
    before = spread(8)
    directions = np.deg2rad(45 * np.arange(8))
    now = before + 90 * np.stack([np.cos(directions), np.sin(directions)], axis=1)
    assert estimate(before, now) is None


def test_continued_motion_beyond_the_neighbours_is_found():
    # So dense that nobody's own detection is among the nearest.
    before = spread(200)
    now = np.add(before, (150, 0))
    assert estimate(before, now) is None
    assert_explains(estimate(before, now, last=(146, 3)), before, now, 0.05)


def make_row(last_displacement):
    """Return the motion of five people in a row, of whom six half a pitch off are found.

    Half a pitch to the right and half to the left explain everybody equally.
    """
    before = np.stack([100.0 * np.arange(5), np.full(5, 200.0)], axis=1)
    now = np.stack([100.0 * np.arange(6) - 50, np.full(6, 200.0)], axis=1)
    return estimate(before, now, last=last_displacement)


def test_last_displacement_is_preferred_among_equals():
    directions = [make_row((x, 0)).shift[0] > 0 for x in (50, 47, -50, -47)]
    assert directions == [True, True, False, False]


def test_result_is_none_or_finite_for_random_input():
    rng = np.random.default_rng(6)
    found = 0
    for _ in range(200):
        n, m = rng.integers(0, 12, 2)
        before = rng.uniform(0, 300, (n, 2))
        now = np.vstack([before[: m // 2] + rng.normal(0, 80, 2), rng.uniform(0, 300, (m, 2))])
        motion = estimate(before, now, last=rng.normal(0, 50, 2),
                          before_scales=rng.uniform(0.1, 100, n),
                          now_scales=rng.uniform(0.1, 100, len(now)))  # fmt: skip
        if motion is not None:
            found += 1
            assert np.isfinite(motion.linear).all()
            assert np.isfinite(motion.shift).all()
    assert 0 < found < 200


def test_people_at_one_position_give_a_displacement():
    before = np.full((4, 2), 100.0)
    assert_explains(
        estimate(before, np.add(before, (70, 0))), before, np.add(before, (70, 0)), 0.01
    )
