"""The `robust` association in sequences of frames, with the expected ids."""

import math
import tracemalloc
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_cues import cues_of
from made_tracker import make_tracker
from people import NO_MATCHES, cut_at, make_bent_person, make_person, together

from poseflow_ros.poses import Poses, TrackedPoses, TrackState
from poseflow_ros.tracking import detections, robust
from poseflow_ros.tracking.similarity import box_iou

TENTATIVE, CONFIRMED, LOST, REMOVED = TrackState
DT_S = 0.1
HEIGHT = 200
FPS = pytest.mark.parametrize("fps", [25, 10, 3], ids="{} fps".format)
EVERY_FPS = pytest.mark.parametrize("fps", [60, 25, 10, 3], ids="{} fps".format)

# Appearances: of two people, and unknown.
RED, BLUE, UNKNOWN = np.eye(2, 80)[0], np.eye(2, 80)[1], np.zeros(80)


def run(frames, tracker=None, stamps_s=None, appearances=None, **config):
    """Return the tracks after each frame, a list of people; DT_S apart by default."""
    tracker = tracker or make_tracker(**config)
    stamps_s = DT_S * np.arange(len(frames)) if stamps_s is None else stamps_s
    appearances = appearances or [None] * len(frames)
    return [
        observe(tracker, together(*people), stamp_s, as_array(appearance))
        for people, stamp_s, appearance in zip(frames, stamps_s, appearances, strict=True)
    ]


def observe(tracker, poses, stamp_s, appearances):
    """Return the tracks after poses with these appearances; None: without an image."""
    cues = None if appearances is None else cues_of(poses, appearances=appearances)
    return tracker.update(poses, cues, stamp_s)


def as_array(appearance):
    return (
        None
        if appearance is None
        else np.reshape(appearance, (len(appearance), -1 if len(appearance) else 80))
    )


def film(people_at, seconds, fps):
    """Return the tracks after each frame of a film of the people of `people_at(t)`."""
    stamps_s = np.arange(round(seconds * fps) + 1) / fps
    return run([people_at(t) for t in stamps_s], stamps_s=stamps_s)


def walker(x, y=50, height=HEIGHT, speed=0.7, score=0.9):
    """Return the people at `t`, moving to the right with `speed` heights per second."""
    return lambda t: make_person(x + speed * height * t, y, height, score)


def seen(tracked):
    return tracked.track_ids[tracked.visible].tolist()


def who(tracked):
    """Return track id -> state."""
    return dict(zip(tracked.track_ids.tolist(), tracked.states.tolist(), strict=True))


def everybody(story):
    """Return the ids of all tracks that were ever confirmed."""
    return {track_id for tracked in story for track_id in seen(tracked)}


def longest_run(story, n):
    """Return for how many frames on end `n` people or more were confirmed."""
    longest = run = 0
    for tracked in story:
        run = run + 1 if len(seen(tracked)) >= n else 0
        longest = max(longest, run)
    return longest


# Beginnings. A pose has as its confidence the mean of its score and of its keypoints', which are
# 0.8 where nothing else is said. What that is above 0.25 adds up, and 0.7 makes a person. A
# confidence of 0.55 makes one at once.


def unsure(x, score=0.2):
    """Return somebody of the confidence 0.5."""
    return make_person(x, 50, HEIGHT, score)


@EVERY_FPS
def test_confident_detection_is_confirmed_in_the_first_frame(fps):
    story = film(lambda t: [make_person(100, 50, HEIGHT, 0.9, 0.85)], 1, fps)
    assert [seen(tracked) for tracked in story] == [[1]] * len(story)


def test_several_confident_detections_are_confirmed_in_the_first_frame():
    (tracked,) = run([[make_person(x, 50, HEIGHT) for x in (100, 300, 500)]])
    assert seen(tracked) == [1, 2, 3]


@pytest.mark.parametrize(
    ("score", "keypoint_score"),
    [
        pytest.param(0.2, 0.8, id="confidence 0.5"),
        pytest.param(0.12, 0.8, id="confidence 0.46"),
        pytest.param(0.41, 0.41, id="confidence 0.41"),
    ],
)
def test_less_confident_detection_is_tentative_until_its_existence_score_suffices(
    score, keypoint_score
):
    gain = (score + keypoint_score) / 2 - detections._NO_EVIDENCE
    needed = math.ceil(robust._EXISTENCE / gain)
    assert needed >= 3
    story = run([[make_person(100 + 5 * i, 50, HEIGHT, score, keypoint_score)] for i in range(12)])
    states = [TENTATIVE] * (needed - 1) + [CONFIRMED] * (13 - needed)
    assert [who(tracked) for tracked in story] == [{1: state} for state in states]
    assert story[-1].hits.tolist() == [12]


def test_single_uncertain_detection_is_not_confirmed():
    story = run([[unsure(100)], *[[]] * 30])
    assert [who(tracked) for tracked in story] == [{1: TENTATIVE}, *[{}] * 30]


def test_occasional_uncertain_false_positives_are_not_confirmed():
    frames = [[make_person(100, 50, HEIGHT)] for _ in range(60)]
    for i in range(10):
        frames[6 * i].append(unsure(400 + 300 * i))
    assert everybody(run(frames)) == {1}


def test_tentative_track_survives_a_missed_frame():
    story = run([[unsure(100)], [], [unsure(100)], [unsure(100)], [unsure(100)]])
    assert [who(tracked) for tracked in story] == [
        {1: TENTATIVE}, {}, {1: TENTATIVE}, {1: TENTATIVE}, {1: CONFIRMED},
    ]  # fmt: skip


def test_tentative_track_is_confirmed_by_a_confident_detection():
    story = run([[unsure(100)], [make_person(100, 50, HEIGHT)]])
    assert [who(tracked) for tracked in story] == [{1: TENTATIVE}, {1: CONFIRMED}]


def test_tentative_track_is_removed_after_a_second():
    story = run([[unsure(100)], *[[]] * 10, [unsure(100)]])
    assert [who(tracked) for tracked in story] == [{1: TENTATIVE}, *[{}] * 10, {2: TENTATIVE}]


def test_weak_poses_do_not_start_tracks():
    story = run([[make_person(100, 50, HEIGHT, 0.0)]] * 20, confident_pose_score=0.41)
    assert [len(tracked) for tracked in story] == [0] * 20


