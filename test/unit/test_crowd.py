"""The simulated crowd: one world for a seed, people who behave like people."""

import numpy as np
import pytest

from poseflow_ros.bench.camera import Camera, CameraMotion
from poseflow_ros.bench.crowd import Crowd
from poseflow_ros.bench.detector_model import MODELS
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.simulation import Settings, simulate
from poseflow_ros.bench.view import hidden_points, hidden_shares
from poseflow_ros.bench.walker import boxes_px, keypoints_m

MODEL = MODELS["movenet_tiled"]
PICTURE = np.array([768.0, 576.0])
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ANKLE, RIGHT_ANKLE = 5, 6, 15, 16


def settings(people=8, seconds=3.0, seed=1, fps=10.0, camera_motion=False):
    return Settings(people, seconds, seed, fps, camera_motion, MODEL)


def numbers(sight):
    poses = sight.poses
    arrays = [sight.truth_ids, sight.truth_boxes, sight.matches, poses.keypoints, poses.boxes]
    return np.concatenate([np.ravel(a) for a in (*arrays, poses.scores, poses.keypoint_scores)])


def equal(one, other):
    return all(
        np.array_equal(numbers(a), numbers(b)) for a, b in zip(one, other, strict=True)
    )  # fmt: skip


def test_a_seed_gives_the_same_again_and_another_gives_another():
    first = list(simulate(settings(camera_motion=True)))
    assert equal(first, simulate(settings(camera_motion=True)))
    assert not equal(first, simulate(settings(camera_motion=True, seed=2)))


@pytest.mark.parametrize("fps", [5, 20, 30])
@pytest.mark.parametrize("camera_motion", [False, True])
def test_the_world_is_the_same_at_any_rate(fps, camera_motion):
    def truth(rate):
        sights = simulate(settings(fps=rate, camera_motion=camera_motion))
        return {round(s.stamp_s, 6): (s.truth_ids, s.truth_boxes) for s in sights}

    slow, other = truth(10), truth(fps)
    common = sorted(slow.keys() & other.keys())
    assert len(common) >= 15
    for stamp_s in common:
        np.testing.assert_array_equal(slow[stamp_s][0], other[stamp_s][0])
        np.testing.assert_allclose(slow[stamp_s][1], other[stamp_s][1], atol=1e-6)


def test_between_two_steps_people_are_between_their_places():
    def places(stamp_s):
        return Crowd(Camera(5), np.random.default_rng(1)).at(stamp_s).places_m

    before, after = places(1.0), places(1.05)
    assert np.abs(after - before).max() > 0.02
    np.testing.assert_allclose(places(1.0125), before + (after - before) / 4, atol=1e-9)


@pytest.mark.parametrize("people", [5, 20, 200])
def test_most_people_are_in_the_picture_and_as_tall_as_ever(people):
    camera = Camera(people)
    crowd = Crowd(camera, np.random.default_rng(3))
    seen, heights = [], []
    for k in range(20):
        boxes = boxes_px(camera.project(crowd.at(3.0 * k).keypoints_m))
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((middle > 0) & (middle < camera.size_px)).all(axis=1)
        seen.append(inside.mean())
        heights += (boxes[:, 3] - boxes[:, 1])[inside].tolist()
    assert np.mean(seen) >= 0.6
    assert 60 <= np.median(heights) <= 150


def test_people_walk_stand_and_never_run():
    crowd = Crowd(Camera(20), np.random.default_rng(1))
    places = np.array([crowd.at(k / 10).places_m for k in range(600)])
    speeds = np.hypot(*np.moveaxis(np.diff(places, axis=0), -1, 0)) * 10
    assert speeds.max() <= 1.8 + 1e-9
    assert 0.05 <= (speeds < 0.05).mean() <= 0.6
    assert 0.3 <= (speeds > 0.5).mean() <= 0.95


def test_people_keep_their_distance_and_meet_all_the_same():
    crowd = Crowd(Camera(20), np.random.default_rng(1))
    nearest = []
    for k in range(300):
        x, z = crowd.at(k / 10).places_m.T
        apart = np.hypot(x[:, None] - x, z[:, None] - z)[np.triu_indices(20, 1)]
        nearest.append(apart.min())
    assert np.mean(np.array(nearest) < 0.2) < 0.1
    assert np.median(nearest) < 0.8


def test_who_leaves_the_picture_comes_back_as_the_same_person():
    frames = {}
    for k, sight in enumerate(simulate(settings(people=12, seconds=90))):
        for who in sight.truth_ids.tolist():
            frames.setdefault(who, []).append(k)
    assert sorted(frames) == list(range(1, 13))
    away_s = [gap / 10 for f in frames.values() for gap in np.diff(f) if gap > 20]
    assert len(away_s) >= 3
    assert max(away_s) < 40


def test_a_person_half_as_far_is_twice_as_tall():
    camera = Camera(20)
    heights = []
    for ahead_m in (8.0, 16.0):
        still = np.zeros(1)
        body = keypoints_m(
            np.array([[0, ahead_m]]), np.array([[0.0, -1]]), still, still, np.full(1, 1.7)
        )
        (box,) = boxes_px(camera.project(body))
        heights.append(box[3] - box[1])
    assert heights[0] / heights[1] == pytest.approx(2, rel=0.15)  # seen more from above when near


