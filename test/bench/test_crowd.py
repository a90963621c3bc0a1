"""The simulated crowd: one world for a seed, people who behave like people."""

import numpy as np
import pytest

from poseflow_ros.bench.camera import Camera
from poseflow_ros.bench.camera_motion import Rotation, Shake
from poseflow_ros.bench.crowd import Bodies, Crowd
from poseflow_ros.bench.detector import Detector
from poseflow_ros.bench.detector_model import MODELS
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.scene import SCENES
from poseflow_ros.bench.simulation import Settings, simulate
from poseflow_ros.bench.view import hidden_points, hidden_shares, look
from poseflow_ros.bench.walker import boxes_px, keypoints_m

MODEL = MODELS["movenet_tiled"]
PICTURE = np.array([768.0, 576.0])
NOSE, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP = 0, 5, 6, 11, 12
LEFT_ANKLE, RIGHT_ANKLE = 15, 16


def settings(people=8, scene="street", camera="still", rotation=90.0, **changed):
    values = {"seconds": 3.0, "seed": 1, "fps": 10.0, "correspondences": True, "model": MODEL}
    return Settings(
        people=people,
        scene=SCENES[scene],
        camera=camera,
        rotation_deg_s=rotation,
        **(values | changed),
    )


def crowd_of(scene, people=20, seed=1):
    return Crowd(Camera(people, SCENES[scene]), np.random.default_rng(seed))


def watch(crowd, seconds, rate=20):
    """Return (F, N, 17, 3) keypoints and (F, N, 2) places of a crowd."""
    bodies = [crowd.at(k / rate) for k in range(round(seconds * rate))]
    return np.array([b.keypoints_m for b in bodies]), np.array([b.places_m for b in bodies])


def numbers(sight):
    poses = sight.poses
    arrays = [sight.truth_ids, sight.truth_boxes, sight.matches, poses.keypoints, poses.boxes]
    return np.concatenate([np.ravel(a) for a in (*arrays, poses.scores, poses.keypoint_scores)])


def equal(one, other):
    return all(
        np.array_equal(numbers(a), numbers(b)) for a, b in zip(one, other, strict=True)
    )  # fmt: skip


def test_equal_seeds_give_equal_simulations():
    first = list(simulate(settings(camera="shake")))
    assert equal(first, simulate(settings(camera="shake")))
    assert not equal(first, simulate(settings(camera="shake", seed=2)))


@pytest.mark.parametrize("scene", ["sport", "close"])
def test_every_scene_is_reproducible_with_a_rotating_camera(scene):
    first = list(simulate(settings(scene=scene, camera="rotate")))
    assert equal(first, simulate(settings(scene=scene, camera="rotate")))
    assert not equal(first, simulate(settings(scene=scene, camera="rotate", seed=2)))


def test_street_is_unchanged():
    # Recorded before there were other scenes: figures measured on the street stay comparable.
    *_, still = simulate(settings(people=20, seconds=10.0))
    *_, shaken = simulate(settings(people=20, seconds=10.0, camera="shake"))
    assert still.truth_ids.tolist() == [1, 2, 3, 5, 7, 8, 9, 10, 14, 15, 17, 18, 19, 20]
    assert len(still.poses) == len(shaken.poses) == 13
    assert shaken.matches.shape == (335, 4)
    for actual, expected in (
        (still.truth_boxes[0], [566.9754095, 181.1191206, 601.3448044, 266.6251650]),
        (still.poses.boxes[0], [109.8486354, 237.8941830, 153.7362409, 377.7488598]),
        (still.poses.keypoints[0, 0], [131.0443649, 257.4949350]),
        (still.poses.scores[0], 0.5482782980),
        (still.poses.keypoint_scores[0, 16], 0.4985614701),
        (shaken.truth_boxes[0], [534.5124841, 204.5796641, 568.8818790, 290.0857085]),
        (shaken.poses.boxes[0], [77.3857101, 261.3547264, 121.2733155, 401.2094033]),
        (shaken.matches[-1], [602.6695232, 220.2170707, 606.5637112, 222.0570927]),
    ):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize("fps", [5, 60])