def test_weak_poses_extend_confirmed_tracks():
    frames = [[make_person(100 + 5 * i, 50, HEIGHT, 0.9 if i < 3 else 0.0)] for i in range(20)]
    story = run(frames, confident_pose_score=0.41)
    assert who(story[-1]) == {1: CONFIRMED}
    assert story[-1].hits.tolist() == [20]


def test_weak_poses_do_not_extend_tentative_tracks():
    story = run([[unsure(100)], *[[unsure(100, 0.0)]] * 3], confident_pose_score=0.41)
    assert [who(tracked) for tracked in story] == [{1: TENTATIVE}, {}, {}, {}]


def test_confident_pose_is_preferred_to_a_more_similar_weak_one():
    person, weak, sure = (make_person(x, 50, HEIGHT, s)
                          for x, s in ((100, 0.9), (100, 0.0), (110, 0.9)))  # fmt: skip
    story = run([[person]] * 5 + [[weak, sure]], confident_pose_score=0.41)
    np.testing.assert_array_equal(story[-1].poses.boxes, sure.boxes)
    assert seen(story[-1]) == [1]


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        pytest.param(0.29, {1: LOST}, id="just below: half of 0.29 and 0.8"),
        pytest.param(0.31, {1: CONFIRMED}, id="just above"),
    ],
)
def test_poses_below_min_pose_score_are_ignored(score, expected):
    frames = [[make_person(100, 50, HEIGHT)]] * 3 + [[make_person(100, 50, HEIGHT, score)]]
    assert who(run(frames, min_pose_score=0.55)[-1]) == expected


# People who move as they do in sports, shows and streets, at any frame rate. All are confident.


def at_rest(*xs):
    return [make_person(x, 60, HEIGHT) for x in xs]


def position_of_runner(t):
    """Return how far somebody is, in heights, who stands for 1 s and then runs.

    4 heights a second are reached within 0.5 s: 7 m/s.
    """
    running = max(0.0, t - 1)
    return 4 * (running**2 if running < 0.5 else running - 0.25)


@pytest.mark.parametrize("fps", [60, 25, 10], ids="{} fps".format)
@pytest.mark.parametrize("others", [(), (500, 760)], ids=["alone", "past two who stand"])
def test_a_runner_who_starts_from_standing_keeps_the_id(fps, others):
    def people(t):
        return [make_person(100 + HEIGHT * position_of_runner(t), 50, HEIGHT), *at_rest(*others)]

    story = film(people, 3, fps)
    ids = list(range(1, len(others) + 2))
    assert [seen(tracked) for tracked in story] == [ids] * len(story)


def degrees_of_bending(t):
    """Return how far somebody is bent who bends within 0.6 s, stays so, and straightens up."""
    return float(np.interp(t, [1, 1.6, 2.6, 3.2], [0, 120, 120, 0]))


@EVERY_FPS
@pytest.mark.parametrize("others", [(), (420,)], ids=["alone", "beside somebody"])
def test_person_who_bends_and_straightens_up_keeps_the_id(fps, others):
    def people(t):
        return [make_bent_person(300, 60, HEIGHT, degrees_of_bending(t)), *at_rest(*others)]

    story = film(people, 4, fps)
    heights = [tracked.poses.heights[0] for tracked in story]
    assert min(heights) < 0.6 * heights[0]
    ids = list(range(1, len(others) + 2))
    assert [seen(tracked) for tracked in story] == [ids] * len(story)


@EVERY_FPS
@pytest.mark.parametrize("others", [(), (180, 420)], ids=["alone", "between two who stand"])
def test_person_whose_legs_leave_the_image_keeps_the_id(fps, others):
    def people(t):
        y = float(np.interp(t, [0.5, 1.5, 2.5, 3.5], [100, 220, 220, 100]))
        return [cut_at(make_person(300, y, HEIGHT), bottom=320), *at_rest(*others)]

    story = film(people, 4, fps)
    heights = [tracked.poses.heights[0] for tracked in story]
    assert min(heights) < 0.55 * heights[0]
    ids = list(range(1, len(others) + 2))
    assert [seen(tracked) for tracked in story] == [ids] * len(story)


# 60 degrees are 640 pixels wide: at 90 degrees per second, 960 pixels per second.
PANS = pytest.mark.parametrize(
    "pan",
    [
        pytest.param(lambda t: np.interp(t, [0.7, 1.7], [0, 960]), id="to the right"),
        pytest.param(lambda t: np.interp(t, [0.7, 1.4, 2.1], [0, -672, 0]), id="there and back"),
    ],
)
CROWD = [(60, 50, 150), (190, 90, 170), (330, 40, 160), (480, 70, 180), (610, 60, 140)]


@EVERY_FPS
@PANS
def test_people_keep_their_ids_without_images_while_the_camera_pans(fps, pan):
    story = film(lambda t: [make_person(x - pan(t), y, h) for x, y, h in CROWD], 2.5, fps)
    assert [seen(tracked) for tracked in story] == [[1, 2, 3, 4, 5]] * len(story)


@EVERY_FPS
def test_people_keep_their_ids_while_the_camera_pans_and_they_walk(fps):
    speeds = (0.5, -0.4, 0.0, 0.6, -0.6)

    def people(t):
        pan = np.interp(t, [0.7, 1.7], [0, 960])
        return [make_person(x + speed * h * t - pan, y, h)
                for (x, y, h), speed in zip(CROWD, speeds, strict=True)]  # fmt: skip

    story = film(people, 2.0, fps)
    assert [seen(tracked) for tracked in story] == [[1, 2, 3, 4, 5]] * len(story)


def dancers(t):
    """Return two people who dance: bodies 0.32 heights apart, boxes that overlap by 0.6."""
    x = 300 + 0.2 * HEIGHT * np.sin(2 * np.pi * 0.25 * t)
    pair = []
    for body, box in ((x - 32, x - 15), (x + 32, x + 15)):
        pose = make_person(body, 50, HEIGHT, 0.9, 0.85)
        pair.append(replace(pose, boxes=np.array([[box - 60, 50, box + 60, 50 + HEIGHT]])))
    return pair


@EVERY_FPS
def test_two_dancers_get_two_ids_from_the_first_frame(fps):
    first, second = (pose.boxes for pose in dancers(0.0))
    assert box_iou(first, second) == pytest.approx(0.6)
    story = film(dancers, 3, fps)
    assert [list(who(tracked)) for tracked in story] == [[1, 2]] * len(story)
    # Of boxes that overlap so much, the second may be the first found twice, for a moment.
    assert [seen(tracked) for tracked in story[2:]] == [[1, 2]] * (len(story) - 2)


