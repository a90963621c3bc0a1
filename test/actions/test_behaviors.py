"""Behaviors of bodies made in 3D, seen by a camera: one person's life per test."""

from dataclasses import replace

import numpy as np
import pytest
from bodies import (
    ANKLES,
    KNEES,
    LEFT,
    RIGHT,
    SIDES,
    crouching,
    image_of,
    lying,
    raised_arm,
    sitting,
    standing,
    turned,
    with_arm,
)
from frames import CONFIRMED, LOST, REMOVED, frame_of

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.actions.frame import UP_BODY
from poseflow_ros.actions.kinds import Behavior, Posture, Zone
from poseflow_ros.parameter_group import ConfigError

FPS = 10
AWAY = (0.0, 1.0, 4.0)


def seen(body, *, position=AWAY, with_depth=False):
    """Return what frame_of takes: the image, and the points where there is depth."""
    points = body + np.asarray(position)
    image = image_of(body, position)
    return (image, points) if with_depth else (image,)


def life(bodies, config=None, *, track_id=1, state=CONFIRMED, start_s=0.0, recognizer=None):
    """Return the behaviors after each of these bodies, FPS a second."""
    recognizer = recognizer or BehaviorRecognizer(config)
    return [
        recognizer.update(frame_of([(track_id, state, *seen(body))], start_s + i / FPS))
        for i, body in enumerate(bodies)
    ]


def after(body, seconds=1.0, config=None, **options):
    """Return the behaviors of somebody who does the same for some time."""
    recognizer = BehaviorRecognizer(config)
    for i in range(round(seconds * FPS) + 1):
        result = recognizer.update(frame_of([(1, CONFIRMED, *seen(body, **options))], i / FPS))
    return result


def active(result):
    return {kind for kind in Behavior if result.active[0, kind]} - {Behavior.FACING_CAMERA}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (standing(), set()),
        (raised_arm(standing(), LEFT), {Behavior.LEFT_HAND_RAISED}),
        (raised_arm(standing(), RIGHT), {Behavior.RIGHT_HAND_RAISED}),
        (
            raised_arm(raised_arm(standing(), LEFT), RIGHT),
            {Behavior.LEFT_HAND_RAISED, Behavior.RIGHT_HAND_RAISED},
        ),
        (raised_arm(sitting(), LEFT), {Behavior.LEFT_HAND_RAISED}),
        (turned(raised_arm(standing(), LEFT), 180), {Behavior.LEFT_HAND_RAISED}),
        (with_arm(standing(), LEFT, (1, 0, 0), (1, 0, 0)), set()),
    ],
    ids=["none", "left", "right", "both", "seated", "from behind", "stretched sideways"],
)
def test_raised_hands(body, expected):
    assert active(after(body)) == expected


@pytest.mark.parametrize(
    ("body", "posture", "yaw_deg", "with_depth"),
    [
        pytest.param(body, posture, yaw_deg, depth, id=f"{posture.name}-{yaw_deg}-{depth}")
        for body, posture in (
            (standing(), Posture.STANDING),
            (sitting(), Posture.SITTING),
            (lying(), Posture.LYING),
        )
        for yaw_deg in (0, 45, 90, 180)
        for depth in (False, True)
        # Who lies along the line of sight looks upright in the image.
        if depth or (posture, yaw_deg) != (Posture.LYING, 90)
    ],
)
def test_postures_from_all_sides(body, posture, yaw_deg, with_depth):
    result = after(turned(body, yaw_deg), with_depth=with_depth)
    assert Posture(result.postures[0]) is posture


@pytest.mark.parametrize(("yaw_deg", "with_depth"), [(90, False), (0, True), (45, True)])
def test_crouching_is_seen_from_the_side_or_with_depth(yaw_deg, with_depth):
    result = after(turned(crouching(), yaw_deg), with_depth=with_depth)
    assert Posture(result.postures[0]) is Posture.CROUCHING


@pytest.mark.parametrize("with_depth", [False, True])
@pytest.mark.parametrize(
    ("apart_m", "posture"), [(0.35, Posture.CROUCHING), (0.0, Posture.SITTING)]
)
def test_an_upright_squat_is_recognized_by_the_feet_apart(apart_m, posture, with_depth):
    body = sitting()
    for joints in (KNEES, ANKLES):
        body[joints, 0] += apart_m * SIDES
    # The hips as low as the knees, and the torso upright: only the legs tell it from sitting.
    result = after(body, with_depth=with_depth)
    assert Posture(result.postures[0]) is posture


