"""Pairs of a track and a detection that no other track or detection contests."""

import numpy as np
import pytest
from made_tracker import make_tracker
from people import make_person, together
from robust_table import APPEARANCE, BLUE, RED, UNKNOWN, detect, make_tracks

from poseflow_ros.poses import TrackState
from poseflow_ros.tracking.uncontested import uncontested_pairs

HEIGHT = 100


def at(x, y=100.0, height=HEIGHT):
    return make_person(x, y, height)


def pairs(tracks, detections, recent=True, confident=True, assigned=()):
    recent = np.full(len(tracks), recent)
    confident = np.full(len(detections), confident)
    assigned = np.array(assigned, np.int64).reshape(-1, 2)
    return uncontested_pairs(tracks, recent, detections, confident, assigned, APPEARANCE).tolist()


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        pytest.param(0, [[0, 0]], id="none"),
        pytest.param(90, [[0, 0]], id="0.9 heights"),
        pytest.param(110, [], id="more than a height"),
    ],
)
def test_a_single_person_may_jump_by_up_to_a_body_height(jump, expected):
    assert pairs(make_tracks(at(300)), detect(at(300 + jump))) == expected


@pytest.mark.parametrize(
    ("height", "expected"),
    [(100, [[0, 0]]), (120, [[0, 0]]), (135, []), (82, [[0, 0]]), (74, [])],
)
def test_the_sizes_must_agree(height, expected):
    assert pairs(make_tracks(at(300)), detect(at(340, height=height))) == expected


@pytest.mark.parametrize(
    ("missing", "found"),
    [
        pytest.param([at(300), at(380)], [at(340)], id="two who are missing"),
        pytest.param([at(300)], [at(260), at(340)], id="two detections"),
    ],
)
def test_an_ambiguous_pair_is_rejected(missing, found):
    assert pairs(make_tracks(*missing), detect(*found)) == []


def test_several_distant_pairs_are_found():
    tracks, detections = make_tracks(at(300), at(900)), detect(at(950), at(250))
    assert pairs(tracks, detections) == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(330, [], id="near the track"),
        pytest.param(395, [], id="near the detection"),
        pytest.param(200, [[0, 0]], id="a height away from both"),
    ],
)
def test_a_pair_with_another_person_nearby_is_rejected(other, expected):
    tracks, detections = make_tracks(at(300), at(other)), detect(at(360), at(other))
    found = pairs(tracks, detections, assigned=[(1, 1)])
    assert [pair for pair in found if pair != [1, 1]] == expected


def test_a_duplicate_of_an_assigned_detection_is_rejected():
    tracks, detections = make_tracks(at(300), at(360)), detect(at(360), at(361))
    assert pairs(tracks, detections, assigned=[(1, 0)]) == []


def test_only_recent_tracks_and_confident_detections_are_paired():
    tracks, detections = make_tracks(at(300)), detect(at(340))
    assert pairs(tracks, detections, recent=False) == []
    assert pairs(tracks, detections, confident=False) == []


@pytest.mark.parametrize(
    ("learned", "observed", "expected"),
    [
        pytest.param(RED, RED, [[0, 0]], id="the same"),
        pytest.param(RED, BLUE, [], id="another"),
        pytest.param(RED, UNKNOWN, [[0, 0]], id="unknown"),
    ],
)
def test_a_different_appearance_rejects_the_pair(learned, observed, expected):
    tracks = make_tracks(at(300), appearances=[learned])
    assert pairs(tracks, detect(at(340), appearances=[observed])) == expected


@pytest.mark.parametrize(("m", "n"), [(0, 0), (0, 2), (2, 0)])
def test_empty_input_gives_no_pairs(m, n):
    assert pairs(make_tracks(*[at(300)] * m), detect(*[at(300)] * n)) == []


def test_a_single_person_who_jumps_keeps_the_id():
    tracker = make_tracker()
    for i in range(10):
        tracker.update(together(at(300), at(900)), None, 0.1 * i)
    tracked = tracker.update(together(at(390), at(900)), None, 1.0)
    assert tracked.track_ids.tolist() == [1, 2]
    assert (tracked.states == TrackState.CONFIRMED).all()


def test_a_track_unobserved_for_more_than_a_second_is_not_paired():
    tracker = make_tracker()
    for i in range(10):
        tracker.update(at(300), None, 0.1 * i)
    beside = at(300 + 0.9 * HEIGHT, height=1.2 * HEIGHT)
    tracked = tracker.update(beside, None, 30.0)
    assert 2 in tracked.track_ids[tracked.states == TrackState.CONFIRMED]
