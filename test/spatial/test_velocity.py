"""Velocities in space: of people who walk straight, stop, vanish and come back."""

import numpy as np
import pytest

from poseflow_ros.spatial.velocity import SpatialVelocity

WALK = np.array([1.2, 0.0, -0.5])
NOWHERE = np.full((1, 3), np.nan)


def ids(*values):
    return np.array(values, np.int64)


def walked(velocity, stamps, start=0.0):
    """Return the last answer for person 1 on the way, 1.2 m/s right and 0.5 m/s nearer."""
    for stamp in stamps:
        answer = velocity.update(ids(1), (stamp - start) * WALK[None], stamp)
    return answer


def test_velocity_is_unknown_after_one_position():
    velocity = SpatialVelocity()
    assert np.isnan(walked(velocity, [10.0])).all()


def test_velocity_of_two_positions_is_difference_over_time():
    assert walked(SpatialVelocity(), [10.0, 10.1]) == pytest.approx(WALK[None])


@pytest.mark.parametrize("start", [0.0, 1.7e9], ids=["at zero", "at seconds since 1970"])
def test_constant_velocity_is_exact_at_any_rate(start):
    stamps = start + np.cumsum(np.random.default_rng(1).uniform(0.01, 0.4, 50))
    answer = walked(SpatialVelocity(), stamps, start)
    assert answer == pytest.approx(WALK[None], abs=1e-4)


def test_velocity_equals_weighted_numpy_fit():
    random = np.random.default_rng(2)
    stamps = np.cumsum(random.uniform(0.02, 0.2, 20))
    places = random.normal(size=(20, 3))
    velocity = SpatialVelocity()
    for stamp, place in zip(stamps, places, strict=True):
        answer = velocity.update(ids(4), place[None], stamp)
    # polyfit squares the weights it is given.
    weights = np.exp(-(stamps[-1] - stamps) / 0.4 / 2)
    assert answer[0] == pytest.approx(np.polyfit(stamps, places, 1, w=weights)[0])


def test_noise_is_reduced():
    """3 cm of noise are 1.3 m/s from one frame to the next at 30 Hz."""
    random = np.random.default_rng(3)
    velocity = SpatialVelocity()
    answers = [
        velocity.update(np.arange(500), random.normal(0, 0.03, (500, 3)), frame / 30)
        for frame in range(60)
    ]
    # The variance of a weighted line's slope, from the formula.
    times = np.arange(60) / 30
    weights = np.exp(times / 0.4)
    leverage = weights * (times - np.average(times, weights=weights))
    expected = 0.03 * np.sqrt((leverage**2).sum()) / (leverage * times).sum()
    assert expected < 0.015
    assert answers[-1].std() == pytest.approx(expected, rel=0.1)


def test_velocity_decays_within_a_second_after_stopping():
    velocity = SpatialVelocity()
    walked(velocity, np.arange(0, 3, 0.1))
    for frame in range(15):
        answer = velocity.update(ids(1), 2.9 * WALK[None], 3.0 + frame / 10)
    assert np.linalg.norm(answer) < 0.15 * np.linalg.norm(WALK)


def test_velocity_is_kept_while_the_position_is_briefly_unknown():
    velocity = SpatialVelocity()
    walked(velocity, [0.0, 0.1, 0.2])
    assert velocity.update(ids(1), NOWHERE, 0.3) == pytest.approx(WALK[None])
    assert velocity.update(ids(1), NOWHERE, 1.1) == pytest.approx(WALK[None])
    assert np.isnan(velocity.update(ids(1), NOWHERE, 1.3)).all()


def test_short_gap_does_not_change_the_velocity():
    velocity = SpatialVelocity()
    walked(velocity, [0.0, 0.1, 0.2])
    assert walked(velocity, [0.9]) == pytest.approx(WALK[None])


def test_estimation_restarts_after_a_long_gap():
    velocity = SpatialVelocity()
    walked(velocity, [0.0, 0.1, 0.2])
    elsewhere = np.array([[50.0, 0, 5]])
    assert np.isnan(velocity.update(ids(1), elsewhere, 1.3)).all()
    assert velocity.update(ids(1), elsewhere, 1.4) == pytest.approx(np.zeros((1, 3)))


def test_estimation_restarts_after_an_earlier_stamp():
    velocity = SpatialVelocity()
    walked(velocity, [5.0, 5.1])
    assert np.isnan(walked(velocity, [1.0])).all()
    assert walked(velocity, [1.1]) == pytest.approx(WALK[None])


def test_positions_with_equal_stamps_are_one_time():
    velocity = SpatialVelocity()
    walked(velocity, [1.7e9])
    assert np.isnan(velocity.update(ids(1), np.ones((1, 3)), 1.7e9)).all()
    assert np.isnan(velocity.update(ids(1), np.ones((1, 3)), 1.7e9 + 1e-5)).all()


def test_each_track_has_its_own_velocity():
    velocity = SpatialVelocity()
    velocity.update(ids(7, 3), np.array([[0.0, 0, 0], [5, 5, 5]]), 0.0)
    # In another order, and with somebody new between them.
    there = np.array([[5.0, 5.1, 5], [9, 9, 9], [0, 0, 0.2]])
    answer = velocity.update(ids(3, 5, 7), there, 0.1)
    assert answer[0] == pytest.approx([0, 1, 0])
    assert np.isnan(answer[1]).all()
    assert answer[2] == pytest.approx([0, 0, 2])


def test_tracks_missing_in_an_update_are_removed():
    velocity = SpatialVelocity()
    walked(velocity, [0.0, 0.1])
    assert velocity.update(ids(), np.zeros((0, 3)), 0.2).shape == (0, 3)
    assert np.isnan(walked(velocity, [0.3])).all()


def test_reset_forgets_everybody():
    velocity = SpatialVelocity()
    walked(velocity, [0.0, 0.1])
    velocity.reset()
    assert np.isnan(walked(velocity, [0.2])).all()


def test_inconsistent_arguments_are_rejected():
    velocity = SpatialVelocity()
    with pytest.raises(ValueError, match=r"positions must be \(2, 3\), got \(1, 3\)"):
        velocity.update(ids(1, 2), np.zeros((1, 3)), 0.0)
    with pytest.raises(ValueError, match="track_ids must differ"):
        velocity.update(ids(1, 1), np.zeros((2, 3)), 0.0)
