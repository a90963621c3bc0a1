"""The tracker, in stories: who is visible where, and which ids are expected afterwards."""

import numpy as np
import pytest
from made_cues import cues_of
from people import NO_MATCHES, make_person, matches_between, together

from poseflow_ros.config import ClassicConfig, TrackerConfig
from poseflow_ros.poses import Poses, TrackState
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.halpe26 import HALPE_26
from poseflow_ros.tracking.tracker import PoseFlowTracker

CONFIRMED, LOST, REMOVED = TrackState.CONFIRMED, TrackState.LOST, TrackState.REMOVED
DT_S = 0.1
LEFT, RIGHT = 100, 500


def run(frames, tracker=None, start_s=0.0, min_pose_score=0.25, **config):
    """Return the tracks after each frame, a list of people DT_S after the one before."""
    tracker = tracker or PoseFlowTracker(
        TrackerConfig(association="classic", min_pose_score=min_pose_score),
        COCO_17,
        ClassicConfig(**config),
    )
    return [
        tracker.update(together(*people), None, start_s + DT_S * i)
        for i, people in enumerate(frames)
    ]


def seen(tracked):
    return tracked.track_ids[tracked.visible].tolist()


def who(tracked):
    """Return track id -> state."""
    return dict(zip(tracked.track_ids.tolist(), tracked.states.tolist(), strict=True))


def test_one_person_walking_keeps_one_id():
    story = run([[make_person(100 + 5 * i, 50, 200)] for i in range(30)])
    assert [seen(tracked) for tracked in story] == [[1]] * 30
    assert story[-1].states.tolist() == [CONFIRMED]


def test_two_people_side_by_side_keep_their_ids_in_any_detection_order():
    story = run([[make_person(LEFT, 50, 200), make_person(RIGHT, 50, 200)][:: (-1) ** i]
                  for i in range(10)])  # fmt: skip
    assert [seen(tracked) for tracked in story] == [[1, 2], [2, 1]] * 5


@pytest.mark.parametrize("led", [True, False], ids=["with correspondences", "by overlap alone"])
def test_two_people_who_cross_keep_their_ids(led):
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
    near = [make_person(100 + 12 * i, 60, 240) for i in range(31)]
    far = [make_person(460 - 12 * i, 20, 180) for i in range(31)]  # they meet in frame 15
    before = together()
    for i, people in enumerate(zip(near, far, strict=True)):
        now = together(*people)
        matches = matches_between(before, now) if led and i else NO_MATCHES
        tracked = tracker.update(now, cues_of(now, matches), DT_S * i)
        assert seen(tracked) == [1, 2]
        before = now


def test_poses_are_returned_unchanged_and_in_order():
    people = together(make_person(RIGHT, 10, 90, 0.5), make_person(LEFT, 20, 80, 0.7))
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
    for stamp_s in (0.0, 0.1):
        tracked = tracker.update(people, None, stamp_s)
        np.testing.assert_array_equal(tracked.poses.keypoints, people.keypoints)
        np.testing.assert_array_equal(tracked.poses.keypoint_scores, people.keypoint_scores)
        np.testing.assert_array_equal(tracked.poses.boxes, people.boxes)
        np.testing.assert_array_equal(tracked.poses.scores, people.scores)


def test_output_does_not_change_later():
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
    first, second, _ = run([[make_person(LEFT, 50, 200)], [make_person(LEFT + 9, 50, 200)], []],
                            tracker)  # fmt: skip
    assert (first.hits.tolist(), second.hits.tolist()) == ([1], [2])
    assert (first.states.tolist(), second.states.tolist()) == ([CONFIRMED], [CONFIRMED])
    assert first.velocities.tolist() == [[0, 0]]


def test_person_who_leaves_is_lost_then_removed_once():
    story = run([[make_person(LEFT, 50, 200)], *[[]] * 8], link_len=3)
    expected = [{1: CONFIRMED}, {1: LOST}, {1: LOST}, {1: REMOVED}, {}, {}, {}, {}, {}]
    assert [who(tracked) for tracked in story] == expected


def test_a_removed_id_never_returns():
    person = make_person(LEFT, 50, 200)
    story = run([[person], [], [], [], [person], [], [], [], [person]], link_len=3)
    assert [seen(tracked) for tracked in story if seen(tracked)] == [[1], [2], [3]]