@pytest.mark.parametrize(
    ("scene", "camera"),
    [("street", "still"), ("street", "shake"), ("sport", "rotate"), ("close", "rotate")],
)
def test_world_does_not_depend_on_the_image_rate(fps, scene, camera):
    def truth(rate):
        sights = simulate(settings(fps=rate, scene=scene, camera=camera))
        return {round(s.stamp_s, 6): (s.truth_ids, s.truth_boxes) for s in sights}

    slow, other = truth(10), truth(fps)
    common = sorted(slow.keys() & other.keys())
    assert len(common) >= 15
    for stamp_s in common:
        np.testing.assert_array_equal(slow[stamp_s][0], other[stamp_s][0])
        np.testing.assert_allclose(slow[stamp_s][1], other[stamp_s][1], atol=1e-6)


def test_people_are_interpolated_between_steps():
    def places(stamp_s):
        return Crowd(Camera(5), np.random.default_rng(1)).at(stamp_s).places_m

    before, after = places(1.0), places(1.05)
    assert np.abs(after - before).max() > 0.02
    np.testing.assert_allclose(places(1.0125), before + (after - before) / 4, atol=1e-9)


@pytest.mark.parametrize("people", [5, 20, 200])
def test_most_people_are_in_the_image_with_the_expected_height(people):
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


def test_people_keep_their_distance_and_still_meet():
    crowd = Crowd(Camera(20), np.random.default_rng(1))
    nearest = []
    for k in range(300):
        x, z = crowd.at(k / 10).places_m.T
        apart = np.hypot(x[:, None] - x, z[:, None] - z)[np.triu_indices(20, 1)]
        nearest.append(apart.min())
    assert np.mean(np.array(nearest) < 0.2) < 0.1
    assert np.median(nearest) < 0.8


def test_person_who_leaves_the_image_returns_as_the_same_person():
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
def test_left_shoulder_of_an_approaching_person_is_on_the_right(ahead, sign):
    still = np.zeros(1)
    body = keypoints_m(np.array([[0, 9.0]]), np.array([[0, ahead]]), still, still, np.ones(1))
    (points,) = Camera(1).project(body)
    assert np.sign(points[LEFT_SHOULDER, 0] - points[RIGHT_SHOULDER, 0]) == sign


def test_feet_swing_only_when_walking():
    phases = np.linspace(0, 2 * np.pi, 40)
    places, headings = np.zeros((40, 2)), np.tile([0.0, 1.0], (40, 1))
    for speed, least, most in ((0.0, 0.0, 1e-9), (1.4, 0.4, 1.2)):
        body = keypoints_m(places, headings, phases, np.full(40, speed), np.full(40, 1.7))
        stride = body[:, LEFT_ANKLE, 2] - body[:, RIGHT_ANKLE, 2]
        assert least <= np.ptp(stride) / 2 <= most
        assert abs(stride.mean()) < 0.1


def test_runners_reach_6_m_s_and_start_stop_and_turn_within_a_second():
    places = watch(crowd_of("sport"), 120)[1][:, :12]  # 12 of 20 run
    velocities = np.diff(places, axis=0) * 20
    speeds = np.linalg.norm(velocities, axis=-1)
    assert 5.5 < speeds.max() <= 6 + 1e-9
    assert 0.15 < (speeds > 2.5).mean() < 0.6
    assert np.linalg.norm(np.diff(velocities, axis=0), axis=-1).max() * 20 <= 8 + 1e-6
    before, after = speeds[:-20], speeds[20:]
    assert ((before < 0.1) & (after > 3)).any()
    assert ((before > 3) & (after < 0.3)).any()
    turned = (velocities[:-20] * velocities[20:]).sum(axis=-1) < 0
    assert (turned & (before > 2) & (after > 2)).any()


def test_walkers_are_not_affected_by_runners():
    places = watch(crowd_of("sport"), 60)[1][:, 12:]
    assert np.linalg.norm(np.diff(places, axis=0), axis=-1).max() * 20 <= 1.8 + 1e-9


