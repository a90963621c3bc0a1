"""The table of the `robust` association: how tracks are born, hit and joined."""

import math

import numpy as np
import pytest
from people import make_person, without_legs
from robust_table import ANCHOR, BLUE, FIRST, RED, UNKNOWN, detect, make_tracks

from poseflow_ros.tracking.camera_motion import CameraMotion
from poseflow_ros.tracking.robust_tracks import RobustTracks
from poseflow_ros.tracking.tracks import append

pytestmark = pytest.mark.filterwarnings("error")


def at(x, y=100.0, height=100.0, **scores):
    return make_person(x, y, height, **scores)


def hit(tracks, detections, rows, columns, stamp_s=1.0):
    rows, columns = np.array(rows), np.array(columns)
    tracks.hit(rows, columns, np.full(len(rows), 0.7), detections, stamp_s)


def test_initial_state_of_new_tracks():
    detections = detect(at(100), at(300), at(320), at(600), appearances=[RED, RED, BLUE, UNKNOWN])
    tracks = RobustTracks.born(detections, np.array([0, 2, 3]), [7, 8, 9], 4.0)
    assert len(tracks) == 3
    assert tracks.track_ids.tolist() == [7, 8, 9]
    assert tracks.first_seen_s.tolist() == tracks.last_seen_s.tolist() == [4, 4, 4]
    assert tracks.hits.tolist() == [1, 1, 1]
    assert tracks.match_scores.tolist() == [0, 0, 0]
    assert not tracks.confirmed.any()
    assert tracks.detection_index.tolist() == [0, 2, 3]
    assert tracks.observed.tolist() == [True] * 3
    assert tracks.existence_scores == pytest.approx([0.6, 0.6, 0.6])  # 0.85 - 0.25
    np.testing.assert_allclose(tracks.scales, 100, rtol=0.03)
    for anchors in (tracks.anchors, tracks.moved_anchors, tracks.motion.positions):
        np.testing.assert_allclose(anchors, [[x, 100 + 100 * ANCHOR] for x in (100, 320, 600)])
    # Of the second somebody is in the way, of the third nothing is known.
    np.testing.assert_array_equal(tracks.appearances, [RED, UNKNOWN, UNKNOWN])
    assert tracks.appearance_hits.tolist() == [1, 0, 0]


def test_new_tracks_are_copies():
    detections = detect(at(100), at(300))
    tracks = RobustTracks.born(detections, np.array([0, 1]), [1, 2], 0.0)
    for array in (tracks.anchors, tracks.scales, tracks.poses.boxes, tracks.shape.scores):
        array[:] = 0
    assert tracks.moved_anchors.all()
    assert tracks.motion.positions.all()
    assert detections.anchors.all()
    assert detections.scales.all()
    assert detections.poses.boxes.all()
    assert detections.poses.keypoint_scores.all()


def test_hit_updates_only_the_assigned_tracks():
    tracks = make_tracks(at(100), at(300), at(500))
    detections = detect(at(504, 96), at(104, 100, 120))
    half_life_s = 0.3 * math.log(2)
    scales = tracks.scales.copy()
    hit(tracks, detections, [0, 2], [1, 0], half_life_s)
    assert tracks.hits.tolist() == [2, 1, 2]
    assert tracks.last_seen_s.tolist() == [half_life_s, 0, half_life_s]
    assert tracks.match_scores.tolist() == [0.7, 0, 0.7]
    assert tracks.detection_index.tolist() == [1, -1, 0]
    assert tracks.existence_scores == pytest.approx([1.2, 0.6, 1.2])
    np.testing.assert_allclose(tracks.scales, scales * [1.1, 1, 1])  # half way from 100 to 120
    np.testing.assert_array_equal(tracks.poses.boxes[[0, 2]], detections.poses.boxes[[1, 0]])
    # Two positions equally sure: half way.
    np.testing.assert_allclose(tracks.motion.positions[[1, 2]], [[300, 136], [502, 134]])
    np.testing.assert_allclose(tracks.anchors[2], [504, 132])
    np.testing.assert_array_equal(tracks.anchors, tracks.moved_anchors)


def test_hit_without_legs_keeps_scale_and_position():
    tracks = make_tracks(at(100))
    scale, anchor = tracks.scales.copy(), tracks.anchors.copy()
    for i in range(1, 20):
        hit(tracks, detect(without_legs(at(100))), [0], [0], 0.1 * i)
    np.testing.assert_allclose(tracks.scales, scale, rtol=0.05)
    np.testing.assert_allclose(tracks.anchors, anchor, atol=2)
    np.testing.assert_allclose(tracks.motion.positions, anchor, atol=2)


def test_duplicate_detection_does_not_increase_the_existence_score():
    tracks = make_tracks(at(100), at(300), at(303))
    hit(tracks, detect(at(303), at(300), at(100)), [0, 1, 2], [2, 1, 0])
    # The first of the two counts, in the order of the tracks.
    assert tracks.existence_scores == pytest.approx([1.2, 1.2, 0.6])


@pytest.mark.parametrize(
    ("others", "appearance", "expected"),
    [
        pytest.param([], BLUE, (0.75, 0.25), id="alone"),
        pytest.param([at(400)], BLUE, (0.75, 0.25), id="with somebody elsewhere"),
        pytest.param([at(220)], BLUE, (1, 0), id="with somebody in the way"),
        pytest.param([], UNKNOWN, (1, 0), id="of unknown appearance"),
    ],
)
def test_appearance_is_updated_without_overlap_only(others, appearance, expected):
    tracks = make_tracks(at(200), appearances=[RED], appearance_hits=3)
    detections = detect(at(200), *others, appearances=[appearance] + [RED] * len(others))
    hit(tracks, detections, [0], [0])
    assert tracks.appearances[0] == pytest.approx(np.array([*expected, 0, 0]))
    assert tracks.appearance_hits.tolist() == [3 + (expected[1] > 0)]