def test_missed_track_is_removed_at_once_with_link_len_1():
    story = run([[make_person(LEFT, 50, 200)], [], []], link_len=1)
    assert [who(tracked) for tracked in story] == [{1: CONFIRMED}, {1: REMOVED}, {}]


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        pytest.param(1, 1, id="one frame missed"),
        pytest.param(4, 1, id="back in the frame that would forget"),
        pytest.param(5, 2, id="one frame too late: somebody new"),
    ],
)
def test_track_continues_only_within_link_len(gap, expected):
    person = make_person(LEFT, 50, 200)
    story = run([[person], *[[]] * gap, [person]], link_len=5)
    assert who(story[-1])[expected] == CONFIRMED
    assert seen(story[-1]) == [expected]


def test_other_tracks_continue_while_one_is_lost():
    one, other = make_person(LEFT, 50, 200), make_person(RIGHT, 50, 200)
    story = run([[one, other], [other], [other], [one, other]])
    assert [who(tracked) for tracked in story] == [
        {1: CONFIRMED, 2: CONFIRMED},
        {1: LOST, 2: CONFIRMED},
        {1: LOST, 2: CONFIRMED},
        {1: CONFIRMED, 2: CONFIRMED},
    ]
    np.testing.assert_array_equal(story[2].poses.boxes[1], one.boxes[0])  # as last seen


def test_order_is_observed_lost_removed():
    a, b, c = (make_person(x, 50, 100) for x in (100, 300, 500))
    story = run([[a, b, c], [b, c], [c]], link_len=2)
    assert story[-1].track_ids.tolist() == [3, 2, 1]
    assert story[-1].states.tolist() == [CONFIRMED, LOST, REMOVED]


def test_distant_detection_starts_a_new_track():
    story = run([[make_person(LEFT, 50, 200)], [make_person(RIGHT, 50, 200)]])
    assert who(story[-1]) == {2: CONFIRMED, 1: LOST}


def test_only_one_of_two_candidates_continues_a_track():
    story = run([[make_person(100, 50, 200)],
                  [make_person(130, 50, 200), make_person(102, 50, 200)]])  # fmt: skip
    assert seen(story[-1]) == [2, 1]


def test_reset_removes_all_tracks_and_reuses_no_id():
    person = make_person(LEFT, 50, 200)
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
    run([[person], [person, make_person(RIGHT, 50, 200)]], tracker)
    tracker.reset()
    story = run([[], [person], [person]], tracker, start_s=-5.0)
    assert [who(tracked) for tracked in story] == [{}, {3: CONFIRMED}, {3: CONFIRMED}]
    assert story[-1].hits.tolist() == [2]
    assert story[-1].ages_s == pytest.approx([0.1])


def test_two_trackers_share_no_ids():
    person = make_person(LEFT, 50, 200)
    assert seen(run([[person]])[0]) == seen(run([[person]])[0]) == [1]


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        pytest.param(0.29, [], id="just below: half of 0.29 and 0.8"),
        pytest.param(0.3, [1], id="the least allowed"),
        pytest.param(1.0, [1], id="sure"),
    ],
)
def test_poses_below_min_pose_score_are_ignored(score, expected):
    (tracked,) = run([[make_person(LEFT, 50, 200, score)]], min_pose_score=0.55)
    assert who(tracked) == dict.fromkeys(expected, CONFIRMED)


def test_a_pose_with_too_low_a_score_does_not_continue_a_track():
    story = run([[make_person(LEFT, 50, 200)], [make_person(LEFT, 50, 200, 0.1)]],
                 min_pose_score=0.5)  # fmt: skip
    assert who(story[-1]) == {1: LOST}


def broken(array, index, value):
    pose = make_person(LEFT, 50, 200)
    getattr(pose, array)[index] = value
    return pose


BROKEN = [
    pytest.param(broken("keypoints", (0, 3, 1), np.nan), id="a NaN keypoint"),
    pytest.param(broken("keypoints", (0, 0, 0), np.inf), id="an infinite keypoint"),
    pytest.param(broken("keypoint_scores", (0, 2), np.nan), id="a NaN keypoint score"),
    pytest.param(broken("boxes", (0, 1), np.nan), id="a NaN box"),
    pytest.param(broken("boxes", (0, 2), np.inf), id="an infinite box"),
    pytest.param(broken("scores", 0, np.nan), id="a NaN score"),
    pytest.param(broken("scores", 0, np.inf), id="an infinite score"),
    pytest.param(broken("boxes", (0, 2), LEFT - 40.0), id="a box without width"),
    pytest.param(broken("boxes", (0, 3), 50.0), id="a box without height"),
    pytest.param(broken("boxes", (0, 3), 10.0), id="a box upside down"),
]