# Several people, by motion alone.


@pytest.mark.parametrize(("fps", "height"), [(25, 40), (10, 200), (3, 200), (25, 900)])
@pytest.mark.parametrize("hidden_s", [0, 0.6], ids=["both seen", "the farther is hidden"])
def test_two_people_who_cross_keep_their_ids(fps, height, hidden_s):
    near = walker(0, 0.3 * height, height)
    far = walker(2.8 * height, 0.2 * height, 0.95 * height, speed=-0.74)  # they meet after 2 s

    def people(t):
        return [near(t)] if abs(t - 2) < hidden_s / 2 else [near(t), far(t)]

    story = film(people, 4, fps)
    assert everybody(story) == {1, 2}
    assert seen(story[-1]) == [1, 2]
    assert LOST not in np.concatenate([t.states for t in story]) or hidden_s


def test_two_people_who_cross_keep_their_ids_at_irregular_stamps():
    stamps_s = np.cumsum(np.random.default_rng(7).uniform(0.01, 0.4, 24))
    near, far = walker(0, 60), walker(2.8 * HEIGHT, 40, speed=-0.7)
    story = run([[near(t), far(t)] for t in stamps_s], stamps_s=stamps_s)
    assert [seen(tracked) for tracked in story[1:]] == [[1, 2]] * 23


@FPS
@pytest.mark.parametrize(
    "people",
    [
        pytest.param([walker(100), walker(200), walker(300)], id="three in a row"),
        pytest.param([walker(100), walker(190)], id="two side by side"),
        pytest.param([walker(300, 60, 200, 0.3), walker(150, 40, 220, 0.68)], id="overtaking"),
        pytest.param([lambda t: walker(100)(min(t, 2.0))], id="one who stops"),
        pytest.param([lambda t: walker(100)(max(t, 2.0))], id="one who starts to walk"),
        pytest.param([walker(100, speed=0), walker(140, speed=0)], id="close together"),
        pytest.param([walker(-600, -300), walker(-200, -300)], id="beyond the image's corner"),
    ],
)
def test_all_people_keep_their_ids(fps, people):
    story = film(lambda t: [person(t) for person in people], 4, fps)
    ids = list(range(1, len(people) + 1))
    assert [seen(tracked) for tracked in story[2:]] == [ids] * (len(story) - 2)


def test_result_does_not_depend_on_the_detection_order():
    people = [make_person(100, 50, HEIGHT), make_person(500, 50, HEIGHT)]
    story = run([people[:: (-1) ** i] for i in range(10)])
    assert [seen(tracked) for tracked in story[1:]] == ([[2, 1], [1, 2]] * 5)[:9]


# Lost and found.


@FPS
@pytest.mark.parametrize("speed", [0, 0.3, 0.7], ids=["standing", "strolling", "walking"])
def test_people_at_the_predicted_position_keep_their_ids_after_1_s(fps, speed):
    person = walker(100, speed=speed)
    story = film(lambda t: [] if 2 <= t < 3 else [person(t)], 5, fps)
    assert everybody(story) == {1}
    assert who(story[-1]) == {1: CONFIRMED}


def test_standing_person_keeps_the_id_after_3_s():
    story = film(lambda t: [] if 2 <= t < 5 else [make_person(100, 50, HEIGHT)], 7, 10)
    assert everybody(story) == {1}


@pytest.mark.parametrize("speed", [0.3, 0.7], ids=["strolling", "walking"])
def test_walking_person_is_reidentified_by_appearance_after_3_s(speed):
    person = walker(100, speed=speed)
    stamps_s = DT_S * np.arange(71)
    frames = [[] if 2 <= t < 5 else [person(t)] for t in stamps_s]
    story = run(frames, appearances=[[RED] * len(people) for people in frames])
    assert everybody(story) == {1}
    assert everybody(run(frames)) == {1, 2}  # position alone says too little by then


def test_person_far_away_gets_a_new_id():
    here, far = make_person(100, 50, HEIGHT), make_person(900, 50, HEIGHT)
    story = run([[here]] * 10 + [[far]] * 10 + [[far, here]] * 3)
    assert who(story[9]) == {1: CONFIRMED}
    assert who(story[19]) == {2: CONFIRMED, 1: LOST}
    assert who(story[-1]) == {2: CONFIRMED, 1: CONFIRMED}


@pytest.mark.parametrize("height", [60, 600])
def test_person_of_another_size_at_the_same_position_gets_a_new_id(height):
    other = make_person(100, 50 + 0.4 * (200 - height), height)  # the torsos' middles are one
    story = run([[make_person(100, 50, 200)]] * 10 + [[other]] * 3)
    assert who(story[-1]) == {2: CONFIRMED, 1: LOST}


@pytest.mark.parametrize(
    ("max_lost_s", "n_lost"),
    [
        pytest.param(0.0, 0, id="nobody is remembered"),
        pytest.param(0.55, 5, id="half a second"),
        pytest.param(2.05, 20, id="two seconds"),
    ],
)
def test_person_who_leaves_is_lost_then_removed_once(max_lost_s, n_lost):
    story = run([[make_person(100, 50, HEIGHT)]] * 5 + [[]] * 30, max_lost_s=max_lost_s)
    expected = [{1: LOST}] * n_lost + [{1: REMOVED}] + [{}] * (29 - n_lost)
    assert [who(tracked) for tracked in story[5:]] == expected


def test_a_removed_id_never_returns():
    person = make_person(100, 50, HEIGHT)
    story = run([[person], [person], *[[]] * 9] * 3, max_lost_s=0.5)
    assert [seen(tracked) for tracked in story if seen(tracked)] == [
        [1], [1], [2], [2], [3], [3],
    ]  # fmt: skip


def test_lost_track_is_returned_as_last_observed():
    story = run([[make_person(100, 50, HEIGHT)]] * 5 + [[]] * 3)
    np.testing.assert_array_equal(story[-1].poses.boxes, story[4].poses.boxes)
    assert story[-1].time_since_update_s == pytest.approx([0.3])
    assert story[-1].ages_s == pytest.approx([0.7])
    assert story[-1].hits.tolist() == [5]


