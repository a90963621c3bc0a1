"""Where people are expected, and what becomes of those who were not looked for."""

import numpy as np
import pytest
from people import make_person, together

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import TrackState
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.predictions import PREDICTED_S
from poseflow_ros.tracking.tracker import PoseFlowTracker

CONFIRMED, LOST, REMOVED = TrackState.CONFIRMED, TrackState.LOST, TrackState.REMOVED
DT_S = 0.1
BOTH = pytest.mark.parametrize("association", ["robust", "classic"])


def walk(association, frames=10, **config):
    """Return a tracker after a person walked from x = 100 by 8 pixels per frame."""
    tracker = PoseFlowTracker(TrackerConfig(association=association, **config), COCO_17)
    for i in range(frames):
        tracker.update(make_person(100 + 8 * i, 50, 200), None, DT_S * i)
    return tracker


def states(tracked):
    return dict(zip(tracked.track_ids.tolist(), tracked.states.tolist(), strict=True))


@BOTH
def test_nobody_is_expected_at_first_and_after_a_reset(association):
    tracker = walk(association)
    assert len(tracker.predict(1.0).track_ids) == 1
    tracker.reset()
    for unused in (tracker, PoseFlowTracker(TrackerConfig(association=association), COCO_17)):
        prediction = unused.predict(1.0)
        assert prediction.track_ids.shape == (0,)
        assert prediction.boxes.shape == (0, 4)


@BOTH
@pytest.mark.parametrize("frames_ahead", [1, 3])
def test_a_walking_person_is_expected_further_on(association, frames_ahead):
    tracker = walk(association)
    prediction = tracker.predict(DT_S * (9 + frames_ahead))
    expected = make_person(100 + 8 * (9 + frames_ahead), 50, 200).boxes
    assert prediction.track_ids.tolist() == [1]
    np.testing.assert_allclose(prediction.boxes, expected, atol=4 * frames_ahead)


@BOTH
def test_a_person_who_was_not_found_is_expected_for_a_while(association):
    tracker = walk(association)
    for i in range(10, 30):
        expected = tracker.predict(DT_S * i).track_ids.tolist()
        assert expected == ([1] if DT_S * (i - 9) <= PREDICTED_S else [])
        tracker.update(together(), None, DT_S * i)


def test_a_tentative_person_is_expected_too():
    tracker = PoseFlowTracker(TrackerConfig(), COCO_17)
    weak = make_person(100, 50, 200, score=0.45, keypoint_score=0.45)
    assert not tracker.update(weak, None, 0.0).visible.any()
    assert tracker.predict(DT_S).track_ids.tolist() == [1]


@BOTH
def test_a_prediction_changes_nothing(association):
    asked, other = walk(association), walk(association)
    for i in range(10, 20):
        asked.predict(DT_S * i)
        asked.predict(DT_S * (i + 5))
        person = make_person(100 + 8 * i, 50, 200)
        one, two = (tracker.update(person, None, DT_S * i) for tracker in (asked, other))
        np.testing.assert_array_equal(one.velocities, two.velocities)
        assert states(one) == states(two)


@BOTH
def test_who_was_not_looked_for_keeps_the_state(association):
    tracker = walk(association)
    for i in range(10, 13):
        tracked = tracker.update(together(), None, DT_S * i, np.array([1]))
        assert states(tracked) == {1: CONFIRMED}
        np.testing.assert_allclose(tracked.time_since_update_s, DT_S * (i - 9))
        assert tracked.hits.tolist() == [10]
    assert states(tracker.update(together(), None, 1.3)) == {1: LOST}
    assert states(tracker.update(together(), None, 1.4, np.array([1]))) == {1: LOST}
    found = tracker.update(make_person(100 + 8 * 15, 50, 200), None, 1.5)
    assert states(found) == {1: CONFIRMED}
    assert found.time_since_update_s.tolist() == [0]


@BOTH
def test_a_detection_counts_even_for_who_was_not_looked_for(association):
    tracker = walk(association)
    tracked = tracker.update(make_person(180, 50, 200), None, 1.0, np.array([1]))
    assert states(tracked) == {1: CONFIRMED}
    assert tracked.time_since_update_s.tolist() == [0]


def test_time_in_which_nobody_looked_does_not_count_as_lost():
    tracker = walk("robust", max_lost_s=1.0)
    for i in range(10, 40):
        assert states(tracker.update(together(), None, DT_S * i, np.array([1]))) == {1: CONFIRMED}
    lost = [states(tracker.update(together(), None, DT_S * i)) for i in range(40, 52)]
    assert lost[:9] == [{1: LOST}] * 9
    assert {1: REMOVED} in lost[9:]


@pytest.mark.parametrize(("unscanned", "expected"), [([1], [1]), ([], [2])])
def test_a_tentative_person_waits_to_be_looked_for(unscanned, expected):
    weak = make_person(100, 50, 200, score=0.45, keypoint_score=0.45)
    tracker = PoseFlowTracker(TrackerConfig(publish_tentative=True), COCO_17)
    tracker.update(weak, None, 0.0)
    for i in range(1, 11):  # longer than a tentative track lives without a detection
        assert not len(tracker.update(together(), None, DT_S * i, np.array(unscanned, int)))
    assert tracker.update(weak, None, 1.1).track_ids.tolist() == expected


def test_the_other_people_are_not_concerned():
    tracker = PoseFlowTracker(TrackerConfig(association="robust"), COCO_17)
    pair = together(make_person(100, 50, 200), make_person(500, 50, 200))
    tracker.update(pair, None, 0.0)
    assert states(tracker.update(together(), None, 0.1, np.array([2]))) == {1: LOST, 2: CONFIRMED}