def test_a_posture_in_a_frame_whose_z_points_up():
    recognizer = BehaviorRecognizer()
    image, points = seen(lying(), with_depth=True)
    x, y, z = points.T
    in_base_link = np.column_stack([z, -x, -y])
    for i in range(10):
        people = [(1, CONFIRMED, image, in_base_link)]
        result = recognizer.update(frame_of(people, i / FPS, up=UP_BODY))
    assert Posture(result.postures[0]) is Posture.LYING


@pytest.mark.parametrize(
    ("hidden", "posture"),
    [
        ([15, 16], Posture.STANDING),
        ([13, 14, 15, 16], Posture.UNKNOWN),
        ([11, 12], Posture.UNKNOWN),
    ],
    ids=["ankles", "legs", "hips"],
)
def test_a_posture_is_inferred_from_the_visible_keypoints(hidden, posture):
    image = image_of(standing())
    image[hidden, 2] = 0.05
    recognizer = BehaviorRecognizer()
    for i in range(10):
        result = recognizer.update(frame_of([(1, CONFIRMED, image)], i / FPS))
    assert Posture(result.postures[0]) is posture


def test_one_shoulder_and_one_hip_are_enough():
    image = image_of(turned(sitting(), 60))
    image[[6, 12], 2] = 0.0
    recognizer = BehaviorRecognizer()
    for i in range(10):
        result = recognizer.update(frame_of([(1, CONFIRMED, image)], i / FPS))
    assert Posture(result.postures[0]) is Posture.SITTING


def test_a_hand_must_be_raised_for_the_hold_time_and_lowered_for_the_release_time():
    up, down = raised_arm(standing(), LEFT), standing()
    config = BehaviorsConfig(hold_s=0.3, release_s=0.5)
    results = life([down] * 5 + [up] * 8 + [down] * 8, config)
    raised = [bool(result.active[0, Behavior.LEFT_HAND_RAISED]) for result in results]
    # Up from image 5: active from 8 on; down from image 13: inactive from 18 on.
    assert raised == [8 <= i < 18 for i in range(21)]


def test_a_flicker_changes_nothing():
    up, down = raised_arm(standing(), LEFT), standing()
    config = BehaviorsConfig(hold_s=0.3, release_s=0.3)
    flicker = life([down, down, up, up, down, down] * 4, config)
    assert not any(result.active[0, Behavior.LEFT_HAND_RAISED] for result in flicker)
    steady = life([up] * 5 + [down, down, up] * 5, config)
    assert all(result.active[0, Behavior.LEFT_HAND_RAISED] for result in steady[5:])


def test_between_the_two_thresholds_the_state_stays():
    def arm(above_shoulder):
        """Return the body whose left wrist is this many torso lengths above the shoulder."""
        body = standing()
        torso = body[11, 1] - body[5, 1]
        body[9] = body[5] + (0.1, -above_shoulder * torso, 0.0)
        return body

    config = BehaviorsConfig(hold_s=0.0, release_s=0.0, hand_raised_min_height=0.2, hysteresis=0.1)
    results = life([arm(h) for h in (0.15, 0.22, 0.15, 0.05, 0.15)], config)
    raised = [bool(result.active[0, Behavior.LEFT_HAND_RAISED]) for result in results]
    assert raised == [False, True, True, False, False]


def test_a_posture_changes_after_its_hold_time():
    config = BehaviorsConfig(posture_hold_s=0.5)
    postures = [int(r.postures[0]) for r in life([standing()] * 8 + [sitting()] * 8, config)]
    # The first posture needs its time too.
    assert postures == [0] * 5 + [Posture.STANDING] * 8 + [Posture.SITTING] * 3


def test_a_posture_that_some_images_do_not_show_wins_too():
    config = BehaviorsConfig(posture_hold_s=0.5)
    mixed = [standing(), standing(), sitting()] * 6
    postures = [int(r.postures[0]) for r in life(mixed, config)]
    assert postures[:5] == [0] * 5
    assert set(postures[9:]) == {Posture.STANDING}
    # A third of the votes are for sitting: it needs fewer of the next ones.
    later = [int(r.postures[0]) for r in life(mixed + [sitting()] * 6, config)]
    assert later[-1] == Posture.SITTING


def test_somebody_who_falls_has_fallen_until_they_rise():
    config = BehaviorsConfig(posture_hold_s=0.2, fall_time_s=1.0, fallen_hold_s=0.5)
    results = life([standing()] * 10 + [lying()] * 20 + [standing()] * 5, config)
    fallen = [bool(result.active[0, Behavior.FALLEN]) for result in results]
    # Lying from image 10, held from 12, fallen 0.5 s later; standing is held from image 32.
    assert fallen == [17 <= i < 32 for i in range(35)]


