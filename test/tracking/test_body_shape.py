"""The shape of bodies: where keypoints are around the tracked position, and how it is measured."""

from dataclasses import replace

import numpy as np
import pytest
from people import make_person, together

from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking import body_shape as constants
from poseflow_ros.tracking.body_shape import BodyShape, torso_centers

pytestmark = pytest.mark.filterwarnings("error")

HEIGHT = 200.0
ONE = np.zeros(1, np.int64)
SHOULDERS, HIPS, WRISTS, ANKLES = [5, 6], [11, 12], [9, 10], [15, 16]
# The torso's middle of people.make_person, in heights below the top.
MIDDLE = 0.36
DT_S = 0.1


class Follower:
    """The shape of one person, updated with one pose after another."""

    def __init__(self, pose):
        anchors = torso_centers(pose.keypoints, pose.keypoint_scores, COCO_17)
        self.shape = BodyShape.starting(pose, anchors)

    def measure(self, pose):
        return self.shape.measure(ONE, pose, COCO_17)[0]

    def see(self, pose, dt_s=DT_S):
        """Return the position measured of a pose, as it is after the pose was taken in."""
        measured = self.shape.measure(ONE, pose, COCO_17)
        return (measured + self.shape.update(ONE, pose, measured, np.array([dt_s]), COCO_17))[0]


def at(x, y=50.0, hidden=(), moved=(), by=(0.0, 0.0)):
    """Return a person without the keypoints `hidden`, and with those `moved` elsewhere."""
    pose = make_person(x, y, HEIGHT)
    pose.keypoint_scores[0, list(hidden)] = 0.0
    pose.keypoints[0, list(hidden)] = 0.0
    pose.keypoints[0, list(moved)] += by
    return pose


def middle_of(x, y=50.0):
    return np.array([x, y + MIDDLE * HEIGHT])


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param(HIPS, id="hips"),
        pytest.param(SHOULDERS, id="shoulders"),
        pytest.param([5, 11], id="one side"),
        pytest.param([*SHOULDERS, *HIPS], id="the whole torso"),
        pytest.param(range(11, 17), id="legs and hips"),
        pytest.param(range(1, 17), id="all but the nose"),
    ],
)
def test_position_does_not_jump_when_keypoints_disappear(hidden):
    person = Follower(at(100))
    for i in range(1, 5):
        np.testing.assert_allclose(person.see(at(100 + 5 * i)), middle_of(100 + 5 * i), atol=0.1)
    np.testing.assert_allclose(person.measure(at(125, hidden=hidden)), middle_of(125), atol=0.1)
    # The middle of what is visible of the torso would be elsewhere.
    center = torso_centers(at(125, hidden=hidden).keypoints,
                           at(125, hidden=hidden).keypoint_scores, COCO_17)  # fmt: skip
    assert np.linalg.norm(center - middle_of(125)) > 10


def test_position_does_not_jump_when_keypoints_return():
    person = Follower(at(100, hidden=HIPS))
    before = person.measure(at(100, hidden=HIPS))
    np.testing.assert_allclose(before, [100, 50 + 0.2 * HEIGHT], atol=1)  # of the shoulders
    np.testing.assert_allclose(person.measure(at(100)), before, atol=1)
    # Then the torso's middle is known again, and the position moves there at once.
    np.testing.assert_allclose(person.see(at(100)), middle_of(100), atol=1)


def test_position_drifts_slowly_while_hips_are_hidden():
    person, hidden = Follower(at(100)), at(100, hidden=HIPS)
    places = np.array([middle_of(100), *(person.see(hidden) for _ in range(50))])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps.max() < 0.02 * HEIGHT
    assert MIDDLE * HEIGHT + 50 >= places[-1, 1] > 50 + 0.19 * HEIGHT  # towards the shoulders
    np.testing.assert_allclose(person.measure(at(100)), places[-1], atol=0.1)


def test_shift_is_the_displacement_of_the_tracked_point():
    person = Follower(at(100, hidden=HIPS))
    measured = person.shape.measure(ONE, at(100), COCO_17)
    shift = person.shape.update(ONE, at(100), measured, np.array([DT_S]), COCO_17)
    # Of the shoulders at 0.2 heights and the torso's middle at 0.36.
    np.testing.assert_allclose(shift, [[0, 0.16 * HEIGHT]], atol=1)