def test_order_is_observed_by_pose_then_lost_then_removed():
    a, b, c, d = (make_person(x, 50, 100) for x in (100, 300, 500, 700))
    story = run([[a, b, c, d]] * 3 + [[d, b, c]] * 5 + [[d, c]], max_lost_s=0.55)
    assert story[-1].track_ids.tolist() == [4, 3, 2, 1]
    assert story[-1].states.tolist() == [CONFIRMED, CONFIRMED, LOST, REMOVED]
    np.testing.assert_array_equal(story[-1].poses.boxes[:2], together(d, c).boxes)


# Appearance.


def unseen_then(before, after, appearances_before, appearances_after, unseen=10):
    """Return the last tracks of people seen for 2 s, then not, then for 2 s."""
    frames = [before] * 20 + [[]] * unseen + [after] * 20
    appearances = [appearances_before] * 20 + [[]] * unseen + [appearances_after] * 20
    return run(frames, appearances=None if appearances_before is None else appearances)[-1]


TWO = [make_person(200, 50, HEIGHT), make_person(300, 50, HEIGHT)]


def test_ids_follow_appearances_if_two_people_swap_positions_unobserved():
    assert seen(unseen_then(TWO, TWO, [RED, BLUE], [BLUE, RED])) == [2, 1]


@pytest.mark.parametrize(
    ("appearances_before", "appearances_after"),
    [
        pytest.param(None, None, id="no appearance is known"),
        pytest.param([UNKNOWN, UNKNOWN], [BLUE, RED], id="none was known before"),
        pytest.param([RED, BLUE], [UNKNOWN, UNKNOWN], id="none is known any more"),
        pytest.param([RED, RED], [RED, RED], id="all appearance alike"),
    ],
)
def test_ids_follow_positions_if_appearances_are_unknown(appearances_before, appearances_after):
    assert seen(unseen_then(TWO, TWO, appearances_before, appearances_after)) == [1, 2]


@pytest.mark.parametrize(
    ("appearance", "expected"),
    [
        pytest.param(RED, {1: CONFIRMED}, id="the same appearance"),
        pytest.param(UNKNOWN, {1: CONFIRMED}, id="unknown appearance"),
        pytest.param(BLUE, {2: CONFIRMED, 1: LOST}, id="another appearance"),
    ],
)
def test_appearance_decides_about_a_person_at_a_lost_position(appearance, expected):
    here = [make_person(200, 50, HEIGHT)]
    assert who(unseen_then(here, here, [RED], [appearance])) == expected


@pytest.mark.parametrize(
    ("apart", "expected"),
    [
        pytest.param(400, {3: CONFIRMED, 1: LOST, 2: LOST}, id="learned: is somebody else"),
        pytest.param(40, {1: CONFIRMED, 2: LOST}, id="never learned, as two overlapped"),
    ],
)
def test_appearance_is_updated_without_overlap(apart, expected):
    two = [make_person(200, 50, HEIGHT), make_person(200 + apart, 50, HEIGHT)]
    assert who(unseen_then(two, two[:1], [RED, RED], [BLUE])) == expected


def test_appearance_of_two_frames_is_not_compared():
    here = [make_person(200, 50, HEIGHT)]
    appearances = [[UNKNOWN]] * 20 + [[RED]] * 2 + [[]] * 10 + [[BLUE]] * 5
    story = run([here] * 22 + [[]] * 10 + [here] * 5, appearances=appearances)
    assert who(story[-1]) == {1: CONFIRMED}


def test_returning_person_is_reidentified_once_the_appearance_is_known():
    stamps_s = DT_S * np.arange(60)
    frames = [[] if 2 <= t < 5 else [walker(100)(t)] for t in stamps_s]
    appearances = [[RED] * len(people) for people in frames]
    frames[50] = [walker(100, score=0.1)(5.0)]  # not sure at first, after 3 s
    appearances[50] = [UNKNOWN]
    story = run(frames, appearances=appearances)
    assert who(story[50]) == {2: TENTATIVE, 1: LOST}
    assert who(story[51]) == {1: CONFIRMED}  # and 2 is never mentioned again
    assert [who(tracked) for tracked in story[51:]] == [{1: CONFIRMED}] * 9
    assert story[51].hits.tolist() == [22]
    assert story[51].ages_s == pytest.approx([5.1])
    assert story[51].time_since_update_s.tolist() == [0]
    np.testing.assert_array_equal(story[51].poses.boxes, frames[51][0].boxes)


def test_confident_returning_person_waits_for_reidentification_by_appearance():
    stamps_s = DT_S * np.arange(60)
    frames = [[] if 2 <= t < 5 else [walker(100)(t)] for t in stamps_s]
    appearances = [[RED] * len(people) for people in frames]
    appearances[50] = [UNKNOWN]  # the first detection after 3 s
    assert who(run(frames, appearances=appearances)[-1]) == {1: CONFIRMED}


# One person found twice.


def found_again(person, part, shift, noise):
    """Return a second pose of the person: of the upper `part` of the height; moved, pixels."""
    x1, y1, x2, y2 = person.boxes[0]
    box = [x1, y1, x2, y1 + part * (y2 - y1)]
    scores = np.where(person.keypoints[..., 1] > box[3], 0.2, 0.7)
    keypoints = person.keypoints + shift + noise
    boxes = np.add([box], [*shift, *shift])
    return Poses(keypoints, scores, boxes, np.array([0.8]))


@pytest.mark.parametrize("part", [1.0, 0.7, 0.5], ids=["whole", "two thirds", "half"])
@pytest.mark.parametrize(
    ("jitter", "noise", "often"),
    [
        pytest.param(0, 0, 1.0, id="exactly the same"),
        pytest.param(0, 0.03, 1.0, id="keypoints differ by 3 %"),
        pytest.param(0.05, 0, 1.0, id="all is 5 % off"),
        pytest.param(0.05, 0.03, 1.0, id="both"),
        pytest.param(0.05, 0.03, 0.3, id="now and then"),
    ],
)
def test_duplicate_detections_are_one_track(part, jitter, noise, often):
    rng = np.random.default_rng(4)
    person = walker(100, speed=0.3)

    def people(t):
        shift = HEIGHT * rng.uniform(-jitter, jitter, 2)
        again = found_again(person(t), part, shift, HEIGHT * rng.normal(0, noise, (17, 2)))
        return [person(t), again][: 2 if rng.random() < often else 1]

    for fps in (25, 3):
        story = film(people, 4, fps)
        assert [1 in seen(tracked) for tracked in story[1:]] == [True] * (len(story) - 1)
        assert longest_run(story, 2) <= 1


