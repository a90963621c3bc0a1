"""Delayed output, as stories: what becomes of a frame once those after it are known."""

import math
import pickle

import numpy as np
import pytest
from made_cues import cues_of
from made_tracker import make_tracker
from people import make_person, together

from poseflow_ros.poses import Poses, TrackedPoses, TrackState
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.delayed_output import DelayedOutput
from poseflow_ros.tracking.flow_window import FlowWindow

TENTATIVE, CONFIRMED, LOST, REMOVED = TrackState
DT_S = 0.1
WINDOW_S = 0.45  # longer than four frames, shorter than five
HEIGHT = 200


def person(x=100.0, score=0.9, keypoint_score=0.8):
    """Return somebody: one frame of somebody as sure as this makes a person."""
    pose = make_person(x, 50, HEIGHT, score)
    pose.keypoint_scores[:] = keypoint_score
    return pose


def unsure(x=100.0):
    """Return somebody whom four frames make a person."""
    return person(x, 0.45, 0.45)


def weak(x=100.0):
    """Return a pose that begins nobody, and adds 3 * 0.32 to a flow."""
    return person(x, 0.32, 0.32)


def too_weak(x=100.0):
    """Return a pose that continues people, but adds 3 * 0.28 to a flow: too little."""
    return person(x, 0.28, 0.28)


class DelayedTracker:
    """A tracker and its delayed output; the payload of a frame is its number."""

    def __init__(self, **config):
        self.tracker = make_tracker(**({"flow_window_s": WINDOW_S} | config))
        self.output = DelayedOutput(self.tracker)
        self.pushed = self.popped = 0

    def update(self, people, stamp_s, appearances=None):
        """Return the immediate output for a frame, and the frames that are ready."""
        poses = together(*people)
        cues = cues_of(poses, appearances=appearances)
        tracked = self.tracker.update(poses, cues, stamp_s)
        ready = self.output.push(tracked, self.pushed)
        self.pushed += 1
        return tracked, self._in_order(ready)

    def flush(self):
        return self._in_order(self.output.flush())

    def reset(self):
        self.tracker.reset()
        self.output.reset()
        self.popped = self.pushed

    def _in_order(self, frames):
        """See that each frame comes with its own payload, once and in order."""
        for _, number in frames:
            assert number == self.popped
            self.popped += 1
        assert len(self.output) == self.pushed - self.popped
        return [tracked for tracked, _ in frames]


def run(frames, tracker=None, start_s=0.0, **config):
    """Return the delayed output of frames, each a list of people DT_S after the one before."""
    tracker = tracker or DelayedTracker(**config)
    story = []
    for i, people in enumerate(frames):
        story += tracker.update(people, start_s + DT_S * i)[1]
    return story + tracker.flush()


def who(tracked):
    """Return track id -> state."""
    return dict(zip(tracked.track_ids.tolist(), tracked.states.tolist(), strict=True))


def seen(tracked):
    return tracked.track_ids[tracked.visible].tolist()


def left(tracked):
    """Return track id -> where the box of whoever is seen begins."""
    boxes = tracked.poses.boxes[tracked.visible, 0]
    return dict(zip(seen(tracked), boxes.tolist(), strict=True))


@pytest.mark.parametrize(
    "stamps_s",
    [
        pytest.param([0.1 * i for i in range(12)], id="regular"),
        pytest.param([0, 0.02, 0.3, 0.31, 0.32, 0.9, 1.3, 1.31, 1.4], id="irregular"),
        pytest.param([0, 0.1, 0.1, 0.1, 0.3, 0.3, 0.7, 0.7, 0.8], id="equal ones"),
        pytest.param([0, 0.1, 0.2, 1.9, 2.0, 2.1], id="a gap longer than the window"),
        pytest.param([1e9 + 0.1 * i for i in range(12)], id="seconds since 1970"),
        pytest.param([0, 0.4, 1.0, 1.5, 2.0], id="frames rarer than the window"),
    ],
)
def test_frames_are_output_once_in_order_after_the_delay(stamps_s):
    tracker, given, ready = DelayedTracker(), [], []
    for i, stamp_s in enumerate(stamps_s):
        # Two who stand still; the height of the first's box says which frame it is.
        people = together(person(), person(700))
        people.boxes[0, 3] += i / 16
        given.append(people.boxes.tolist())
        ready += tracker.update([people], stamp_s)[1]
        assert len(ready) == sum(stamp_s - before >= WINDOW_S for before in stamps_s[: i + 1])
    ready += tracker.flush()
    assert len(ready) == len(stamps_s)
    assert [seen(tracked) for tracked in ready] == [[1, 2]] * len(stamps_s)
    assert [tracked.poses.boxes.tolist() for tracked in ready] == given
    ages_s = [tracked.ages_s[0] for tracked in ready]
    np.testing.assert_allclose(ages_s, np.subtract(stamps_s, stamps_s[0]), atol=1e-6)