@pytest.mark.parametrize(
    "before",
    [[lying()] * 5, [standing()] * 10 + [sitting()] * 15, [sitting()] * 10],
    ids=["lay from the start", "sat down first", "sat"],
)
def test_somebody_who_lies_down_has_not_fallen(before):
    config = BehaviorsConfig(posture_hold_s=0.2, fall_time_s=1.0, fallen_hold_s=0.5)
    results = life(before + [lying()] * 20, config)
    assert Posture(results[-1].postures[0]) is Posture.LYING
    assert not any(result.active[0, Behavior.FALLEN] for result in results)


@pytest.mark.parametrize("yaw_deg", [0, 40, -40])
def test_somebody_turned_towards_the_camera_faces_it(yaw_deg):
    assert after(turned(standing(), yaw_deg)).active[0, Behavior.FACING_CAMERA]


@pytest.mark.parametrize("yaw_deg", [80, -80, 135, 180])
def test_somebody_seen_from_the_side_or_from_behind_does_not_face_the_camera(yaw_deg):
    assert not after(turned(standing(), yaw_deg)).active[0, Behavior.FACING_CAMERA]


def test_nobody_whose_face_is_hidden_faces_the_camera():
    image = image_of(standing())
    image[:5, 2] = 0.0
    recognizer = BehaviorRecognizer()
    for i in range(10):
        result = recognizer.update(frame_of([(1, CONFIRMED, image)], i / FPS))
    assert not result.active[0, Behavior.FACING_CAMERA]


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_a_straight_arm_points_along_its_ray(side):
    direction = np.array([0.6 * SIDES[side], 0.0, -0.8])
    body = with_arm(standing(), side, direction, direction)
    result = after(body, with_depth=True)
    assert active(result) == {Behavior.LEFT_POINTING + side}
    np.testing.assert_allclose(result.pointing_directions[0, side], direction, atol=1e-9)
    np.testing.assert_allclose(result.pointing_origins[0, side], body[5 + side] + AWAY)


@pytest.mark.parametrize(
    ("upper_arm", "forearm"),
    [((0, 1, 0), (0, 1, 0)), ((0.3, 1, 0), (0.3, 1, 0)), ((1, 0, 0), (0, -1, 0))],
    ids=["hanging", "hanging a little sideways", "bent"],
)
def test_an_arm_that_hangs_or_is_bent_does_not_point(upper_arm, forearm):
    result = after(with_arm(standing(), LEFT, upper_arm, forearm), with_depth=True)
    assert not result.active[0, Behavior.LEFT_POINTING]


def test_without_depth_nobody_points_approaches_or_is_in_a_zone():
    direction = (0.6, 0.0, -0.8)
    result = after(with_arm(standing(), LEFT, direction, direction))
    assert active(result) == set()
    assert Zone(result.zones[0]) is Zone.UNKNOWN
    assert np.isnan(result.distances_m[0])
    assert np.isnan(result.pointing_directions).all()


def located(position, velocity, stamp_s, up=None):
    frame = frame_of([(1, CONFIRMED, image_of(standing()))], stamp_s)
    frame = replace(frame, positions=np.array([position]), velocities=np.array([velocity]))
    return frame if up is None else replace(frame, up=up)


@pytest.mark.parametrize(
    ("position", "velocity", "up", "speed"),
    [
        ((0.0, 0.5, 4.0), (0.0, 0.0, -1.0), None, 1.0),
        ((3.0, -0.5, 4.0), (-0.6, 0.0, -0.8), None, 1.0),
        ((3.0, 0.0, 4.0), (0.8, 0.0, -0.6), None, 0.0),
        ((0.0, 0.0, 4.0), (0.0, 0.0, 1.0), None, -1.0),
        ((3.0, 4.0, 1.0), (-0.6, -0.8, 5.0), UP_BODY, 1.0),
    ],
    ids=["ahead", "from the side", "past", "away", "in base_link, jumping"],
)
def test_who_walks_towards_the_origin_approaches(position, velocity, up, speed):
    recognizer = BehaviorRecognizer()
    for i in range(5):
        result = recognizer.update(located(position, velocity, i / FPS, up))
    assert result.approach_speeds[0] == pytest.approx(speed)
    assert result.active[0, Behavior.APPROACHING] == (speed > 0.3)