def test_duplicate_detections_from_the_start_are_one_track():
    person = make_person(100, 50, HEIGHT)
    assert [seen(tracked) for tracked in run([[person, person]] * 4)] == [[], [1], [1], [1]]


@pytest.mark.parametrize("elder", [0, 1])
def test_two_tracks_of_one_person_merge_into_the_older(elder):
    still = make_person(300, 50, HEIGHT)
    frames = [[still, make_person(max(300, 400 - 10 * i), 50, HEIGHT)] for i in range(30)]
    story = run([[frames[0][elder]]] * 5 + frames)
    assert who(story[-1]) == {1: CONFIRMED}
    assert everybody(story) == {1, 2}
    # Together from story[14] on, REMOVED when that is ten of the 19 frames it was seen in.
    assert [who(tracked).get(2) for tracked in story[22:25]] == [CONFIRMED, REMOVED, None]
    assert not any(2 in who(tracked) for tracked in story[24:])


def test_coincident_pose_does_not_start_a_second_track():
    beside, on_top = unsure(345), make_person(315, 50, HEIGHT)
    person = make_person(300, 50, HEIGHT)
    story = run([[person]] * 3 + [[person, beside]] + [[person, on_top]] * 10)
    assert who(story[3]) == {1: CONFIRMED, 2: TENTATIVE}
    assert everybody(story) == {1}


def test_pose_that_shares_head_and_shoulders_does_not_start_a_track():
    person = make_person(300, 50, HEIGHT, 0.1)
    limbs = person.keypoints + np.where(np.arange(17) < 7, 0, 0.5 * HEIGHT)[:, None] * [1, 0]
    again = replace(person, keypoints=limbs, boxes=np.add(person.boxes, (20, 0, 80, 0)))
    story = run([[person, again]] * 20)
    assert {track_id for tracked in story for track_id in who(tracked)} == {1}


@FPS
@pytest.mark.parametrize("apart", [40, 60, 100])
def test_two_close_people_remain_two_tracks(fps, apart):
    two = [make_person(300, 50, HEIGHT), make_person(300 + apart, 50, HEIGHT)]
    story = film(lambda t: two, 4, fps)
    assert [seen(tracked) for tracked in story[1:]] == [[1, 2]] * (len(story) - 1)


# A camera that moves.

PLACES = np.array([[200.0, 400.0], [400.0, 420.0], [600.0, 390.0]])


def shaking(rng, turn, zoom, shift):
    """Return (linear, shift) of an image that jumps this far at most, at random."""
    angle, scale = rng.uniform(-turn, turn), 1 + rng.uniform(-zoom, zoom)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]]), rng.uniform(-shift, shift, 2)


def through(linear, shift, person):
    """Return the person of an upright image in one that jumped."""
    scale = np.sqrt(np.linalg.det(linear))
    middle, half = (person.boxes[0, :2] + person.boxes[0, 2:]) / 2, (0.2 * HEIGHT, 0.5 * HEIGHT)
    middle, half = linear @ middle + shift, scale * np.array(half)
    boxes = np.concatenate([middle - half, middle + half])[None]
    return replace(person, keypoints=person.keypoints @ linear.T + shift, boxes=boxes)


def filmed(turn=0.0, zoom=0.0, shift=30.0, spoil=lambda matches: matches, n=60):
    """Return the story of three who stand still while the image jumps."""
    rng = np.random.default_rng(1)
    tracker = make_tracker()
    ground = rng.uniform(0, 1000, (300, 2))
    people = [make_person(x, y - HEIGHT / 2, HEIGHT) for x, y in PLACES]
    linear, offset, story, before = np.eye(2), np.zeros(2), [], ground
    for i in range(n):
        step, jump = shaking(rng, turn, zoom, shift)
        linear, offset = step @ linear, step @ offset + jump
        now = ground @ linear.T + offset
        matches = spoil(np.hstack([before, now])) if i else NO_MATCHES
        found = together(*(through(linear, offset, person) for person in people))
        story.append(tracker.update(found, cues_of(found, matches), DT_S * i))
        before = now
    return story


def with_others(matches):
    """Let a third of the correspondences be of things that move by themselves."""
    moved = matches.copy()
    moved[::3, 2:] += [70, -20]
    return moved


def with_gaps(value):
    """Let every fifth correspondence have no end."""

    def spoil(matches):
        spoiled = matches.copy()
        spoiled[::5, 2] = value
        return spoiled

    return spoil


@pytest.mark.parametrize(
    "image",
    [
        pytest.param({}, id="30 px a frame"),
        pytest.param({"turn": 0.03, "zoom": 0.05}, id="which turns and zooms"),
        pytest.param({"turn": 0.03, "zoom": 0.05, "shift": 0}, id="about the corner"),
        pytest.param({"spoil": with_others}, id="a third of it moves by itself"),
        pytest.param({"spoil": with_gaps(np.nan)}, id="NaN among the correspondences"),
        pytest.param({"spoil": with_gaps(np.inf)}, id="infinity among the correspondences"),
    ],
)
def test_standing_people_keep_their_ids_if_the_image_jumps(image):
    story = filmed(**image)
    assert [seen(tracked) for tracked in story[1:]] == [[1, 2, 3]] * 59
    assert np.abs([tracked.velocities for tracked in story]).max() < 0.05 * HEIGHT


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda matches: NO_MATCHES, id="none"),
        pytest.param(lambda matches: matches[:11], id="too few"),
        pytest.param(lambda matches: matches * np.nan, id="all NaN"),
    ],
)
def test_jumping_image_without_correspondences_is_motion_of_people(spoil):
    speeds = [np.abs(tracked.velocities).max() for tracked in filmed(spoil=spoil)]
    assert max(speeds) > 0.3 * HEIGHT
    assert np.isfinite(speeds).all()


def test_correspondences_on_people_are_not_camera_motion():
    tracker = make_tracker()
    spots = np.random.default_rng(2).uniform((70, 60), (130, 240), (100, 2))
    for i in range(20):
        person = walker(100)(DT_S * i)
        step = [0.7 * HEIGHT * DT_S, 0]
        now = spots + i * np.array(step)
        tracked = tracker.update(person, cues_of(person, np.hstack([now - step, now])), DT_S * i)
    assert tracked.velocities[0] == pytest.approx([140, 0], abs=7)


