"""Motion: as the matrices of the textbook say, and as simulated people walk."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.linalg import expm

from poseflow_ros.tracking import motion as constants
from poseflow_ros.tracking.motion import Motion

pytestmark = pytest.mark.filterwarnings("error")

NOISE, WALKING, KEEPING_S = constants._POSITION_NOISE, constants._WALKING, constants._KEEPING_S
HEIGHTS = np.array([40.0, 100.0, 900.0])
EVERYBODY = np.arange(3)


def some_motion(seed=0):
    """Return the motion of people who have been seen at times for a while."""
    rng = np.random.default_rng(seed)
    motion = Motion.starting(rng.uniform(0, 600, (3, 2)), HEIGHTS)
    for _ in range(5):
        motion.predict(rng.uniform(0.1, 1), HEIGHTS)
        measured = motion.positions + NOISE * HEIGHTS[:, None] * rng.normal(size=(3, 2))
        motion.correct(EVERYBODY, measured, HEIGHTS)
    return motion


def arrays(motion):
    return {item.name: getattr(motion, item.name).copy() for item in fields(motion)}


def states(motion):
    """Return (M, 2, 2): person, position and velocity, x and y."""
    return np.stack([motion.positions, motion.velocities], axis=1)


def covariances(motion):
    """Return (M, 2, 2) of position and velocity."""
    p, c, v = motion.position_variances, motion.covariances, motion.velocity_variances
    return np.array([[p, c], [c, v]]).transpose(2, 0, 1)


def van_loan(dt_s, height):
    """Return the transition and its noise (Van Loan, IEEE Transactions 23, 1978)."""
    drift = np.array([[0, 1], [0, -1 / KEEPING_S]])
    noise = np.diag([0, 2 * (WALKING * height) ** 2 / KEEPING_S])
    both = expm(dt_s * np.block([[-drift, noise], [np.zeros((2, 2)), drift.T]]))
    transition = both[2:, 2:].T
    return transition, transition @ both[:2, 2:]


def test_people_first_seen_stand_and_may_walk_anywhere():
    positions = np.array([[10.0, 20.0], [300.0, 400.0]])
    motion = Motion.starting(positions, np.array([50.0, 200.0]))
    np.testing.assert_array_equal(motion.positions, positions)
    assert motion.velocities.tolist() == [[0, 0], [0, 0]]
    spreads = np.sqrt([motion.position_variances, motion.velocity_variances])
    np.testing.assert_allclose(spreads, [[50 * NOISE, 200 * NOISE], [50 * WALKING, 200 * WALKING]])
    assert motion.covariances.tolist() == [0, 0]
    motion.predict(1.0, np.array([50.0, 200.0]))
    motion.positions += 1
    assert positions.tolist() == [[10, 20], [300, 400]]


@pytest.mark.parametrize(
    "dt_s",
    [
        pytest.param(1 / 30, id="a frame of a camera"),
        pytest.param(0.4, id="a frame of a slow network"),
        pytest.param(7.0, id="behind a pillar"),
        pytest.param(20.0, id="longer than people keep their velocity"),
    ],
)
def test_prediction_is_that_of_the_matrix_exponential(dt_s):
    motion = some_motion()
    before, spread = states(motion), covariances(motion)
    motion.predict(dt_s, HEIGHTS)
    for i, height in enumerate(HEIGHTS):
        transition, noise = van_loan(dt_s, height)
        np.testing.assert_allclose(states(motion)[i], transition @ before[i], rtol=1e-9)
        expected = transition @ spread[i] @ transition.T + noise
        np.testing.assert_allclose(covariances(motion)[i], expected, rtol=1e-9)


@pytest.mark.parametrize("n", [2, 10, 1000], ids="in {} steps".format)
def test_one_step_of_a_second_is_as_many_of_its_parts(n):
    once, often = some_motion(), some_motion()
    once.predict(1.0, HEIGHTS)
    for _ in range(n):
        often.predict(1.0 / n, HEIGHTS)
    for name, value in arrays(once).items():
        np.testing.assert_allclose(getattr(often, name), value, rtol=1e-9, err_msg=name)


def test_no_time_changes_nothing():
    motion = some_motion()
    before = arrays(motion)
    motion.predict(0.0, HEIGHTS)
    for name, value in arrays(motion).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_somebody_unseen_comes_to_a_halt_where_their_velocity_lets_them():
    motion = Motion.starting(np.array([[100.0, 50.0]]), np.array([100.0]))
    motion.velocities[:] = 10.0, -4.0
    motion.predict(1000 * KEEPING_S, np.array([100.0]))
    expected = [[100 + 10 * KEEPING_S, 50 - 4 * KEEPING_S]]
    np.testing.assert_allclose(motion.positions, expected)
    np.testing.assert_allclose(motion.velocities, 0, atol=1e-9)
    assert motion.velocity_variances == pytest.approx((100 * WALKING) ** 2)


def test_a_correction_is_that_of_the_textbook():
    motion = some_motion()
    motion.predict(0.5, HEIGHTS)
    before, spread, untouched = states(motion), covariances(motion), arrays(motion)
    rows, measured = np.array([2, 0]), np.array([[310.0, 220.0], [95.0, 81.0]])
    expected_innovations = spread[:, 0, 0] + (NOISE * HEIGHTS) ** 2
    np.testing.assert_allclose(motion.innovation_variances(HEIGHTS), expected_innovations)
    motion.correct(rows, measured, HEIGHTS)
    look = np.array([[1.0, 0.0]])
    for row, point in zip(rows, measured, strict=True):
        noise = np.array([[(NOISE * HEIGHTS[row]) ** 2]])
        innovation = look @ spread[row] @ look.T + noise
        gain = spread[row] @ look.T @ np.linalg.inv(innovation)
        state = before[row] + gain @ (point[None] - look @ before[row])
        rest = np.eye(2) - gain @ look  # Joseph's form
        covariance = rest @ spread[row] @ rest.T + gain @ noise @ gain.T
        np.testing.assert_allclose(states(motion)[row], state, rtol=1e-9)
        np.testing.assert_allclose(covariances(motion)[row], covariance, rtol=1e-9)
    for name, value in arrays(motion).items():
        np.testing.assert_array_equal(value[1], untouched[name][1], err_msg=name)


def test_correcting_nobody_changes_nothing():
    motion = some_motion()
    before = arrays(motion)
    motion.correct(np.zeros(0, int), np.zeros((0, 2)), HEIGHTS)
    for name, value in arrays(motion).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_nobody_is_no_error():
    motion = Motion.starting(np.zeros((0, 2)), np.zeros(0))
    motion.predict(0.1, np.zeros(0))
    motion.move(np.eye(2), np.zeros(2))
    motion.correct(np.zeros(0, int), np.zeros((0, 2)), np.zeros(0))
    assert motion.innovation_variances(np.zeros(0)).shape == (0,)


def test_the_velocity_of_a_steady_walker_is_found():
    rng = np.random.default_rng(5)
    height, velocity = np.array([100.0]), np.array([60.0, -25.0])
    motion = Motion.starting(np.array([[0.0, 300.0]]), height)
    errors = []
    for i in range(1, 81):
        motion.predict(0.1, height)
        truth = [0.0, 300.0] + 0.1 * i * velocity
        motion.correct(np.array([0]), truth + rng.normal(0, 1, (1, 2)), height)
        errors.append(np.abs(motion.velocities[0] - velocity).max())
    assert errors[0] > 20
    assert max(errors[40:]) < 5
    np.testing.assert_allclose(motion.positions[0], truth, atol=2)


def walkers(n, dt_s, steps, height, rng):
    """Yield the (n,) positions of walkers after each step, by Euler and Maruyama's method."""
    position, velocity = np.zeros(n), WALKING * height * rng.normal(size=n)
    fine = 20
    h = dt_s / fine
    for _ in range(steps):
        for _ in range(fine):
            position = position + h * velocity
            pushes = WALKING * height * np.sqrt(2 * h / KEEPING_S) * rng.normal(size=n)
            velocity = velocity * (1 - h / KEEPING_S) + pushes
        yield position


