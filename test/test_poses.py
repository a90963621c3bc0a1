"""What the stages hand each other: shapes are checked, people are selected as NumPy does."""

import numpy as np
import pytest

from poseflow_ros.poses import Poses, TrackedPoses, TrackState


def numbered(n, k=3):
    """Return N poses whose every number is the person's index."""
    rows = np.arange(n, dtype=float)
    keypoints = np.broadcast_to(rows[:, None, None], (n, k, 2))
    return Poses(keypoints, np.repeat(rows[:, None], k, 1), np.repeat(rows[:, None], 4, 1), rows)


def tracked(states):
    rows = np.arange(len(states))
    return TrackedPoses(
        poses=numbered(len(states)),
        track_ids=rows + 1,
        states=np.array(states, np.int64),
        match_scores=rows / 10,
        ages_s=rows * 2.0,
        time_since_update_s=rows * 3.0,
        hits=rows * 4,
        velocities=np.stack([rows, -rows], axis=1).astype(float),
    )


@pytest.mark.parametrize(
    ("wrong", "shape", "says"),
    [
        pytest.param("keypoints", (2, 3), "(any, any, 2), got (2, 3)", id="keypoints flat"),
        pytest.param("keypoints", (2, 3, 3), "(any, any, 2), got (2, 3, 3)", id="with scores"),
        pytest.param("keypoint_scores", (2, 4), "(2, 3), got (2, 4)", id="another K"),
        pytest.param("keypoint_scores", (2, 3, 1), "(2, 3), got (2, 3, 1)", id="an axis more"),
        pytest.param("boxes", (2, 5), "(2, 4), got (2, 5)", id="boxes of five"),
        pytest.param("boxes", (1, 4), "(2, 4), got (1, 4)", id="a box too few"),
        pytest.param("scores", (3,), "(2), got (3,)", id="a score too many"),
        pytest.param("scores", (), "(2), got ()", id="one score for all"),
    ],
)
def test_wrong_shape_is_reported_by_name(wrong, shape, says):
    shapes = {"keypoints": (2, 3, 2), "keypoint_scores": (2, 3), "boxes": (2, 4), "scores": (2,)}
    arrays = {name: np.zeros(shape) for name, shape in (shapes | {wrong: shape}).items()}
    with pytest.raises(ValueError, match="must have the shape") as caught:
        Poses(**arrays)
    assert str(caught.value) == f"{wrong} must have the shape {says}"


def test_lists_and_other_types_are_converted_to_float64():
    poses = Poses([[[1, 2]]], np.ones((1, 1), np.float32), [[1, 2, 3, 4]], [1])
    for array in (poses.keypoints, poses.keypoint_scores, poses.boxes, poses.scores):
        assert array.dtype == np.float64
    assert poses.boxes.tolist() == [[1, 2, 3, 4]]


def test_empty_poses_have_zero_rows():
    nobody = Poses.empty(17)
    assert len(nobody) == 0
    assert nobody.keypoints.shape == (0, 17, 2)
    assert nobody.keypoint_scores.shape == (0, 17)
    assert nobody.boxes.shape == (0, 4)


SELECTIONS = [
    pytest.param(slice(1, 3), [1, 2], id="a slice"),
    pytest.param(np.array([True, False, False, True]), [0, 3], id="a mask"),
    pytest.param(np.array([3, 0, 0]), [3, 0, 0], id="indices, in their order"),
    pytest.param(np.zeros(4, bool), [], id="nobody"),
]


@pytest.mark.parametrize(("index", "expected"), SELECTIONS)
def test_selecting_poses_selects_every_array(index, expected):
    poses = numbered(4)[index]
    assert len(poses) == len(expected)
    assert poses.keypoints[:, 0, 0].tolist() == expected
    assert poses.keypoint_scores[:, 0].tolist() == expected
    assert poses.boxes[:, 0].tolist() == expected
    assert poses.scores.tolist() == expected


@pytest.mark.parametrize(("index", "expected"), SELECTIONS)
def test_selecting_tracks_selects_every_array(index, expected):
    rows = np.array(expected)
    people = tracked([0, 1, 2, 3])[index]
    assert len(people) == len(expected)
    assert people.poses.scores.tolist() == expected
    assert people.track_ids.tolist() == (rows + 1).tolist()
    assert people.states.tolist() == expected
    np.testing.assert_allclose(people.match_scores, rows / 10)
    assert people.ages_s.tolist() == (rows * 2).tolist()
    assert people.time_since_update_s.tolist() == (rows * 3).tolist()
    assert people.hits.tolist() == (rows * 4).tolist()
    assert people.velocities[:, 1].tolist() == (-rows).tolist()


def test_visible_tracks_are_confirmed_and_observed():
    states = [TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.LOST, TrackState.REMOVED]
    assert tracked(states).visible.tolist() == [False, True, False, False]


def test_states_equal_the_message_constants():
    assert {state.name: state.value for state in TrackState} == {
        "TENTATIVE": 0,
        "CONFIRMED": 1,
        "LOST": 2,
        "REMOVED": 3,
    }