def test_camera_motion_moves_lost_tracks():
    tracker = make_tracker()
    ground = np.random.default_rng(3).uniform(0, 1000, (100, 2))
    for i in range(30):
        before, now = (np.add(ground, (60 * max(j, 0), 0)) for j in (i - 1, i))
        matches = np.hstack([before, now])
        people = together(*([] if 10 <= i < 15 else [make_person(200 + 60 * i, 50, HEIGHT)]))
        tracked = tracker.update(people, cues_of(people, matches), DT_S * i)
    assert who(tracked) == {1: CONFIRMED}


def test_velocity_of_lost_tracks_rotates_with_the_image():
    ground = np.random.default_rng(3).uniform(0, 1000, (100, 2))
    turned = np.stack([500 - ground[:, 1], ground[:, 0]], axis=1)
    tracker = make_tracker()
    for i in range(20):
        before = tracker.update(walker(100)(DT_S * i), None, DT_S * i)
    tracked = tracker.update(together(), cues_of(together(), np.hstack([ground, turned])), 2.0)
    assert before.velocities[0] == pytest.approx([140, 0], abs=7)
    assert tracked.velocities[0] == pytest.approx([0, 140], abs=9)


# What is published.


@pytest.mark.parametrize(("fps", "height"), [(30, 40), (10, 200), (5, 200), (30, 900)])
@pytest.mark.parametrize(
    "heading", [(0.7, 0), (-0.5, 0.2), (0, 0)], ids=["right", "left and down", "standing"]
)
def test_velocity_is_in_pixels_per_second(fps, height, heading):
    dx, dy = height * np.array(heading)
    story = film(lambda t: [make_person(100 + dx * t, 50 + dy * t, height)], 1, fps)
    assert story[-1].velocities[0] == pytest.approx([dx, dy], abs=0.05 * height)


def test_scores_ages_and_hits_are_returned():
    person = make_person(100, 50, HEIGHT)
    story = run([[person], [person], [], [], [person]], stamps_s=1e9 + DT_S * np.arange(5))
    columns = [(t.hits[0], t.ages_s[0], t.time_since_update_s[0]) for t in story]
    expected = [(1, 0, 0), (2, 0.1, 0), (2, 0.2, 0.1), (2, 0.3, 0.2), (3, 0.4, 0)]
    np.testing.assert_allclose(columns, expected, atol=1e-6)
    assert story[0].match_scores.tolist() == [0]
    assert story[1].match_scores == pytest.approx([1])  # nothing moved


def test_poses_are_returned_unchanged():
    people = together(make_person(500, 10, 90, 0.5), make_person(100, 20, 80, 0.7))
    for tracked in run([[people]] * 3):
        for item in fields(Poses):
            expected = getattr(people, item.name)
            np.testing.assert_array_equal(getattr(tracked.poses, item.name), expected)


def test_output_does_not_change_later_or_with_the_input():
    tracker = make_tracker(max_lost_s=0.5)
    given = walker(100)(0.0)
    first = [tracker.update(given, None, 0.0), tracker.update(given, None, 0.1)]
    published = [numbers(tracked) for tracked in first]
    for array in (given.keypoints, given.keypoint_scores, given.boxes, given.scores):
        np.add(array, 0.05, out=array)
    run([[walker(100)(DT_S * i)] for i in range(5)] + [[]] * 10, tracker,
         stamps_s=0.2 + DT_S * np.arange(15))  # fmt: skip
    for tracked, before in zip(first, published, strict=True):
        np.testing.assert_array_equal(numbers(tracked), before)


def numbers(tracked):
    """Return all that is published as one array."""
    arrays = [getattr(tracked, item.name) for item in fields(TrackedPoses)[1:]]
    arrays += [getattr(tracked.poses, item.name) for item in fields(Poses)]
    return np.concatenate([np.ravel(array) for array in arrays]).astype(float)


def test_reset_removes_all_tracks_and_reuses_no_id():
    person = make_person(100, 50, HEIGHT)
    tracker = make_tracker()
    run([[person]] * 2 + [[person, make_person(500, 50, HEIGHT)]], tracker)
    tracker.reset()
    story = run([[], [person], [person]], tracker, stamps_s=[-5.0, -4.9, -4.8])
    assert [who(tracked) for tracked in story] == [{}, {3: CONFIRMED}, {3: CONFIRMED}]
    assert story[-1].hits.tolist() == [2]
    assert story[-1].ages_s == pytest.approx([0.1])


def test_two_trackers_share_nothing():
    here, there = make_person(100, 50, HEIGHT), make_person(500, 50, HEIGHT)
    one, other = make_tracker(), make_tracker()
    for i in range(4):
        a = one.update(here, None, DT_S * i)
        b = other.update(there, None, 50 + DT_S * i)
    assert who(a) == who(b) == {1: CONFIRMED}
    assert a.ages_s == pytest.approx(b.ages_s)


# Bad input.


def broken(array, index, value):
    pose = make_person(300, 50, HEIGHT)
    getattr(pose, array)[index] = value
    return pose


@pytest.mark.parametrize(
    "pose",
    [
        pytest.param(broken("keypoints", (0, 3, 1), np.nan), id="a NaN keypoint"),
        pytest.param(broken("keypoints", (0, 0, 0), -np.inf), id="an infinite keypoint"),
        pytest.param(broken("keypoint_scores", (0, 2), np.nan), id="a NaN keypoint score"),
        pytest.param(broken("keypoint_scores", (0, 2), np.inf), id="an infinite keypoint score"),
        pytest.param(broken("boxes", (0, 1), np.nan), id="a NaN box"),
        pytest.param(broken("boxes", (0, 2), np.inf), id="an infinite box"),
        pytest.param(broken("scores", 0, np.nan), id="a NaN score"),
        pytest.param(broken("scores", 0, np.inf), id="an infinite score"),
        pytest.param(broken("boxes", (0, 2), 260.0), id="a box without width"),
        pytest.param(broken("boxes", (0, 3), 50.0), id="a box without height"),
        pytest.param(broken("boxes", (0, 2), 200.0), id="a box left side right"),
        pytest.param(broken("boxes", (0, 3), 10.0), id="a box upside down"),
        pytest.param(
            replace(make_person(300, 50, HEIGHT, 0), keypoint_scores=np.zeros((1, 17))),
            id="all scores are 0",
        ),
    ],
)
def test_invalid_pose_is_ignored_and_does_not_affect_others(pose):
    other = make_person(500, 50, HEIGHT)
    story = run([[pose], [pose, other], [other, pose], [pose, other], [pose]])
    expected = [{}, {1: CONFIRMED}, {1: CONFIRMED}, {1: CONFIRMED}, {1: LOST}]
    assert [who(tracked) for tracked in story] == expected