def test_zones_have_the_limits_of_hall_and_a_margin():
    recognizer = BehaviorRecognizer()
    walked = [4.0, 3.65, 3.55, 3.49, 3.65, 3.71, 2.0, 1.15, 1.0, 0.4, 0.3, 0.5, 0.6, np.nan, 0.5]
    zones = [
        Zone(recognizer.update(located((0.0, 0.0, z), (0.0, 0.0, 0.0), i / FPS)).zones[0]).name
        for i, z in enumerate(walked)
    ]
    assert zones == [
        *("PUBLIC", "PUBLIC", "PUBLIC", "SOCIAL", "SOCIAL", "PUBLIC", "SOCIAL", "SOCIAL"),
        *("PERSONAL", "PERSONAL", "INTIMATE", "INTIMATE", "PERSONAL", "UNKNOWN", "PERSONAL"),
    ]


def test_distances_are_horizontal():
    result = BehaviorRecognizer().update(located((0.6, 5.0, 0.8), (0.0, 0.0, 0.0), 0.0))
    assert result.distances_m[0] == pytest.approx(1.0)


def test_lost_people_have_no_behaviors_and_return_with_theirs():
    recognizer = BehaviorRecognizer()
    up = raised_arm(standing(), LEFT)
    life([up] * 5, recognizer=recognizer)
    assert all(len(r) == 0 for r in life([up] * 5, state=LOST, start_s=0.5, recognizer=recognizer))
    (result,) = life([up], start_s=1.0, recognizer=recognizer)
    assert active(result) == {Behavior.LEFT_HAND_RAISED}


@pytest.mark.parametrize(
    "interruption",
    [
        lambda up: frame_of([(1, REMOVED, up)], 0.5),
        lambda up: frame_of([(2, CONFIRMED, up)], 0.5, epoch=1),
        lambda up: frame_of([(2, CONFIRMED, up)], 0.1),
        lambda up: frame_of([], 3.0),
    ],
    ids=["removed", "new epoch", "stamp goes back", "unseen for longer than max_gap_s"],
)
def test_an_interruption_forgets_the_states(interruption):
    up = image_of(raised_arm(standing(), LEFT))
    recognizer = BehaviorRecognizer(BehaviorsConfig(max_gap_s=2.0))
    for i in range(5):
        result = recognizer.update(frame_of([(1, CONFIRMED, up)], i / FPS))
    assert active(result) == {Behavior.LEFT_HAND_RAISED}
    changed = interruption(up)
    recognizer.update(changed)
    epoch, stamp_s = changed.epoch, changed.stamp_s + 0.05
    result = recognizer.update(frame_of([(1, CONFIRMED, up)], stamp_s, epoch=epoch))
    assert active(result) == set()


def test_people_keep_their_own_states():
    up, down = image_of(raised_arm(standing(), LEFT)), image_of(standing())
    recognizer = BehaviorRecognizer()
    for i in range(12):
        people = [(7, CONFIRMED, up), (3, CONFIRMED, down), (9, LOST, up)]
        result = recognizer.update(frame_of(people[:: 1 if i % 2 else -1], i / FPS))
        found = dict(zip(result.track_ids.tolist(), result.active.tolist(), strict=True))
    assert found[7][Behavior.LEFT_HAND_RAISED]
    assert not found[3][Behavior.LEFT_HAND_RAISED]
    assert 9 not in found


def test_an_image_without_people_has_no_behaviors():
    assert len(BehaviorRecognizer().update(frame_of([], 0.0))) == 0


def test_two_cameras_are_independent():
    up, down = image_of(raised_arm(standing(), LEFT)), image_of(standing())
    recognizer = BehaviorRecognizer()
    for i in range(8):
        left = recognizer.update(frame_of([(1, CONFIRMED, up)], i / FPS, camera="left"))
        right = recognizer.update(frame_of([(1, CONFIRMED, down)], i / FPS, camera="right"))
    assert active(left) == {Behavior.LEFT_HAND_RAISED}
    assert active(right) == set()


def test_more_people_than_max_people_are_left_out():
    image = image_of(standing())
    recognizer = BehaviorRecognizer(BehaviorsConfig(max_people=3))
    for i in range(20):
        people = [(5 * i + n, CONFIRMED, image) for n in range(5)]
        assert len(recognizer.update(frame_of(people, i / FPS))) == 3


def test_names_are_the_posture_and_the_active_behaviors():
    assert after(raised_arm(standing(), LEFT)).names(0) == [
        "standing",
        "left_hand_raised",
        "facing_camera",
    ]


def test_a_skeleton_with_too_few_keypoints_is_refused():
    with pytest.raises(ValueError, match="must have 17 keypoints, got 3"):
        BehaviorRecognizer().update(frame_of([(1, CONFIRMED, np.ones((3, 3)))], 0.0))


def test_zone_limits_that_decrease_are_refused():
    with pytest.raises(ConfigError, match=r"are 0\.45, 4, 3\.6, must not decrease"):
        BehaviorsConfig(social_m=4.0)