def test_earlier_or_invalid_stamp_is_replaced_by_the_last():
    tracker, ready = DelayedTracker(), []
    for stamp_s in (5.0, 5.1, 5.2, 3.0, math.nan, 5.3, 5.6, 5.7):
        ready += tracker.update([person()], stamp_s)[1]
    assert len(ready) == 5  # of 5.0, 5.1 and three times 5.2
    ready += tracker.flush()
    ages_s = [tracked.ages_s[0] for tracked in ready]
    np.testing.assert_allclose(ages_s, [0, 0.1, 0.2, 0.2, 0.2, 0.3, 0.6, 0.7])
    assert [tracked.time_since_update_s.tolist() for tracked in ready] == [[0]] * 8


def test_uncertain_person_is_output_from_the_first_observation():
    frames = [[], *[[unsure(100 + 4 * i)] for i in range(8)]]
    at_once, tracker = [], DelayedTracker()
    for i, people in enumerate(frames):
        at_once.append(who(tracker.update(people, DT_S * i)[0]))
    assert at_once == [{}, *[{1: TENTATIVE}] * 3, *[{1: CONFIRMED}] * 5]
    story = run(frames)
    assert [who(tracked) for tracked in story] == [{}] + [{1: CONFIRMED}] * 8
    assert [tracked.hits.tolist() for tracked in story[1:]] == [[n] for n in range(1, 9)]
    np.testing.assert_allclose([t.ages_s[0] for t in story[1:]], DT_S * np.arange(8), atol=1e-9)
    assert left(story[1])[1] == left(story[2])[1] - 4


def test_poses_velocities_and_scores_are_unchanged():
    frames = [[person(100 + 4 * i)] for i in range(9)]
    tracker, at_once = DelayedTracker(), []
    for i, people in enumerate(frames):
        at_once.append(tracker.update(people, DT_S * i)[0])
    for tracked, earlier, (pose,) in zip(run(frames)[-4:], at_once[-4:], frames[-4:], strict=True):
        np.testing.assert_array_equal(tracked.poses.keypoints, pose.keypoints)
        np.testing.assert_array_equal(tracked.poses.keypoint_scores, pose.keypoint_scores)
        np.testing.assert_array_equal(tracked.poses.scores, pose.scores)
        np.testing.assert_array_equal(tracked.velocities, earlier.velocities)
        np.testing.assert_array_equal(tracked.match_scores, earlier.match_scores)
        assert tracked.velocities[0, 0] > 10


W, T, P, N = [weak()], [too_weak()], [person()], []


@pytest.mark.parametrize(
    ("frames", "first"),
    [
        pytest.param([W, W, W, P, P, P], 0, id="weak poses before the first sight"),
        pytest.param([W, T, W, P, P, P], 2, id="as far back as they add enough"),
        pytest.param([T, T, T, P, P, P], 3, id="none that add too little"),
        pytest.param([W, N, W, P, P, P], 2, id="as far back as there are any"),
        pytest.param([W, N, N, P, P, P], 3, id="not over a gap"),
        pytest.param([W, P, N, P], 0, id="before a person who is missed at first"),
        # Known in frame 6; those output by frame 5 are 0.45 s older than it.
        pytest.param([W] * 6 + [P, P], 1, id="no farther than what is held back"),
        pytest.param([W, W, [weak(400)], P, P, P], 3, id="none that are elsewhere"),
        pytest.param([W, [weak(400), weak()], P, P], 0, id="the one of two that is near"),
    ],
)
def test_new_track_is_extended_before_the_first_observation(frames, first):
    story = run(frames)
    # The first frame in which the person is output, and that nobody else ever is.
    assert [bool(len(tracked)) for tracked in story] == [i >= first for i in range(len(frames))]
    assert {i for tracked in story for i in tracked.track_ids.tolist()} == {1}
    assert story[first].hits.tolist() == [1]
    assert story[first].ages_s.tolist() == [0]