@pytest.mark.parametrize("pose", BROKEN)
def test_invalid_pose_is_ignored_and_does_not_affect_others(pose):
    other = make_person(RIGHT, 50, 200)
    story = run([[pose], [pose, other], [other, pose]])
    assert [who(tracked) for tracked in story] == [{}, {1: CONFIRMED}, {1: CONFIRMED}]


def test_pose_with_coincident_keypoints_keeps_its_id():
    pose = make_person(LEFT, 50, 200)
    pose.keypoints[:] = 120.0
    assert [seen(tracked) for tracked in run([[pose], [pose]])] == [[1], [1]]


def test_frames_without_people():
    (tracked,) = run([[]])
    assert len(tracked) == 0
    assert tracked.poses.keypoints.shape == (0, 17, 2)
    assert tracked.velocities.shape == (0, 2)
    assert tracked.visible.shape == (0,)


def test_all_tracks_are_removed_after_a_long_time_without_people():
    story = run([[make_person(LEFT, 50, 200)], *[[]] * 1000], link_len=100)
    assert [len(tracked) for tracked in story] == [1] * 101 + [0] * 900


def test_many_new_people_do_not_fill_memory():
    story = run([[make_person(1000 * i, 50, 200)] for i in range(60)], link_len=10)
    # One seen, nine lost, one removed.
    assert [len(tracked) for tracked in story[10:]] == [11] * 50
    assert seen(story[-1]) == [60]