@pytest.mark.parametrize(("ahead", "sign"), [(-1.0, 1), (1.0, -1)], ids=["comes", "goes"])
def test_the_left_shoulder_is_on_the_right_of_somebody_who_comes(ahead, sign):
    still = np.zeros(1)
    body = keypoints_m(np.array([[0, 9.0]]), np.array([[0, ahead]]), still, still, np.ones(1))
    (points,) = Camera(1).project(body)
    assert np.sign(points[LEFT_SHOULDER, 0] - points[RIGHT_SHOULDER, 0]) == sign


def test_feet_swing_against_each_other_when_somebody_walks_only():
    phases = np.linspace(0, 2 * np.pi, 40)
    places, headings = np.zeros((40, 2)), np.tile([0.0, 1.0], (40, 1))
    for speed, least, most in ((0.0, 0.0, 1e-9), (1.4, 0.4, 1.2)):
        body = keypoints_m(places, headings, phases, np.full(40, speed), np.full(40, 1.7))
        stride = body[:, LEFT_ANKLE, 2] - body[:, RIGHT_ANKLE, 2]
        assert least <= np.ptp(stride) / 2 <= most
        assert abs(stride.mean()) < 0.1


def test_the_farther_one_is_hidden():
    # The right half of the far box lies in the near one, whose own box nobody covers.
    boxes = np.array([[100.0, 100, 200, 300], [150.0, 50, 400, 500]])
    distances = np.array([9.0, 5.0])
    assert hidden_shares(boxes, distances, PICTURE).tolist() == [0.5, 0.0]
    assert hidden_shares(boxes, distances[::-1], PICTURE).tolist()[0] == 0.0
    points = np.array([[[120.0, 200], [180, 200]], [[160, 60], [390, 490]]])
    expected = [[False, True], [False, False]]
    assert hidden_points(points, boxes, distances, PICTURE).tolist() == expected


def test_what_two_cover_together_counts_once():
    boxes = np.array([[100.0, 100, 200, 300], [0, 0, 150, 400], [0, 200, 400, 400]])
    # The left half, and the lower half: three quarters.
    assert hidden_shares(boxes, np.array([9.0, 5, 4]), PICTURE)[0] == 0.75


def test_what_lies_outside_the_picture_is_hidden():
    boxes = np.array([[-50.0, 100, 50, 300]])
    assert hidden_shares(boxes, np.ones(1), PICTURE).tolist() == [0.5]


def test_true_people_are_to_be_seen_to_a_quarter_and_in_the_picture():
    for sight in simulate(settings(people=20, seconds=5)):
        assert (sight.truth_boxes[:, :2] >= 0).all()
        assert (sight.truth_boxes[:, 2:] <= PICTURE).all()
        assert (sight.truth_boxes[:, 2:] > sight.truth_boxes[:, :2]).all()
        assert len(set(sight.truth_ids.tolist())) == len(sight.truth_ids) <= 20


def test_the_picture_moves_by_at_most_12_px_from_frame_to_frame_and_much():
    motion = CameraMotion(np.random.default_rng(0))
    shifts = np.array([motion.shift_px(k / 10) for k in range(3000)])
    steps = np.hypot(*np.diff(shifts, axis=0).T)
    assert 8 < steps.max() <= 12
    assert np.ptp(shifts, axis=0).min() > 60


def test_correspondences_say_how_the_picture_moved():
    moving = simulate(settings(people=4, seconds=2, camera_motion=True))
    motion = CameraMotion(np.random.default_rng([1, 1]))
    for k, sight in enumerate(moving):
        if k == 0:
            assert sight.matches.shape == (0, 4)
            continue
        moved = sight.matches[:, 2:] - sight.matches[:, :2]
        expected = motion.shift_px(k / 10) - motion.shift_px((k - 1) / 10)
        np.testing.assert_allclose(np.median(moved, axis=0), expected, atol=0.4)
        wrong = (np.abs(moved - expected) > 10).any(axis=1).mean()
        assert 0.03 < wrong < 0.2


def test_a_camera_at_rest_gives_no_correspondences():
    assert {s.matches.shape for s in simulate(settings())} == {(0, 4)}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param({"people": 0}, "people is 0, must be from 1 to 1000", id="nobody"),
        pytest.param({"people": 1001}, "people is 1001", id="too many"),
        pytest.param({"seconds": -1.0}, "seconds is -1.0, must be from 0.1", id="a past"),
        pytest.param({"seconds": float("inf")}, "seconds is inf", id="an eternity"),
        pytest.param({"fps": float("nan")}, "fps is nan, must be from 1 to 120", id="no number"),
        pytest.param({"seed": -1}, "seed is -1", id="a negative seed"),
    ],
)
def test_wrong_numbers_are_named(wrong, named):
    with pytest.raises(BenchError, match=named):
        settings(**wrong)