def test_weak_poses_alone_are_not_output():
    assert [len(tracked) for tracked in run([W] * 12)] == [0] * 12


def test_weak_pose_extends_only_one_of_two_new_tracks():
    # Between the two, whose first sights are in the same frame.
    pair = [person(100), person(140)]
    story = run([[weak(120)], pair, pair, pair])
    assert [len(seen(tracked)) for tracked in story] == [1, 2, 2, 2]


@pytest.mark.parametrize("frames", [1, 2, 3], ids="seen in {} frames".format)
def test_unconfirmed_track_is_never_output(frames):
    # Confidence 0.42: four frames would make a person.
    ghost = person(600, 0.42, 0.42)
    story = run([[person(), *([ghost] if 3 <= i < 3 + frames else [])] for i in range(16)])
    assert [who(tracked) for tracked in story] == [{1: CONFIRMED}] * 16


def test_track_with_enough_observations_is_output():
    ghost = person(600, 0.46, 0.46)
    story = run([[person(), *([ghost] if 3 <= i < 8 else [])] for i in range(16)])
    assert [seen(t) for t in story] == [[1]] * 3 + [[1, 2]] * 5 + [[1]] * 8


def test_reidentified_track_is_output_from_the_first_observation_after_the_gap():
    tracker = DelayedTracker()
    known, unknown = np.array([[1.0, 0.0]]), np.zeros((1, 2))
    at_once, story = [], []
    # Back at 0.65 heights from where they were; what they look like is not known at first.
    for i in range(22):
        there = i < 8 or i >= 16
        people = [person(100) if i < 8 else person(230, 0.45, 0.45)] if there else []
        looks = (unknown if i in (16, 17) else known)[: len(people)]
        tracked, ready = tracker.update(people, DT_S * i, looks)
        at_once.append(who(tracked))
        story += ready
    story += tracker.flush()
    # Under an id of its own, until there is enough to know by.
    assert at_once[16:] == [{2: TENTATIVE, 1: LOST}] * 3 + [{1: CONFIRMED}] * 3
    expected = [{1: CONFIRMED}] * 8 + [{1: LOST}] * 8 + [{1: CONFIRMED}] * 6
    assert [who(tracked) for tracked in story] == expected
    assert [tracked.hits[0] for tracked in story[-6:]] == list(range(9, 15))
    assert [left(tracked)[1] for tracked in story[16:]] == [230 - 0.2 * HEIGHT] * 6


def test_merged_ids_are_one_in_all_delayed_frames():
    # Somebody, and from the third frame on once more: beside at first, then on the same place.
    again = [max(104, 181 - 10 * i) for i in range(20)]
    frames = [[person()]] * 2 + [[person(), person(x)] for x in again]
    tracker, at_once, story = DelayedTracker(flow_window_s=1.75), [], []
    for i, people in enumerate(frames):
        tracked, ready = tracker.update(people, DT_S * i)
        at_once.append(sorted(seen(tracked)))
        story += ready
    story += tracker.flush()
    # On the same place from frame 10 on, found in frame 18: nine of seventeen frames.
    assert at_once == [[1], [1], *[[1, 2]] * 16, *[[1]] * 4]
    assert [who(tracked) for tracked in story] == [{1: CONFIRMED}] * 22
    # The longer one's while they are apart, then the mean of the two, who are as sure.
    expected = [60] * 10 + [62] * 8
    np.testing.assert_allclose([left(tracked)[1] for tracked in story[:18]], expected)


def test_person_always_detected_twice_is_one_track():
    story = run([[person(), person(104)]] * 10)
    assert [who(tracked) for tracked in story] == [{1: CONFIRMED}] * 10