@pytest.mark.parametrize("scene", ["sport", "close"])
def test_people_bend_and_straighten_up_where_they_stopped(scene):
    points, places = watch(crowd_of(scene), 120)
    noses = points[:, :, NOSE, 1]
    low = noses < 0.75 * noses.max(axis=0)
    assert 0.03 < low.mean() < 0.3
    assert (np.diff(low.astype(int), axis=0) == -1).sum() >= 10  # who got up
    assert np.abs(np.diff(noses, axis=0)).max() * 20 < 2.5  # m/s
    speeds = np.linalg.norm(np.diff(places, axis=0), axis=-1) * 20
    assert speeds[low[1:] & low[:-1]].max() < 1.0


def test_nobody_walks_into_the_camera_or_behind_it():
    _, places = watch(crowd_of("close"), 120)
    assert places[..., 1].min() > 0.4


def test_people_near_the_camera_are_truncated_by_the_image_border():
    cut = np.zeros(4, int)
    for sight in simulate(settings(scene="close", seconds=30)):
        boxes = sight.truth_boxes
        assert (boxes >= 0).all()
        assert (boxes <= np.tile(PICTURE, 2)).all()
        cut += ((boxes == 0) | (boxes == np.tile(PICTURE, 2))).sum(axis=0)
        inside = (sight.poses.keypoints >= 0) & (sight.poses.keypoints <= PICTURE)
        assert inside.all()
    assert (cut > [20, 10, 20, 60]).all()  # left, heads, right, legs


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_keypoints_outside_the_image_are_hidden_and_score_low(model):
    camera = Camera(1, SCENES["close"])
    body = keypoints_m(
        np.array([[0.0, 1.3]]), np.array([[0.0, -1]]), np.zeros(1), np.zeros(1), np.ones(1) * 1.75
    )
    view = look(camera, Bodies(body, np.array([[0.0, 1.3]])))
    points = view.keypoints[0]
    outside = ((points < 0) | (points >= PICTURE)).any(axis=1)
    assert outside[[NOSE, LEFT_ANKLE]].all()
    assert not outside[[LEFT_SHOULDER, LEFT_HIP]].any()
    np.testing.assert_array_equal(view.hidden_keypoints[0], outside)
    detector = Detector(model, camera, np.random.default_rng(0))
    whole = [p[:1] for p in (detector.see(view, 5.0) for _ in range(300)) if len(p)]
    scores = np.concatenate([p.keypoint_scores for p in whole if p.boxes[0, 3] > 570])
    assert scores[:, outside].mean() < 0.2
    assert scores[:, [LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP]].mean() > 0.5


def test_farther_person_is_hidden():
    # The right half of the far box lies in the near one, whose own box nobody covers.
    boxes = np.array([[100.0, 100, 200, 300], [150.0, 50, 400, 500]])
    distances = np.array([9.0, 5.0])
    assert hidden_shares(boxes, distances, PICTURE).tolist() == [0.5, 0.0]
    assert hidden_shares(boxes, distances[::-1], PICTURE).tolist()[0] == 0.0
    points = np.array([[[120.0, 200], [180, 200]], [[160, 60], [390, 490]]])
    expected = [[False, True], [False, False]]
    assert hidden_points(points, boxes, distances, PICTURE).tolist() == expected


def test_area_hidden_by_two_people_is_counted_once():
    boxes = np.array([[100.0, 100, 200, 300], [0, 0, 150, 400], [0, 200, 400, 400]])
    # The left half, and the lower half: three quarters.
    assert hidden_shares(boxes, np.array([9.0, 5, 4]), PICTURE)[0] == 0.75


def test_parts_outside_the_image_are_hidden():
    boxes = np.array([[-50.0, 100, 50, 300]])
    assert hidden_shares(boxes, np.ones(1), PICTURE).tolist() == [0.5]