def test_five_hundred_people_at_once_keep_their_ids():
    crowd = [make_person(100 * (i % 25), 250 * (i // 25), 200) for i in range(500)]
    moved = [make_person(100 * (i % 25) + 4, 250 * (i // 25) + 4, 200) for i in range(500)]
    story = run([crowd, moved[::-1]])
    assert seen(story[0]) == list(range(1, 501))
    assert seen(story[1]) == list(range(500, 0, -1))


# 0.3 s pass between the two sights of each.
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param((15, 0), (50, 0), id="to the right"),
        pytest.param((-6, 12), (-20, 40), id="to the left and down"),
        pytest.param((0, 0), (0, 0), id="standing"),
    ],
)
def test_velocity_is_in_pixels_per_second(step, expected):
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
    for i, stamp_s in enumerate((10.0, 10.3)):
        person = make_person(200 + i * step[0], 100 + i * step[1], 200)
        tracked = tracker.update(person, None, stamp_s)
    assert tracked.velocities[0] == pytest.approx(expected)


def test_person_who_grows_in_place_has_no_velocity():
    story = run([[make_person(200, 100, 200)], [make_person(200, 90, 220)]])  # middle at y = 200
    np.testing.assert_allclose(story[1].velocities, [[0, 0]], atol=1e-9)
    assert seen(story[1]) == [1]


def test_velocity_is_zero_at_birth_and_kept_while_lost():
    story = run([[make_person(100, 50, 200)], [make_person(110, 50, 200)], []])
    assert story[0].velocities.tolist() == [[0, 0]]
    np.testing.assert_allclose(story[2].velocities, [[100, 0]])


def test_velocity_after_a_gap_is_over_the_whole_gap():
    story = run([[make_person(100, 50, 200)], [], [], [make_person(112, 50, 200)]])
    np.testing.assert_allclose(story[-1].velocities, [[40, 0]])  # 12 px in 0.3 s


def test_equal_stamps_do_not_change_the_velocity():
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
    for x, stamp_s in ((100, 0.0), (110, 0.1), (120, 0.1)):
        tracked = tracker.update(make_person(x, 50, 200), None, stamp_s)
    np.testing.assert_allclose(tracked.velocities, [[100, 0]])
    assert tracked.time_since_update_s.tolist() == [0]


@pytest.mark.parametrize("stamp_s", [-3600.0, np.nan, np.inf])
def test_invalid_stamp_is_replaced_by_the_last(stamp_s):
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
    for x, time_s in ((100, 0.0), (110, 0.1), (110, stamp_s), (120, 0.2)):
        tracked = tracker.update(make_person(x, 50, 200), None, time_s)
    assert who(tracked) == {1: CONFIRMED}
    assert tracked.ages_s == pytest.approx([0.2])
    np.testing.assert_allclose(tracked.velocities, [[100, 0]])


def test_ages_hits_and_time_since_update_are_counted():
    person = make_person(LEFT, 50, 200)
    story = run([[person], [person], [], [], [person]], start_s=1e9)
    columns = [
        (tracked.hits[0], tracked.ages_s[0], tracked.time_since_update_s[0]) for tracked in story
    ]
    expected = [(1, 0, 0), (2, 0.1, 0), (2, 0.2, 0.1), (2, 0.3, 0.2), (3, 0.4, 0)]
    np.testing.assert_allclose(columns, expected, atol=1e-6)


# Standing still, all overlaps are 1: grades 2 + 2 of 6, with all correspondences 6 of 6; not
# seen in the previous frame 1 + 1 of 2.
@pytest.mark.parametrize(
    ("missed", "matched", "expected"),
    [
        pytest.param(False, False, 4 / 6, id="no correspondences"),
        pytest.param(False, True, 1, id="with correspondences"),
        pytest.param(True, False, 1, id="after a gap, where they do not count"),
    ],
)
def test_match_score_is_relative_to_the_maximum_grade(missed, matched, expected):
    person = make_person(LEFT, 50, 200)
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
    born = run([[person], *([[]] if missed else [])], tracker)[0]
    matches = matches_between(person, person) if matched else NO_MATCHES
    tracked = tracker.update(person, cues_of(person, matches), 1.0)
    assert born.match_scores.tolist() == [0]
    assert tracked.match_scores == pytest.approx([expected])


def test_the_grade_must_be_above_match():
    # Standing still without correspondences has a grade of 4.
    person = make_person(LEFT, 50, 200)
    assert seen(run([[person], [person]], match=3.99)[-1]) == [1]
    assert seen(run([[person], [person]], match=4.0)[-1]) == [2]


def test_correspondences_track_a_person_too_fast_for_overlap():
    before, after = make_person(100, 50, 100), make_person(250, 50, 100)
    for matches, expected in ((NO_MATCHES, [2]), (matches_between(before, after), [1])):
        tracker = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17)
        tracker.update(before, None, 0.0)
        assert seen(tracker.update(after, cues_of(after, matches), 0.1)) == expected


def test_ids_are_distinct_and_scores_in_0_to_1_for_random_input():
    rng = np.random.default_rng(7)
    tracker = PoseFlowTracker(
        TrackerConfig(association="classic"), COCO_17, ClassicConfig(link_len=5)
    )
    removed, known = set(), set()
    for i in range(60):
        people = together(*(make_person(*rng.uniform(0, 300, 2), rng.uniform(20, 200))
                            for _ in range(rng.integers(0, 7))))  # fmt: skip
        matches = rng.uniform(0, 300, (rng.integers(0, 50), 4))
        tracked = tracker.update(people, cues_of(people, matches), DT_S * i)
        ids = tracked.track_ids.tolist()
        assert len(seen(tracked)) == len(people)
        assert len(set(ids)) == len(ids)
        assert not removed & set(ids)
        assert min(set(ids) - known, default=1000) > max(known, default=0)
        assert ((tracked.match_scores >= 0) & (tracked.match_scores <= 1)).all()
        assert (tracked.time_since_update_s >= 0).all()
        assert (tracked.ages_s >= tracked.time_since_update_s).all()
        assert np.isfinite(tracked.velocities).all()
        known |= set(ids)
        removed |= set(tracked.track_ids[tracked.states == REMOVED].tolist())
    assert removed


def test_empty_output_has_the_keypoints_of_the_skeleton():
    tracker = PoseFlowTracker(TrackerConfig(association="classic"), HALPE_26)
    assert tracker.update(Poses.empty(26), None, 0.0).poses.keypoints.shape == (0, 26, 2)
    with pytest.raises(
        ValueError, match=r"^poses have 17 keypoints, must have the 26 of halpe26$"
    ):
        tracker.update(Poses.empty(17), None, 0.1)