def test_confirmed_track_remains_after_a_merge_with_a_tentative_one():
    # A faint pose comes first in the first frame, but four are not enough for a person.
    faint, sure = person(100, 0.4, 0.4), person(104, 1.0, 1.0)
    frames = [[faint, person(140, 1.0, 1.0)]] + [[faint, sure]] * 8
    tracker, at_once = DelayedTracker(), []
    for i, people in enumerate(frames):
        at_once.append(tracker.update(people, DT_S * i)[0])
    assert [seen(tracked) for tracked in at_once] == [[2]] * 9
    assert not any((tracked.states == REMOVED).any() for tracked in at_once)


@pytest.mark.parametrize("max_lost_s", [0.25, 0.95], ids=["before it is output", "after"])
def test_lost_and_removed_tracks_are_output_as_without_a_window(max_lost_s):
    tracker, at_once, story = DelayedTracker(max_lost_s=max_lost_s), [], []
    frames = [[person()]] * 3 + [[]] * 14
    for i, people in enumerate(frames):
        tracked, ready = tracker.update(people, DT_S * i)
        at_once.append(tracked)
        story += ready
    story += tracker.flush()
    lost = 2 if max_lost_s < 0.5 else 9
    rest = [{1: LOST}] * lost + [{1: REMOVED}] + [{}] * (13 - lost)
    assert [who(tracked) for tracked in at_once] == [{1: CONFIRMED}] * 3 + rest
    assert [who(tracked) for tracked in story] == [{1: CONFIRMED}] * 3 + rest
    for tracked, earlier in zip(story[1:], at_once[1:], strict=True):
        for name in ("ages_s", "time_since_update_s", "hits", "velocities"):
            value = getattr(tracked, name)
            np.testing.assert_allclose(value, getattr(earlier, name), atol=1e-9)
        np.testing.assert_array_equal(tracked.poses.boxes, earlier.poses.boxes)


def test_returning_track_is_no_longer_lost():
    story = run([[person()]] * 3 + [[]] * 2 + [[person()]] * 5)
    expected = [CONFIRMED] * 3 + [LOST] * 2 + [CONFIRMED] * 5
    assert [who(tracked) for tracked in story] == [{1: state} for state in expected]
    assert [tracked.hits[0] for tracked in story] == [1, 2, 3, 3, 3, 4, 5, 6, 7, 8]


def test_order_is_observed_by_id_then_lost_then_removed():
    a, b, c = (person(x) for x in (900, 100, 500))
    story = run([[a, b, c]] * 3 + [[c, b]] + [[c]] * 2, max_lost_s=0.25)
    assert [list(who(tracked).items()) for tracked in story[3:]] == [
        [(2, CONFIRMED), (3, CONFIRMED), (1, LOST)],
        [(3, CONFIRMED), (1, LOST), (2, LOST)],
        [(3, CONFIRMED), (2, LOST), (1, REMOVED)],
    ]


def test_flush_returns_the_rest_once_and_tracking_continues():
    tracker = DelayedTracker()
    ready = [tracker.update([person()], DT_S * i)[1] for i in range(6)]
    assert [len(frames) for frames in ready] == [0, 0, 0, 0, 0, 1]
    assert [who(tracked) for tracked in tracker.flush()] == [{1: CONFIRMED}] * 5
    assert tracker.flush() == []
    assert tracker.update([person()], 0.6)[1] == []
    (tracked,) = tracker.flush()
    assert (who(tracked), tracked.hits.tolist()) == ({1: CONFIRMED}, [7])
    assert tracked.ages_s == pytest.approx([0.6])


def test_reset_discards_delayed_frames_and_tracks():
    tracker = DelayedTracker()
    for i in range(8):
        tracker.update([person()], 10 + DT_S * i)
    tracker.reset()
    assert tracker.flush() == []
    story = run([[], *[[person()]] * 6], tracker, start_s=-5.0)
    assert [who(tracked) for tracked in story] == [{}] + [{2: CONFIRMED}] * 6
    assert story[1].hits.tolist() == [1]


def test_frames_without_people():
    story = run([[]] * 8)
    assert len(story) == 8
    for tracked in story:
        assert len(tracked) == 0
        assert tracked.poses.keypoints.shape == (0, 17, 2)
        assert tracked.velocities.shape == (0, 2)
        assert tracked.visible.shape == (0,)