@pytest.mark.parametrize("dt_s", [0.1, 1.0], ids="every {} s".format)
def test_people_are_as_far_off_as_the_variances_say(dt_s):
    rng = np.random.default_rng(11)
    n, height = 2000, 100.0
    heights, rows = np.full(n, height), np.arange(n)

    def measured(truth):
        return np.stack([truth, truth], axis=1) + NOISE * height * rng.normal(size=(n, 2))

    motion = Motion.starting(measured(np.zeros(n)), heights)
    for truth in walkers(n, dt_s, 12, height, rng):
        motion.predict(dt_s, heights)
        points = measured(truth)
        off = ((points - motion.positions) ** 2).mean()
        assert off == pytest.approx(motion.innovation_variances(heights)[0], rel=0.12)
        motion.correct(rows, points, heights)


def test_variances_stay_variances_whatever_comes():
    rng = np.random.default_rng(2)
    n = 60
    heights = rng.uniform(10, 1000, n)
    motion = Motion.starting(rng.uniform(0, 600, (n, 2)), heights)
    for _ in range(3000):
        motion.predict(rng.choice([0.0, 1e-9, 1e-4, 0.03, 0.3, 5.0, 1e4]), heights)
        rows = np.flatnonzero(rng.random(n) < 0.7)
        motion.correct(rows, rng.uniform(0, 600, (len(rows), 2)), heights)
        assert (motion.position_variances > 0).all()
        assert (motion.velocity_variances > 0).all()
        assert (np.linalg.det(covariances(motion) / heights[:, None, None] ** 2) > 0).all()
        assert (motion.position_variances[rows] <= (NOISE * heights[rows]) ** 2).all()
    assert all(np.isfinite(value).all() for value in arrays(motion).values())