@pytest.mark.parametrize(
    "pose",
    [
        pytest.param(make_person(-300, -400, HEIGHT), id="negative coordinates"),
        pytest.param(make_person(5000, 7000, HEIGHT), id="outside of the image"),
        pytest.param(make_person(1e6, -1e6, HEIGHT), id="a million pixels off"),
        pytest.param(make_person(300, 50, 1e-2), id="smaller than a pixel"),
        pytest.param(make_person(300, 50, 1e5), id="100,000 pixels high"),
        pytest.param(broken("keypoints", ..., 300.0), id="all keypoints in one point"),
        pytest.param(broken("keypoints", ..., -1e6), id="keypoints far from the box"),
        pytest.param(broken("keypoint_scores", ..., 0.0), id="no keypoint is sure"),
    ],
)
def test_unusual_pose_keeps_its_id(pose):
    other = make_person(500, 50, HEIGHT)
    story = run([[pose, other]] * 5)
    assert seen(story[-1]) == [1, 2]
    assert np.isfinite(numbers(story[-1])).all()
    assert np.abs(story[-1].velocities).max() < 1


def assert_time_goes_on(tracker, start_s):
    """Somebody seen for three frames is a person, lost when unseen, removed after 1 s of that."""
    person = make_person(100, 50, HEIGHT)
    stamps_s = start_s + DT_S * np.arange(33)
    after = run([[person]] * 3 + [[]] * 30, tracker, stamps_s=stamps_s)
    (track_id,) = seen(after[2])
    states = [who(tracked).get(track_id) for tracked in after[3:]]
    assert states.count(LOST) in {9, 10}  # 1.0 s may be just over or just under
    assert states.count(REMOVED) == 1
    assert who(after[-1]) == {}
    assert all(np.isfinite(numbers(tracked)).all() for tracked in after)


@pytest.mark.parametrize(
    "stamp_s",
    [
        pytest.param(100.9, id="equal to the last"),
        pytest.param(100.899, id="1 ms back"),
        pytest.param(100.9 - 3600, id="1 h back"),
        pytest.param(-1e9, id="long ago"),
        pytest.param(np.nan, id="NaN"),
        pytest.param(np.inf, id="infinite"),
        pytest.param(-np.inf, id="minus infinity"),
    ],
)
@pytest.mark.parametrize("anybody", [True, False], ids=["somebody is known", "nobody is"])
def test_invalid_stamp_is_replaced_by_the_last(stamp_s, anybody):
    tracker = make_tracker(max_lost_s=1.0)
    person = [make_person(100, 50, HEIGHT)] if anybody else []
    stamps_s = [*(100 + DT_S * np.arange(10)), stamp_s, stamp_s]
    story = run([person] * 12, tracker, stamps_s=stamps_s)
    assert who(story[-1]) == ({1: CONFIRMED} if anybody else {})
    assert story[-1].ages_s == pytest.approx([0.9] * len(person))
    assert story[-1].time_since_update_s.tolist() == [0] * len(person)
    assert_time_goes_on(tracker, 101.0)


@pytest.mark.parametrize("stamp_s", [np.nan, np.inf, -np.inf])
def test_invalid_first_stamp_is_replaced_by_0(stamp_s):
    tracker = make_tracker(max_lost_s=1.0)
    story = run([[make_person(100, 50, HEIGHT)]] * 2, tracker, stamps_s=[stamp_s, 0.25])
    assert who(story[-1]) == {1: CONFIRMED}
    assert story[-1].ages_s.tolist() == [0.25]
    assert_time_goes_on(tracker, 0.35)


@pytest.mark.parametrize("later_s", [3600, 1e9])
def test_person_at_an_old_position_gets_a_new_id_after_a_long_time(later_s):
    tracker = make_tracker(max_lost_s=1.0)
    person = [make_person(100, 50, HEIGHT)]
    stamps_s = [0.0, 0.1, 0.2, later_s, later_s + 0.1]
    story = run([person] * 5, tracker, stamps_s=stamps_s)
    assert [who(tracked) for tracked in story[2:]] == [
        {1: CONFIRMED},
        {2: CONFIRMED, 1: REMOVED},
        {2: CONFIRMED},
    ]
    assert_time_goes_on(tracker, later_s + 0.2)


def at_unusual_rate(fps):
    """Return the tracks of two people, found 1 % of their height off, in 41 frames or more."""
    rng = np.random.default_rng(8)

    def people(t):
        (ax, ay), (bx, by) = 0.01 * HEIGHT * rng.normal(size=(2, 2))
        strolling = make_person(500 + 0.05 * HEIGHT * t + bx, 50 + by, HEIGHT)
        return [make_person(100 + ax, 50 + ay, HEIGHT), strolling]

    return film(people, max(1.0, 40 / fps), fps)


@pytest.mark.parametrize("fps", [200, 0.5], ids="{} fps".format)
def test_number_of_tracks_is_right_at_unusual_frame_rates(fps):
    story = at_unusual_rate(fps)
    assert [len(seen(tracked)) for tracked in story] == [2] * len(story)
    assert all(np.isfinite(numbers(tracked)).all() for tracked in story)
    assert np.abs(story[-1].velocities).max() < 0.3 * HEIGHT


@pytest.mark.parametrize("fps", [200, 0.5], ids="{} fps".format)
def test_people_keep_their_ids_at_unusual_frame_rates(fps):
    story = at_unusual_rate(fps)
    assert [seen(tracked) for tracked in story] == [[1, 2]] * len(story)


@pytest.mark.parametrize(
    "pose",
    [
        pytest.param(make_person(320, 0, 480), id="fills the image"),
        pytest.param(make_person(320, -400, 1600), id="is larger than the image"),
        pytest.param(cut_at(make_person(320, -200, 1600), 480), id="without legs in the image"),
        pytest.param(make_person(320, 200, 1), id="one pixel high"),
        pytest.param(
            replace(make_person(320, 50, HEIGHT), boxes=np.array([[320.0, 50, 321, 51]])),
            id="in a box of one pixel",
        ),
    ],
)
@pytest.mark.parametrize("fps", [200, 10, 0.5], ids="{} fps".format)
def test_person_of_unusual_size_is_one_track(pose, fps):
    story = film(lambda t: [pose], 20 / fps, fps)
    assert [len(seen(tracked)) for tracked in story] == [1] * 21
    if fps > 1:
        assert everybody(story) == {1}
    assert all(np.isfinite(numbers(tracked)).all() for tracked in story)
    assert np.abs(story[-1].velocities).max() < 1