def test_swinging_limbs_move_the_position_little():
    person, off = Follower(at(100)), []
    for i in range(1, 41):
        swing = 0.2 * HEIGHT * np.sin(2 * np.pi * i * DT_S)
        pose = at(100, moved=[*WRISTS, *ANKLES], by=(swing, 0.0))
        off.append(np.linalg.norm(person.see(pose) - middle_of(100)))
    # All four limbs to one side: of 17 keypoints with weights 4 and 13 * 0.3 in all.
    share = 4 * constants._OFF_TORSO_WEIGHT / (4 + 13 * constants._OFF_TORSO_WEIGHT)
    assert max(off) < share * 0.2 * HEIGHT
    assert np.mean(off[20:]) < 0.01 * HEIGHT


def test_opposite_swinging_limbs_do_not_move_the_position():
    person = Follower(at(100))
    for i in range(1, 20):
        swing = 0.2 * HEIGHT * np.sin(2 * np.pi * i * DT_S)
        pose = at(100, moved=[9, 15], by=(swing, 0.0))
        pose.keypoints[0, [10, 16]] -= [swing, 0]
        np.testing.assert_allclose(person.see(pose), middle_of(100), atol=1e-6)


def test_position_stays_at_the_centre_of_the_torso():
    rng = np.random.default_rng(3)
    person = Follower(at(100))
    for i in range(1, 60):
        pose = at(100 + 3 * i, hidden=np.flatnonzero(rng.random(17) < 0.2))
        pose.keypoints[:] += rng.normal(0, 2, (1, 17, 2))
        position = person.see(pose, rng.uniform(0.01, 0.3))
        np.testing.assert_allclose(position, middle_of(100 + 3 * i), atol=0.12 * HEIGHT)
        center = torso_centers(person.shape.offsets, person.shape.scores, COCO_17)
        np.testing.assert_allclose(center, [[0, 0]], atol=1e-9)


@pytest.mark.parametrize("fps", [3, 10, 25, 60], ids="{} fps".format)
def test_changed_shape_is_adopted_within_half_a_second(fps):
    person = Follower(at(100))
    for _ in range(int(fps / 2) + 1):
        person.see(at(100, moved=WRISTS, by=(0.0, -0.5 * HEIGHT)), 1 / fps)
    raised = at(0, moved=WRISTS, by=(0.0, -0.5 * HEIGHT)).keypoints[0] - middle_of(0)
    np.testing.assert_allclose(person.shape.offsets[0], raised, atol=0.03 * HEIGHT)


def test_score_of_an_invisible_keypoint_decays_over_a_second():
    person = Follower(at(100))
    hidden = at(100, hidden=WRISTS)
    for _ in range(10):
        person.see(hidden)
    scores = person.shape.scores[0]
    fading = np.exp(-1.0 / constants._SCORE_MEMORY_S)
    np.testing.assert_allclose(scores[WRISTS], 0.8 * fading)
    np.testing.assert_allclose(np.delete(scores, WRISTS), 0.8)
    wrists = at(0).keypoints[0, WRISTS] - middle_of(0)
    np.testing.assert_allclose(person.shape.offsets[0, WRISTS], wrists, atol=0.01)


def test_without_any_visible_keypoint_the_position_is_finite():
    nothing = replace(at(100), keypoint_scores=np.zeros((1, 17)))
    person = Follower(nothing)
    assert np.isfinite(person.see(nothing)).all()
    assert np.isfinite(person.see(at(100))).all()
    assert np.isfinite(person.see(nothing, 1e9)).all()
    assert np.isfinite(person.shape.offsets).all()


def test_no_people_are_accepted():
    nothing = np.zeros(0, np.int64)
    shape = BodyShape.starting(Poses.empty(17), np.zeros((0, 2)))
    assert shape.measure(nothing, Poses.empty(17), COCO_17).shape == (0, 2)
    shift = shape.update(nothing, Poses.empty(17), np.zeros((0, 2)), np.zeros(0), COCO_17)
    assert shift.shape == (0, 2)


