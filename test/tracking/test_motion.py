"""Motion: as a plain loop with the matrices of the textbook, and as simulated people move."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import ImmFilter

from poseflow_ros.tracking import likelihood
from poseflow_ros.tracking import motion as constants
from poseflow_ros.tracking.motion import Motion

pytestmark = pytest.mark.filterwarnings("error")

NOISE, SPEEDS = constants._POSITION_NOISE, constants._SPEEDS
MEMORY_S, RATES = constants._VELOCITY_MEMORY_S, constants._SWITCH_RATES
GATE_SIGMAS = likelihood._GATE_SIGMAS
WALKING, AGILE = 0, 1
# The share of the models in the long run: what goes to agile is as much as comes back.
AGILE_SHARE = RATES[0] / RATES.sum()
SCALES = np.array([40.0, 100.0, 900.0])
ROWS, ALL, NONE = np.arange(3), np.ones(3, bool), np.zeros(3, bool)
ONE, ONE_SCALE, ONE_OBSERVED = np.zeros(1, np.int64), np.array([100.0]), np.ones(1, bool)


def make_motion(seed=0):
    """Return the motion of three people who have been observed at times for a while."""
    rng = np.random.default_rng(seed)
    motion = Motion.starting(rng.uniform(0, 600, (3, 2)), SCALES)
    for _ in range(5):
        motion.predict(rng.uniform(0.1, 1), SCALES, ALL)
        measured = motion.positions + 3 * NOISE * SCALES[:, None] * rng.normal(size=(3, 2))
        motion.correct(ROWS, measured, SCALES)
    return motion


def make_one(probabilities=(1.0, 0.0)):
    """Return the motion of one person of body scale 100 at (0, 300), and these models."""
    motion = Motion.starting(np.array([[0.0, 300.0]]), ONE_SCALE)
    motion.probabilities[:] = probabilities
    return motion


def arrays(motion):
    return {item.name: getattr(motion, item.name).copy() for item in fields(motion)}


def assert_equal(motion, expected, rtol=0.0):
    for name, value in arrays(motion).items():
        np.testing.assert_allclose(value, expected[name], rtol=rtol, atol=0, err_msg=name)


def loop_filter(position, scale):
    return ImmFilter(
        position,
        [(speed * scale, memory_s) for speed, memory_s in zip(SPEEDS, MEMORY_S, strict=True)],
        [[-RATES[0], RATES[0]], [RATES[1], -RATES[1]]],
        [1 - AGILE_SHARE, AGILE_SHARE],
        NOISE * scale,
        constants._LEAST_PROBABILITY,
    )


def assert_as_loop(motion, row, loop, scale):
    close = {"rtol": 1e-7, "atol": 1e-7 * scale}
    np.testing.assert_allclose(motion.probabilities[row], loop.probabilities, atol=1e-9)
    np.testing.assert_allclose([motion.positions[row], motion.velocities[row]], loop.expected(),
                               **close)  # fmt: skip
    for j in (WALKING, AGILE):
        states = np.array(loop.states[j]).T  # position and velocity, of x and y
        mean = motion.means[row, j]
        np.testing.assert_allclose(np.stack([mean.real, mean.imag], axis=1), states, **close)
        position, mixed, velocity = motion.covariances[row, j] / scale**2
        np.testing.assert_allclose(
            [[position, mixed], [mixed, velocity]], loop.covariances[j] / scale**2, atol=1e-8
        )
    assert motion.position_variances[row] == pytest.approx(loop.position_variance(), rel=1e-6)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.005, 1 / 30, 0.1, 0.4, 2.0]),
        # Where each of three people is measured, body scales from where expected; None: missed.
        st.tuples(*[st.none() | st.tuples(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7))] * 3),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_update_equals_blom_and_bar_shalom(steps):
    positions = np.array([[10.0, 20.0], [300.0, 50.0], [-40.0, 90.0]])
    motion = Motion.starting(positions, SCALES)
    loops = [loop_filter(p, scale) for p, scale in zip(positions, SCALES, strict=True)]
    observed = [True, True, True]
    for dt_s, offsets in steps:
        motion.predict(dt_s, SCALES, np.array(observed))
        for loop, mixing in zip(loops, observed, strict=True):
            loop.predict(dt_s, mixing)
        observed = [offset is not None for offset in offsets]
        rows = np.flatnonzero(observed)
        measured = np.array(
            [loops[i].expected()[0] + SCALES[i] * np.array(offsets[i]) for i in rows]
        ).reshape(-1, 2)
        expected = [loops[i].log_likelihood(p, SCALES[i])
                    for i, p in zip(rows, measured, strict=True)]  # fmt: skip
        ratios = motion.log_likelihoods(rows, measured, SCALES[rows])
        np.testing.assert_allclose(ratios, expected, rtol=1e-6, atol=1e-6)
        motion.correct(rows, measured, SCALES[rows])
        for i, point in zip(rows, measured, strict=True):
            loops[i].correct(point)
        for i, loop in enumerate(loops):
            assert_as_loop(motion, i, loop, SCALES[i])


def test_new_tracks_have_zero_velocity_and_large_variance():
    positions = np.array([[10.0, 20.0], [300.0, 400.0]])
    motion = Motion.starting(positions, np.array([50.0, 200.0]))
    np.testing.assert_allclose(motion.positions, positions)
    assert motion.velocities.tolist() == [[0, 0], [0, 0]]
    np.testing.assert_allclose(motion.position_variances, [(50 * NOISE) ** 2, (200 * NOISE) ** 2])
    np.testing.assert_allclose(np.sqrt(motion.covariances[..., 2]),
                               [50 * SPEEDS, 200 * SPEEDS])  # fmt: skip
    assert not motion.covariances[..., 1].any()
    np.testing.assert_allclose(motion.probabilities[:, AGILE], AGILE_SHARE)
    motion.predict(1.0, np.array([50.0, 200.0]), np.ones(2, bool))
    motion.means += 1
    assert positions.tolist() == [[10, 20], [300, 400]]


@pytest.mark.parametrize("n", [2, 10, 1000], ids="in {} steps".format)
def test_one_step_equals_several_shorter_steps_without_measurements(n):
    once, often = make_motion(), make_motion()
    once.predict(1.0, SCALES, NONE)
    for _ in range(n):
        often.predict(1.0 / n, SCALES, NONE)
    assert_equal(often, arrays(once), rtol=1e-9)


@pytest.mark.parametrize("dt_s", [0.0, -1.0])
def test_zero_time_step_changes_nothing(dt_s):
    motion = make_motion()
    before = arrays(motion)
    motion.predict(dt_s, SCALES, ALL)
    assert_equal(motion, before)


def test_models_are_not_mixed_without_observation():
    motion = make_motion()
    before = arrays(motion)
    motion.predict(0.5, SCALES, np.array([True, False, False]))
    assert (motion.probabilities[0] != before["probabilities"][0]).all()
    np.testing.assert_array_equal(motion.probabilities[1:], before["probabilities"][1:])
    # Each model goes on by itself: its velocity fades.
    fading = np.exp(-0.5 / MEMORY_S)
    np.testing.assert_allclose(motion.means[1:, :, 1], fading * before["means"][1:, :, 1])
    assert (motion.means[0, :, 1] != fading * before["means"][0, :, 1]).all()


def test_unobserved_track_comes_to_a_stop():
    motion = make_one((0.75, 0.25))
    motion.means[..., 1] = 10 - 4j
    motion.predict(1000 * MEMORY_S.max(), ONE_SCALE, ~ONE_OBSERVED)
    # Each model goes on by its velocity times its memory.
    reach_s = 0.75 * MEMORY_S[WALKING] + 0.25 * MEMORY_S[AGILE]
    np.testing.assert_allclose(motion.positions, [[10 * reach_s, 300 - 4 * reach_s]])
    np.testing.assert_allclose(motion.velocities, 0, atol=1e-9)
    np.testing.assert_allclose(motion.covariances[0, :, 2], (100 * SPEEDS) ** 2)


def test_the_expected_state_of_two_models_by_hand():
    motion = make_one((0.75, 0.25))
    motion.means[0, :, 0] = [0 + 300j, 8 + 300j]
    motion.means[0, :, 1] = [4 + 0j, 0 + 12j]
    motion.covariances[0, :, 0] = [1.0, 5.0]
    np.testing.assert_allclose(motion.positions, [[2, 300]])
    np.testing.assert_allclose(motion.velocities, [[3, 3]])
    # In x 0.75 (1 + 2^2) + 0.25 (5 + 6^2) = 14, in y 0.75 + 1.25 = 2; the mean of both.
    np.testing.assert_allclose(motion.position_variances, [8])


def test_the_likelihood_of_one_model_by_hand():
    motion = make_one((1.0, 0.0))
    measured = np.array([[6.0, 308.0], [0.0, 300.0]])  # 10 pixels off, and where expected
    ratios = motion.log_likelihoods(np.array([0, 0]), measured, np.array([100.0, 100.0]))
    variance = 2 * (100 * NOISE) ** 2
    density = np.log(100**2 / variance)
    np.testing.assert_allclose(ratios, [density - 100 / variance / 2, density])


def test_likelihood_at_a_large_distance_is_finite():
    motion = make_motion()
    far = np.array([[1e6, 0.0], [0.0, -1e9], [1e12, 1e12]])
    assert np.isfinite(motion.log_likelihoods(ROWS, far, SCALES)).all()
    assert (motion.log_likelihoods(ROWS, far, SCALES) < -100).all()


def test_the_gate_is_that_of_the_wider_model():
    motion = make_one()
    motion.covariances[0, :, 0] = [16.0, (100 * NOISE) ** 2 * 8]
    np.testing.assert_allclose(motion.gates(ONE_SCALE, 2.0), [2 * 3 * 100 * NOISE])
    motion.covariances[0, :, 0] = motion.covariances[0, ::-1, 0]
    np.testing.assert_allclose(motion.gates(ONE_SCALE, 2.0), [2 * 3 * 100 * NOISE])


def test_empty_update_changes_nothing():
    motion = make_motion()
    before = arrays(motion)
    motion.correct(np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0))
    assert_equal(motion, before)


def test_unmeasured_tracks_do_not_change():
    motion = make_motion()
    before = arrays(motion)
    motion.correct(np.array([2, 0]), np.array([[310.0, 220.0], [95.0, 81.0]]), SCALES[[2, 0]])
    for name, value in arrays(motion).items():
        np.testing.assert_array_equal(value[1], before[name][1], err_msg=name)
        assert not np.allclose(value[0], before[name][0])


def test_no_people_are_accepted():
    nobody, nothing = np.zeros(0), np.zeros(0, np.int64)
    motion = Motion.starting(np.zeros((0, 2)), nobody)
    motion.predict(0.1, nobody, np.zeros(0, bool))
    motion.move(np.eye(2), np.zeros(2))
    motion.correct(nothing, np.zeros((0, 2)), nobody)
    motion.shift(nothing, np.zeros((0, 2)))
    assert motion.positions.shape == motion.velocities.shape == (0, 2)
    assert motion.log_likelihoods(nothing, np.zeros((0, 2)), nobody).shape == (0,)
    assert motion.gates(nobody, 3.0).shape == motion.position_variances.shape == (0,)


def follow(path, fps, seconds, noise=0.02, seed=5):
    """Yield time, true position, motion and gate of one person of body scale 100, each frame.

    The motion is that after the measurement, the gate, in pixels, that before it.
    """
    rng = np.random.default_rng(seed)
    motion = Motion.starting(np.array([path(0.0)]), ONE_SCALE)
    for i in range(1, round(seconds * fps) + 1):
        motion.predict(1 / fps, ONE_SCALE, ONE_OBSERVED)
        gate = motion.gates(ONE_SCALE, GATE_SIGMAS)[0]
        measured = np.array([path(i / fps)]) + 100 * rng.normal(0, noise, (1, 2))
        off = np.linalg.norm(measured - motion.positions)
        motion.correct(ONE, measured, ONE_SCALE)
        yield i / fps, np.array(path(i / fps)), motion, off / gate


FPS = pytest.mark.parametrize("fps", [3, 10, 25, 60], ids="{} fps".format)


@FPS
def test_steady_walker_has_the_walking_model(fps):
    velocity = np.array([60.0, -25.0])  # 0.65 body scales per second
    agile, errors = [], []
    for t, truth, motion, off in follow(lambda t: velocity * t + [0, 300], fps, 8):
        assert off < 1
        if t > 3:
            agile.append(motion.probabilities[0, AGILE])
            errors.append(np.abs(motion.velocities[0] - velocity).max())
            np.testing.assert_allclose(motion.positions[0], truth, atol=6)
    assert np.mean(agile) < 0.1
    assert max(agile) < AGILE_SHARE * 1.5
    assert np.mean(errors) < 5


def runs_after_a_second(t):
    """Return where somebody is who reaches 5 body scales per second within half a second."""
    running = max(0.0, t - 1)
    return np.array([500 * (running**2 if running < 0.5 else running - 0.25), 300])


@FPS
def test_runner_stays_within_the_gate(fps):
    for t, truth, motion, off in follow(runs_after_a_second, fps, 4):
        assert off < 1, t
        if t > 2.5:
            np.testing.assert_allclose(motion.positions[0], truth, atol=12)
            np.testing.assert_allclose(motion.velocities[0], [500, 0], atol=60)


@FPS
def test_changing_velocity_selects_the_agile_model(fps):
    agile = [(t, motion.probabilities[0, AGILE])
             for t, _, motion, _ in follow(runs_after_a_second, fps, 4)]  # fmt: skip
    assert max(p for t, p in agile if 0.6 < t <= 1) < 0.1
    assert max(p for t, p in agile if 1 < t <= 1.7) > 0.9
    assert max(p for t, p in agile if t > 3) < 0.1


def simulate(n, dt_s, steps, rng):
    """Yield (n, 2) positions and (n,) models of people of body scale 100 who change the model.

    By Euler and Maruyama's method, in steps of 5 ms.
    """
    fine = round(dt_s / 0.005)
    model = (rng.random(n) < AGILE_SHARE).astype(int)
    position, velocity = np.zeros((n, 2)), 100 * SPEEDS[model, None] * rng.normal(size=(n, 2))
    for _ in range(steps):
        for _ in range(fine):
            model = np.where(rng.random(n) < 0.005 * RATES[model], 1 - model, model)
            position = position + 0.005 * velocity
            memory_s = MEMORY_S[model, None]
            pushes = 100 * SPEEDS[model, None] * np.sqrt(2 * 0.005 / memory_s)
            velocity = velocity * (1 - 0.005 / memory_s) + pushes * rng.normal(size=(n, 2))
        yield position, model


# Longer intervals contain changes of the model there and back, of which the filter knows nothing.
@pytest.mark.parametrize("dt_s", [0.04, 0.1], ids="every {} s".format)
def test_simulated_motion_has_the_expected_covariance_and_probabilities(dt_s):
    rng = np.random.default_rng(11)
    n = 1000
    scales, rows, observed = np.full(n, 100.0), np.arange(n), np.ones(n, bool)

    def measure(positions):
        return positions + NOISE * 100 * rng.normal(size=(n, 2))

    motion = Motion.starting(measure(np.zeros((n, 2))), scales)
    ratios, agile, probabilities = [], [], []
    for positions, model in simulate(n, dt_s, 20, rng):
        motion.predict(dt_s, scales, observed)
        points = measure(positions)
        squared = ((points - motion.positions) ** 2).mean(axis=1)
        ratios.append(squared / (motion.position_variances + (100 * NOISE) ** 2))
        motion.correct(rows, points, scales)
        agile.append(model == AGILE)
        probabilities.append(motion.probabilities[:, AGILE].copy())
    assert np.mean(ratios) == pytest.approx(1, abs=0.15)
    agile, probabilities = np.array(agile), np.array(probabilities)
    assert probabilities.mean() == pytest.approx(agile.mean(), abs=0.04)
    # Of those who are said to be agile with the probability p, the share p is.
    for low, high in ((0.0, 0.2), (0.8, 1.0)):
        some = (probabilities >= low) & (probabilities <= high)
        assert agile[some].mean() == pytest.approx(probabilities[some].mean(), abs=0.1)


@pytest.mark.parametrize("dt_s", [0.0, 1e-3, 2.0, 100.0], ids="{} s apart".format)
def test_numbers_stay_finite_and_variances_positive(dt_s):
    rng = np.random.default_rng(2)
    n = 60
    scales = rng.uniform(1, 1000, n)
    motion = Motion.starting(rng.uniform(0, 600, (n, 2)), scales)
    observed = np.ones(n, bool)
    for _ in range(300):
        motion.predict(dt_s, scales, observed)
        observed = rng.random(n) < 0.7
        rows = np.flatnonzero(observed)
        motion.correct(rows, rng.uniform(0, 600, (len(rows), 2)), scales[rows])
        position, mixed, velocity = np.moveaxis(motion.covariances, -1, 0) / scales[:, None] ** 2
        assert (position > 0).all()
        assert (velocity > 0).all()
        assert (position * velocity - mixed**2 > 0).all()
        assert (position[rows] <= NOISE**2 * (1 + 1e-9)).all()
        assert (motion.probabilities > 0).all()
        np.testing.assert_allclose(motion.probabilities.sum(axis=1), 1)
    assert all(np.isfinite(value).all() for value in arrays(motion).values())


def test_variances_stay_positive_whatever_the_intervals():
    rng = np.random.default_rng(3)
    motion, observed = make_motion(), ALL
    for _ in range(2000):
        motion.predict(rng.choice([0.0, 1e-9, 1e-4, 0.03, 0.3, 5.0, 1e4]), SCALES, observed)
        observed = rng.random(3) < 0.7
        rows = np.flatnonzero(observed)
        motion.correct(rows, rng.uniform(0, 600, (len(rows), 2)), SCALES[rows])
        position, mixed, velocity = np.moveaxis(motion.covariances, -1, 0) / SCALES[:, None] ** 2
        assert (position * velocity - mixed**2 > 0).all()
    assert all(np.isfinite(value).all() for value in arrays(motion).values())


def test_motion_is_proportional_to_body_scale():
    small = Motion.starting(np.array([[10.0, 20.0]]), np.array([50.0]))
    tall = Motion.starting(np.array([[100.0, 200.0]]), np.array([500.0]))
    for motion, size in ((small, 1), (tall, 10)):
        for x in (14.0, 17.0, 43.0):
            motion.predict(0.2, np.array([50.0 * size]), ONE_OBSERVED)
            motion.correct(ONE, size * np.array([[x, 20.0]]), np.array([50.0 * size]))
    np.testing.assert_allclose(tall.means, 10 * small.means)
    np.testing.assert_allclose(tall.covariances, 100 * small.covariances)
    np.testing.assert_allclose(tall.probabilities, small.probabilities)


def test_shifted_positions_keep_velocities_and_variances():
    motion = make_motion()
    before, positions = arrays(motion), motion.positions
    motion.shift(np.array([2, 0]), np.array([[5.0, -7.0], [1.0, 2.0]]))
    np.testing.assert_allclose(motion.positions - positions, [[1, 2], [0, 0], [5, -7]])
    # The same for each model.
    moved = motion.means[..., 0] - before["means"][..., 0]
    np.testing.assert_allclose(moved, [[1 + 2j] * 2, [0] * 2, [5 - 7j] * 2], atol=1e-9)
    np.testing.assert_array_equal(motion.means[..., 1], before["means"][..., 1])
    np.testing.assert_array_equal(motion.covariances, before["covariances"])
    np.testing.assert_array_equal(motion.probabilities, before["probabilities"])


def similarity(degrees, scale):
    turn = np.deg2rad(degrees)
    return scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def test_rotated_and_scaled_image_by_hand():
    motion = Motion.starting(np.array([[10.0, 0.0]]), ONE_SCALE)
    motion.means[..., 1] = 3 + 1j
    motion.covariances[:] = [9.0, 7.0, 8.0]
    # By 90 degrees, x to y, to twice the size: 10 right is 20 down, then (5, -5) on.
    motion.move(np.array([[0.0, -2.0], [2.0, 0.0]]), np.array([5.0, -5.0]))
    np.testing.assert_allclose(motion.positions, [[5, 15]])
    np.testing.assert_allclose(motion.velocities, [[-2, 6]])
    np.testing.assert_allclose(motion.covariances, [[[36, 28, 32]] * 2])


CAMERAS = pytest.mark.parametrize(
    ("degrees", "scale"),
    [
        pytest.param(0, 1, id="shifted alone"),
        pytest.param(25, 1, id="rotated"),
        pytest.param(-3, 1.3, id="rotated and zoomed in"),
        pytest.param(190, 0.5, id="upside down and zoomed out"),
    ],
)


@CAMERAS
def test_camera_motion_applies_to_each_model(degrees, scale):
    motion = make_motion()
    before = arrays(motion)
    linear, shift = similarity(degrees, scale), np.array([30.0, -80.0])
    motion.move(linear, shift)
    for i, j in np.ndindex(3, 2):
        (position, velocity) = before["means"][i, j]
        moved = linear @ [position.real, position.imag] + shift
        turned = linear @ [velocity.real, velocity.imag]
        np.testing.assert_allclose(motion.means[i, j], [complex(*moved), complex(*turned)])
        # A variance that is alike in x and y stays so: linear (v I) linear^T.
        for before_v, now_v in zip(before["covariances"][i, j], motion.covariances[i, j],
                                   strict=True):  # fmt: skip
            expected = linear @ (before_v * np.eye(2)) @ linear.T
            atol = 1e-9 * abs(expected).max()
            np.testing.assert_allclose(now_v * np.eye(2), expected, atol=atol)


@CAMERAS
@pytest.mark.parametrize("observed", [ALL, NONE], ids=["observed", "unobserved"])
def test_camera_motion_and_prediction_commute(degrees, scale, observed):
    one, other = make_motion(), make_motion()
    linear, shift = similarity(degrees, scale), np.array([30.0, -80.0])
    one.move(linear, shift)
    one.predict(0.4, scale * SCALES, observed)
    other.predict(0.4, SCALES, observed)
    other.move(linear, shift)
    assert_equal(one, arrays(other), rtol=1e-9)


def test_opposite_camera_motions_cancel():
    motion = make_motion()
    before = arrays(motion)
    linear, shift = similarity(20, 1.4), np.array([12.0, 7.0])
    back = np.linalg.inv(linear)
    motion.move(linear, shift)
    motion.move(back, -back @ shift)
    assert_equal(motion, before, rtol=1e-9)