def test_tracks_are_removed_after_a_minute_without_people():
    person = make_person(100, 50, HEIGHT)
    story = run([[person]] * 3 + [[]] * 600 + [[person]] * 2)
    assert [len(tracked) for tracked in story[3:-2]] == [1] * 200 + [0] * 400
    assert who(story[-1]) == {2: CONFIRMED}


def test_frames_without_people():
    (tracked,) = run([[]])
    assert len(tracked) == 0
    assert tracked.poses.keypoints.shape == (0, 17, 2)
    assert tracked.velocities.shape == (0, 2)
    assert tracked.visible.shape == (0,)


def test_five_hundred_people_at_once_keep_their_ids():
    places = [(100 * (i % 25), 250 * (i // 25)) for i in range(500)]
    crowds = [[make_person(x + d, y + d, HEIGHT) for x, y in places] for d in (0, 4, 8)]
    story = run([crowds[0], crowds[1][::-1], crowds[2]])
    assert story[0].track_ids.tolist() == list(range(1, 501))
    assert seen(story[1]) == list(range(500, 0, -1))
    assert seen(story[2]) == list(range(1, 501))


def test_appearance_is_kept_while_unknown():
    here = [make_person(200, 50, HEIGHT)]
    appearances = [None, *[[RED]] * 10, None, None, *[[]] * 10, None, *[[BLUE]] * 3]
    frames = [here if appearance is None or appearance else [] for appearance in appearances]
    frames[-4] = []
    assert who(run(frames, appearances=appearances)[-1]) == {2: CONFIRMED, 1: LOST}


def test_appearance_with_other_dimensions_is_not_compared():
    here = [make_person(200, 50, HEIGHT)]
    appearances = [[RED]] * 10 + [None] * 10 + [[-np.ones(4) / 2]] * 5 + [None] * 10 + [[RED]] * 5
    story = run(
        [here if appearance else [] for appearance in appearances], appearances=appearances
    )
    assert who(story[20]) == who(story[35]) == {1: CONFIRMED}


@pytest.mark.parametrize("n_keypoints", [5, 133])
@pytest.mark.parametrize("n_people", [0, 2])
def test_other_skeletons_are_rejected_and_tracks_are_kept(n_keypoints, n_people):
    tracker = make_tracker()
    person = make_person(100, 50, HEIGHT)
    run([[person]] * 3, tracker)
    other = Poses(np.full((n_people, n_keypoints, 2), 9.0), np.ones((n_people, n_keypoints)),
                  np.tile([0.0, 0.0, 9.0, 9.0], (n_people, 1)), np.ones(n_people))  # fmt: skip
    with pytest.raises(
        ValueError, match=r"^poses have \d+ keypoints, must have the 17 of coco17$"
    ) as caught:
        tracker.update(other, None, 0.3)
    assert f"have {n_keypoints} keypoints" in str(caught.value)
    assert who(tracker.update(person, None, 0.4)) == {1: CONFIRMED}


# Whatever comes.

PEOPLE = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 3), st.sampled_from([40, 100, 190, 210]),
              st.sampled_from([0.0, 0.3, 0.9]), st.sampled_from([RED, BLUE, UNKNOWN])),
    max_size=6,
)  # fmt: skip
FRAMES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.03, 0.4, 3.0, 0.0, -1.0]), PEOPLE, st.booleans()),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(frames=FRAMES, max_lost_s=st.sampled_from([0.0, 0.5, 20.0]))
def test_result_is_as_documented_for_random_input(frames, max_lost_s):
    tracker = make_tracker(max_lost_s=max_lost_s)
    stamp_s, known, removed = 0.0, set(), set()
    for dt_s, people, with_appearances in frames:
        stamp_s += dt_s
        poses = together(*(make_person(25 * x, 10 * y, h, s) for x, y, h, s, _ in people))
        appearances = (
            as_array([appearance for *_, appearance in people]) if with_appearances else None
        )
        tracked = observe(tracker, poses, stamp_s, appearances)
        assert_as_documented(tracked, len(poses))
        ids = set(tracked.track_ids.tolist())
        assert not removed & ids
        unseen = set(tracked.track_ids[tracked.states >= LOST].tolist())
        assert unseen <= known  # only who was a person can be lost
        known |= set(seen(tracked))
        removed |= set(tracked.track_ids[tracked.states == REMOVED].tolist())


def assert_as_documented(tracked, n_poses):
    assert np.isfinite(numbers(tracked)).all()
    assert len(set(tracked.track_ids.tolist())) == len(tracked)
    assert (tracked.track_ids > 0).all()
    assert ((tracked.match_scores >= 0) & (tracked.match_scores <= 1 + 1e-12)).all()
    assert (tracked.time_since_update_s >= 0).all()
    assert (tracked.ages_s >= tracked.time_since_update_s).all()
    assert (tracked.hits > 0).all()
    now = tracked.states < LOST
    assert tracked.visible.sum() <= now.sum() <= n_poses
    assert (tracked.time_since_update_s[now] == 0).all()
    assert (np.diff(np.where(now, 0, tracked.states)) >= 0).all()  # seen, then lost, then removed


def test_hundreds_of_new_people_do_not_fill_memory():
    tracker = make_tracker(max_lost_s=1.0)
    everybody_seen, removed, sizes, most_tracks = set(), [], [], 0
    tracemalloc.start()
    for group in range(30):  # of 20 strangers, each of them found twice in the end
        xs = 1000 * (20 * group + np.arange(20))
        for i, apart in enumerate((60, 40, 20, 0)):
            people = [make_person(x + d, 50, HEIGHT) for x in xs for d in (0, apart)]
            tracked = tracker.update(together(*people), None, DT_S * (4 * group + i))
            everybody_seen |= set(seen(tracked))
            removed += tracked.track_ids[tracked.states == REMOVED].tolist()
            most_tracks = max(most_tracks, len(tracked))
        if group in (9, 29):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # 40 tracks in 0.4 s, remembered for 1 s: those of four groups at most, and those removed.
    assert 40 <= most_tracks <= 200
    assert len(removed) == len(set(removed))
    assert 0 <= len(everybody_seen) - len(removed) <= 160
    # The sets of ids of this test grow by 800 numbers.
    assert sizes[1] < sizes[0] + 3e5