def test_appearance_is_the_mean_at_first_and_then_decays():
    tracks = RobustTracks.born(detect(at(200), appearances=[RED]), FIRST, [1], 0.0)
    for i, appearance in enumerate([RED] * 8 + [BLUE]):
        hit(tracks, detect(at(200), appearances=[appearance]), [0], [0], 0.1 * (i + 1))
    np.testing.assert_allclose(tracks.appearances[0], [0.9, 0.1, 0, 0])
    for i in range(200):
        hit(tracks, detect(at(200), appearances=[BLUE]), [0], [0], 0.1 * (i + 10))
    assert tracks.appearance_hits.tolist() == [30]
    assert tracks.appearances[0, 1] > 0.99


@pytest.mark.parametrize("fps", [3, 10, 30, 60])
def test_half_a_second_of_observations_counts_the_same_at_10_fps_and_more(fps):
    detections = detect(at(200), appearances=[RED])
    tracks = RobustTracks.born(detections, FIRST, [1], 0.0)
    n = round(0.5 * fps) if fps > 3 else 5
    for i in range(n):
        hit(tracks, detections, [0], [0], (i + 1) / fps)
    expected = 5 if fps <= 10 else 0.5 / 0.09
    assert tracks.observations == pytest.approx([1 + expected])
    assert tracks.appearance_hits == pytest.approx([1 + expected])
    # 0.6 is the gain of one independent observation: 0.85 - 0.25.
    assert tracks.existence_scores == pytest.approx([0.6 * (1 + expected)])


def test_two_observations_with_the_same_stamp_count_as_one():
    detections = detect(at(200), appearances=[RED])
    tracks = RobustTracks.born(detections, FIRST, [1], 0.0)
    hit(tracks, detections, [0], [0], 0.0)
    assert tracks.observations.tolist() == [1]
    assert tracks.hits.tolist() == [2]
    np.testing.assert_allclose(tracks.appearances[0], RED)


@pytest.mark.parametrize(
    ("given", "expected", "appearance_hits"),
    [
        pytest.param(np.zeros((2, 0)), np.zeros((2, 4)), 10, id="none: unknown"),
        pytest.param(np.eye(4)[:2], np.eye(4)[:2], 10, id="as before"),
        pytest.param(np.eye(3)[:2], np.eye(3)[:2], 0, id="of other dimensions: learned again"),
    ],
)
def test_incomparable_appearances_are_discarded(given, expected, appearance_hits):
    tracks = make_tracks(at(200), appearances=[RED])
    np.testing.assert_array_equal(tracks.comparable(given), expected)
    assert tracks.appearance_hits.tolist() == [appearance_hits]
    assert tracks.appearances.shape == (1, expected.shape[1])


def test_camera_motion_moves_all_positions():
    tracks = make_tracks(at(100), at(300))
    anchors = tracks.anchors.copy()
    # By 90 degrees, x to y, then 10 to the right.
    tracks.follow_camera(CameraMotion(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([10.0, 0.0])))
    moved = [[10 - 136, 100], [10 - 136, 300]]
    np.testing.assert_allclose(tracks.moved_anchors, moved)
    np.testing.assert_allclose(tracks.motion.positions, moved)
    np.testing.assert_array_equal(tracks.anchors, anchors)  # in the image of that time


def test_reidentified_track_keeps_the_former_id():
    lost = make_tracks(at(100), appearances=[RED], first_id=4, stamp_s=1.0, appearance_hits=6)
    other = make_tracks(at(300), first_id=5, stamp_s=2.0)
    young = make_tracks(at(150), appearances=[BLUE], first_id=6, stamp_s=9.0, appearance_hits=2)
    tracks = append(append(other, lost), young)
    tracks.hits[:] = 3, 20, 4
    tracks.existence_scores[:] = 1, 15, 2.5
    tracks.states[:] = 1, 2, 0
    tracks.detection_index[:] = 0, -1, 1
    tracks.join(1, 2)
    assert tracks.track_ids.tolist()[:2] == [5, 4]
    assert tracks.first_seen_s.tolist()[:2] == [2, 1]
    assert tracks.last_seen_s.tolist()[:2] == [2, 9]
    assert tracks.hits.tolist()[:2] == [3, 24]
    assert tracks.existence_scores.tolist()[:2] == [1, 17.5]
    assert tracks.detection_index.tolist() == [0, 1, -1]
    np.testing.assert_allclose(tracks.appearances[1], [0.75, 0.25, 0, 0])
    assert tracks.appearance_hits.tolist()[:2] == [0, 8]
    np.testing.assert_allclose(tracks.motion.positions[:, 0], [300, 150, 150])
    np.testing.assert_array_equal(tracks.poses.boxes[1], at(150).boxes[0])
    tracks.motion.means[2] = 0
    assert tracks.motion.positions[1].all()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(0, 0, (0, 0, 0), id="nothing learned of either"),
        pytest.param(0, 3, (0, 1, 3), id="of the young one alone"),
        pytest.param(30, 20, (0.6, 0.4, 30), id="no more observations than are counted"),
    ],
)
def test_appearance_of_merged_tracks(old, new, expected):
    lost = make_tracks(at(100), appearances=[RED], appearance_hits=old)
    young = make_tracks(at(100), appearances=[BLUE], stamp_s=1.0, appearance_hits=new)
    tracks = append(lost, young)
    tracks.join(0, 1)
    assert [*tracks.appearances[0, :2], tracks.appearance_hits[0]] == pytest.approx(expected)