def test_output_does_not_change_later():
    tracker, story = DelayedTracker(), []
    frames = [[person(100 + 4 * i)] for i in range(14)]
    for i, people in enumerate(frames):
        story += tracker.update(people, DT_S * i)[1]
        assert [left(tracked)[1] for tracked in story] == [60 + 4 * n for n in range(len(story))]
        assert [tracked.hits[0] for tracked in story] == list(range(1, len(story) + 1))


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"flow_window_s": 0.0}, id="no window"),
        pytest.param({"association": "classic"}, id="classic, whatever the window"),
    ],
)
def test_no_delay_without_a_window(config):
    tracker = DelayedTracker(**config)
    for i in range(4):
        tracked, ready = tracker.update([person()], DT_S * i)
        assert len(ready) == 1
        assert ready[0] is tracked
    assert tracker.flush() == []


# From here on the window alone, with outputs that an association could have.


def output(people=(), tentative=(), removed=()):
    """Return TrackedPoses: {track id: pose} of the seen, which of them are tentative, and ids."""
    seen_ids = list(people)
    ids = [*seen_ids, *removed]
    states = [TENTATIVE if i in tentative else CONFIRMED for i in seen_ids]
    n = len(ids)
    return TrackedPoses(
        poses=together(*(people[i] for i in seen_ids), *[person()] * len(removed)),
        track_ids=np.array(ids, np.int64),
        states=np.array([*states, *[REMOVED] * len(removed)], np.int64),
        match_scores=np.full(n, 0.5),
        ages_s=np.zeros(n),
        time_since_update_s=np.zeros(n),
        hits=np.ones(n, np.int64),
        velocities=np.array([[float(i), 0.0] for i in ids]).reshape(n, 2),
    )


def push(window, frames):
    """Return the delayed output of frames (tracked, merged ids), DT_S after each other."""
    story = []
    for i, (tracked, merged_ids) in enumerate(frames):
        story += window.push(tracked, Poses.empty(17), merged_ids, DT_S * i, payload=i)
    story += window.flush()
    assert [payload for _, payload in story] == list(range(len(frames)))
    return [tracked for tracked, _ in story]


A, B, C = person(100), person(110), person(130)


def test_merged_id_takes_the_observations_in_every_delayed_frame():
    story = push(
        FlowWindow(WINDOW_S, COCO_17),
        [
            (output({1: A}), {}),
            (output(), {}),
            (output({2: B}, tentative=[2]), {}),
            (output({2: B}, tentative=[2]), {}),
            (output({1: C}), {2: 1}),
        ],
    )
    assert [who(t) for t in story] == [{1: CONFIRMED}, {1: LOST}, *[{1: CONFIRMED}] * 3]
    assert [left(t).get(1) for t in story] == [60, None, 70, 70, 90]
    assert [t.velocities[0, 0] for t in story] == [1, 1, 2, 2, 1]


def test_two_poses_of_a_person_are_averaged_with_their_scores_as_weights():
    one, other = person(100, 0.9, 0.6), person(110, 0.3, 0.2)
    one.keypoint_scores[0, 3], other.keypoint_scores[0, 3] = 0.1, 0.9
    one.keypoint_scores[0, 4], other.keypoint_scores[0, 4] = 0.0, 0.0
    (tracked, _) = push(
        FlowWindow(WINDOW_S, COCO_17),
        [(output({1: one, 2: other}), {}), (output({1: one}), {2: 1})],
    )
    assert who(tracked) == {1: CONFIRMED}
    moved = (tracked.poses.keypoints - one.keypoints)[0]
    # Of 10 pixels, 0.2 / 0.8; of keypoint 3 0.9 / 1.0; where nobody is sure of anything half.
    expected = [2.5, 2.5, 2.5, 9.0, 5.0, *[2.5] * 12]
    np.testing.assert_allclose(moved, np.stack([expected, np.zeros(17)], axis=1), atol=1e-6)
    np.testing.assert_allclose(tracked.poses.keypoint_scores[0, [0, 3, 4]], [0.6, 0.9, 0.0])
    np.testing.assert_allclose(
        tracked.poses.boxes, one.boxes + np.array([2.5, 0, 2.5, 0]), atol=1e-6
    )
    np.testing.assert_allclose(tracked.poses.scores, [0.9])
    np.testing.assert_allclose(tracked.velocities, [[1, 0]])
    assert tracked.hits.tolist() == [1]