def test_centre_of_the_torso_by_hand():
    pose = at(200)
    pose.keypoints[0, [5, 6, 11, 12]] = [[0, 0], [40, 0], [0, 100], [40, 100]]
    center = torso_centers(pose.keypoints, pose.keypoint_scores, COCO_17)
    assert center == pytest.approx(np.array([[20, 50]]))
    pose.keypoint_scores[0, [5, 6, 11, 12]] = 0
    center = torso_centers(pose.keypoints, pose.keypoint_scores, COCO_17)
    assert center == pytest.approx(np.array([[20, 50]]))
    pose.keypoint_scores[0, [6, 12]] = 0.9  # the right side alone
    center = torso_centers(pose.keypoints, pose.keypoint_scores, COCO_17)
    assert center == pytest.approx(np.array([[40, 50]]), abs=0.1)


def measure_by_loop(offsets, scores, pose):
    total, weights = np.zeros(2), 0.0
    for k in range(17):
        weight = 1.0 if k in COCO_17.torso else constants._OFF_TORSO_WEIGHT
        weight = weight * scores[k] * pose.keypoint_scores[0, k] + 1e-6
        total += weight * (pose.keypoints[0, k] - offsets[k])
        weights += weight
    return total / weights


def update_by_loop(offsets, scores, pose, position, elapsed_s):
    """Return new offsets and scores, and the shift."""
    offsets, scores = offsets.copy(), scores.copy()
    for k in range(17):
        new = pose.keypoint_scores[0, k]
        old = scores[k] * np.exp(-elapsed_s / constants._OFFSET_MEMORY_S)
        if new > 0:
            mean = new * (pose.keypoints[0, k] - position) + old * offsets[k]
            offsets[k] = mean / (new + old)
        scores[k] = max(new, scores[k] * np.exp(-elapsed_s / constants._SCORE_MEMORY_S))
    weights = [scores[k] + 1e-3 for k in COCO_17.torso]
    shift = sum(w * offsets[k] for w, k in zip(weights, COCO_17.torso, strict=True)) / sum(weights)
    return offsets - shift, scores, shift


def make_poses(rng, n):
    poses = together(*(at(*rng.uniform(0, 300, 2)) for _ in range(n)))
    poses.keypoints[:] += rng.normal(0, 20, (n, 17, 2))
    poses.keypoint_scores[:] = rng.random((n, 17)) * (rng.random((n, 17)) < 0.8)
    return poses


def test_positions_and_shapes_equal_those_of_a_loop():
    rng = np.random.default_rng(0)
    first = make_poses(rng, 12)
    shape = BodyShape.starting(
        first, torso_centers(first.keypoints, first.keypoint_scores, COCO_17)
    )
    for _ in range(6):
        rows = rng.permutation(12)[:8]
        poses, elapsed_s = make_poses(rng, 8), rng.uniform(0, 1, 8)
        offsets, scores = shape.offsets.copy(), shape.scores.copy()
        measured = shape.measure(rows, poses, COCO_17)
        shift = shape.update(rows, poses, measured, elapsed_s, COCO_17)
        for p, row in enumerate(rows):
            pose = poses[p : p + 1]
            position = measure_by_loop(offsets[row], scores[row], pose)
            np.testing.assert_allclose(measured[p], position, atol=1e-6)
            expected = update_by_loop(offsets[row], scores[row], pose, position, elapsed_s[p])
            for have, want in zip((shape.offsets[row], shape.scores[row], shift[p]), expected,
                                  strict=True):  # fmt: skip
                np.testing.assert_allclose(have, want, atol=1e-5)
        others = np.setdiff1d(np.arange(12), rows)
        np.testing.assert_array_equal(shape.offsets[others], offsets[others])
        np.testing.assert_array_equal(shape.scores[others], scores[others])


def test_a_shape_is_a_copy_of_the_pose():
    pose = at(100)
    person = Follower(pose)
    pose.keypoint_scores[:] = 0
    pose.keypoints[:] = 0
    assert person.shape.scores.all()
    np.testing.assert_allclose(person.measure(at(100)), middle_of(100))