def test_truth_contains_people_visible_to_at_least_a_quarter():
    for sight in simulate(settings(people=20, seconds=5)):
        assert (sight.truth_boxes[:, :2] >= 0).all()
        assert (sight.truth_boxes[:, 2:] <= PICTURE).all()
        assert (sight.truth_boxes[:, 2:] > sight.truth_boxes[:, :2]).all()
        assert len(set(sight.truth_ids.tolist())) == len(sight.truth_ids) <= 20


def test_image_shakes_by_at_most_12_px_per_frame():
    motion = Shake(np.random.default_rng(0))
    shifts = np.array([motion.at(k / 10).shift_px for k in range(3000)])
    steps = np.hypot(*np.diff(shifts, axis=0).T)
    assert 8 < steps.max() <= 12
    assert np.ptp(shifts, axis=0).min() > 60


def test_correspondences_equal_the_image_shift():
    moving = simulate(settings(people=4, seconds=2, camera="shake"))
    motion = Shake(np.random.default_rng([1, 1]))
    for k, sight in enumerate(moving):
        if k == 0:
            assert sight.matches.shape == (0, 4)
            continue
        moved = sight.matches[:, 2:] - sight.matches[:, :2]
        expected = motion.at(k / 10).shift_px - motion.at((k - 1) / 10).shift_px
        np.testing.assert_allclose(np.median(moved, axis=0), expected, atol=0.4)
        wrong = (np.abs(moved - expected) > 10).any(axis=1).mean()
        assert 0.03 < wrong < 0.2


def test_still_camera_gives_no_correspondences():
    assert {s.matches.shape for s in simulate(settings())} == {(0, 4)}


@pytest.mark.parametrize("camera", ["shake", "rotate"])
def test_correspondences_can_be_omitted_in_the_same_world(camera):
    with_them = list(simulate(settings(camera=camera)))
    without = list(simulate(settings(camera=camera, correspondences=False)))
    assert {s.matches.shape for s in without} == {(0, 4)}
    for one, other in zip(with_them, without, strict=True):
        np.testing.assert_array_equal(one.truth_boxes, other.truth_boxes)
        np.testing.assert_array_equal(one.poses.keypoints, other.poses.keypoints)


def test_correspondences_equal_the_camera_rotation():
    motion = Rotation(Camera(4, SCENES["sport"]), np.random.default_rng([1, 1]), 90.0)
    intrinsic = np.array([[800.0, 0, 384], [0, 800, 288], [0, 0, 1]])
    before, largest = motion.at(0.0).rotation, 0.0
    for k, sight in enumerate(simulate(settings(people=4, scene="sport", camera="rotate"))):
        now = motion.at(k / 10).rotation
        homography = intrinsic @ now @ before.T @ np.linalg.inv(intrinsic)
        before = now
        if k == 0:
            continue
        x, y, depth = (
            homography @ np.column_stack([sight.matches[:, :2], np.ones(len(sight.matches))]).T
        )
        errors = np.hypot(x / depth - sight.matches[:, 2], y / depth - sight.matches[:, 3])
        assert np.median(errors) < 1.0
        assert (errors < 3).mean() > 0.7
        assert ((sight.matches >= 0) & (sight.matches < np.tile(PICTURE, 2))).all()
        largest = max(largest, float(np.median(np.abs(sight.matches[:, 2] - sight.matches[:, 0]))))
    assert largest > 40


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param({"people": 0}, "people is 0, must be from 1 to 1000", id="nobody"),
        pytest.param({"people": 1001}, "people is 1001", id="too many"),
        pytest.param({"seconds": -1.0}, "seconds is -1.0, must be from 0.1", id="a past"),
        pytest.param({"seconds": float("inf")}, "seconds is inf", id="an eternity"),
        pytest.param({"fps": float("nan")}, "fps is nan, must be from 1 to 120", id="no number"),
        pytest.param({"seed": -1}, "seed is -1", id="a negative seed"),
        pytest.param({"rotation": 0.0}, "rotation_deg_s is 0.0", id="no rotation"),
    ],
)
def test_invalid_numbers_are_reported(wrong, named):
    with pytest.raises(BenchError, match=named):
        settings(**wrong)