@pytest.mark.parametrize(
    "merges",
    [
        pytest.param([{3: 2}, {2: 1}], id="one frame after another, the last first"),
        pytest.param([{2: 1}, {3: 1}], id="one after another, both to the first"),
        pytest.param([{3: 2, 2: 1}, {}], id="in one frame, the last first"),
        pytest.param([{2: 1, 3: 2}, {}], id="in one frame, the first first"),
    ],
)
@pytest.mark.parametrize("tentative", [(), (2, 3)], ids=["people", "tentative ones"])
def test_chain_of_merges_ends_at_the_first_id(merges, tentative):
    frames = [
        ({1: A, 2: A, 3: A}, {}),
        ({1: A, 3: A}, {}),
        ({3: A}, {}),
        ({2: A}, {}),
        ({1: A, **({2: A} if 2 not in merges[0] else {3: A} if 3 not in merges[0] else {})},
         merges[0]),
        ({1: A}, merges[1]),
    ]  # fmt: skip
    story = push(
        FlowWindow(9.0, COCO_17),
        [
            (output(people, tentative, removed=[] if tentative else list(same)), same)
            for people, same in frames
        ],
    )
    assert [who(tracked) for tracked in story] == [{1: CONFIRMED}] * 6
    assert [left(tracked)[1] for tracked in story] == [60] * 6
    assert [tracked.hits[0] for tracked in story] == [1, 2, 3, 4, 5, 6]


def test_track_merged_after_its_output_is_lost_then_removed_once():
    frames = [({1: A, 2: B}, {})] * 8 + [({1: A}, {2: 1})] + [({1: A}, {})] * 5
    story = push(
        FlowWindow(WINDOW_S, COCO_17),
        [(output(people, removed=list(same)), same) for people, same in frames],
    )
    both, lost = {1: CONFIRMED, 2: CONFIRMED}, {1: CONFIRMED, 2: LOST}
    # Output before the ninth frame: three of eight.
    expected = [both] * 3 + [lost] * 5 + [{1: CONFIRMED, 2: REMOVED}] + [{1: CONFIRMED}] * 5
    assert [who(tracked) for tracked in story] == expected


def test_track_that_was_never_output_is_not_removed():
    frames = [({1: A, 2: B}, {})] * 2 + [({1: A}, {2: 1})]
    story = push(
        FlowWindow(WINDOW_S, COCO_17),
        [(output(people, removed=list(same)), same) for people, same in frames],
    )
    assert [who(tracked) for tracked in story] == [{1: CONFIRMED}] * 3


def test_removal_of_an_unconfirmed_track_is_not_output():
    frames = [
        output({1: A}, tentative=[1]),
        output({1: A}, tentative=[1]),
        output(removed=[1]),
        output(),
    ]
    assert [who(t) for t in push(FlowWindow(WINDOW_S, COCO_17), [(f, {}) for f in frames])] == [
        {}
    ] * 4


@pytest.mark.parametrize(
    ("end", "n"),
    [
        pytest.param("leaves", 2000, id="each leaves before the next comes"),
        pytest.param("is another", 1000, id="each turns out to be another, before its output"),
        pytest.param("was nobody", 1000, id="each was nobody"),
    ],
)
def test_thousands_of_new_people_do_not_fill_memory(end, n):
    window, sizes, n_frames = FlowWindow(WINDOW_S, COCO_17), [], 0
    for i in range(n):
        tracked = output(
            {1: A, i + 2: B}, [i + 2] if end == "was nobody" else [], [i + 1][: i > 0]
        )
        same = {i + 1: 1} if end == "is another" and i else {}
        n_frames += len(window.push(tracked, weak(), same, DT_S * i, payload=i))
        if i in (99, n - 1):
            sizes.append(len(pickle.dumps(window)))
    assert n_frames == n - 5
    assert sizes[1] < 1.05 * sizes[0]