def test_somebody_ten_times_as_tall_moves_ten_times_as_far():
    small = Motion.starting(np.array([[10.0, 20.0]]), np.array([50.0]))
    tall = Motion.starting(np.array([[100.0, 200.0]]), np.array([500.0]))
    for motion, size in ((small, 1), (tall, 10)):
        for x in (14.0, 17.0, 23.0):
            motion.predict(0.2, np.array([50.0 * size]))
            motion.correct(np.array([0]), size * np.array([[x, 20.0]]), np.array([50.0 * size]))
    np.testing.assert_allclose(states(tall), 10 * states(small))
    np.testing.assert_allclose(covariances(tall), 100 * covariances(small))


def similarity(degrees, scale):
    turn = np.deg2rad(degrees)
    return scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def test_a_turned_and_grown_picture_by_hand():
    motion = Motion.starting(np.array([[10.0, 0.0]]), np.array([100.0]))
    motion.velocities[:] = 3.0, 1.0
    motion.covariances[:] = 7.0
    position, velocity = motion.position_variances[0], motion.velocity_variances[0]
    # By 90 degrees, x to y, to twice the size: 10 right is 20 down, then (5, -5) on.
    motion.move(np.array([[0.0, -2.0], [2.0, 0.0]]), np.array([5.0, -5.0]))
    np.testing.assert_allclose(motion.positions, [[5, 15]])
    np.testing.assert_allclose(motion.velocities, [[-2, 6]])
    np.testing.assert_allclose(covariances(motion), 4 * np.array([[[position, 7], [7, velocity]]]))


@pytest.mark.parametrize(
    ("degrees", "scale"),
    [
        pytest.param(0, 1, id="shifted alone"),
        pytest.param(25, 1, id="turned"),
        pytest.param(-3, 1.3, id="turned and grown"),
        pytest.param(190, 0.5, id="upside down and shrunk"),
    ],
)
def test_variances_turn_with_the_picture(degrees, scale):
    motion = some_motion()
    before, spread = states(motion), covariances(motion)
    linear, shift = similarity(degrees, scale), np.array([30.0, -80.0])
    motion.move(linear, shift)
    for i in range(3):
        np.testing.assert_allclose(motion.positions[i], linear @ before[i, 0] + shift)
        np.testing.assert_allclose(motion.velocities[i], linear @ before[i, 1])
        # x, y of the position, then of the velocity.
        turned = np.kron(np.eye(2), linear) @ np.kron(spread[i], np.eye(2))
        turned = turned @ np.kron(np.eye(2), linear).T
        np.testing.assert_allclose(
            np.kron(covariances(motion)[i], np.eye(2)), turned, atol=1e-9 * turned.max()
        )


def test_a_camera_that_moves_there_and_back_changes_nothing():
    motion = some_motion()
    before = arrays(motion)
    linear, shift = similarity(20, 1.4), np.array([12.0, 7.0])
    back = np.linalg.inv(linear)
    motion.move(linear, shift)
    motion.move(back, -back @ shift)
    for name, value in arrays(motion).items():
        np.testing.assert_allclose(value, before[name], rtol=1e-9, err_msg=name)
