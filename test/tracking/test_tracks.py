"""Tables: rows are selected, appended and overwritten in every column, however deep it lies."""

from dataclasses import dataclass

import numpy as np
import pytest

from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.tracking.tracks import Tracks, append, put, select


@dataclass
class Inner:
    """A table in a table."""

    speeds: FloatArray
    poses: Poses


@dataclass
class Outer:
    """A table with a table, and columns of one, two and no further axes of their own."""

    ids: IntArray
    seen: np.ndarray
    corners: FloatArray
    inner: Inner


def table(*ids):
    """Return a table of these rows: every number in a row tells the row's id."""
    ids = np.array(ids, np.int64)
    n, numbers = len(ids), ids.astype(float)
    poses = Poses(
        np.broadcast_to(numbers[:, None, None], (n, 2, 2)).copy(),
        np.broadcast_to(numbers[:, None] / 100, (n, 2)).copy(),
        np.broadcast_to(numbers[:, None], (n, 4)).copy(),
        numbers / 100,
    )
    inner = Inner(np.stack([numbers, -numbers], axis=1), poses)
    return Outer(ids, ids % 2 == 1, np.full((n, 3, 2), numbers[:, None, None]), inner)


def columns(rows):
    inner = rows.inner
    poses = inner.poses
    return [
        *(rows.ids, rows.seen, rows.corners, inner.speeds),
        *(poses.keypoints, poses.keypoint_scores, poses.boxes, poses.scores),
    ]


def assert_rows(rows, *ids):
    """Assert that these are the rows, in kind and in every column."""
    expected = table(*ids)
    assert type(rows) is Outer
    assert (type(rows.inner), type(rows.inner.poses)) == (Inner, Poses)
    for have, want in zip(columns(rows), columns(expected), strict=True):
        assert have.dtype == want.dtype
        np.testing.assert_array_equal(have, want)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        pytest.param(np.array([2, 0]), (7, 4), id="in another order"),
        pytest.param(np.array([1, 1, 1]), (5, 5, 5), id="one row three times"),
        pytest.param(np.array([True, False, True]), (4, 7), id="by a mask"),
        pytest.param(np.zeros(3, bool), (), id="by a mask without any"),
        pytest.param(np.array([], np.int64), (), id="none"),
        pytest.param(slice(1, None), (5, 7), id="a slice"),
    ],
)
def test_select_returns_the_rows(index, expected):
    whole = table(4, 5, 7)
    assert_rows(select(whole, index), *expected)
    assert_rows(whole, 4, 5, 7)


def test_selected_rows_are_copies():
    whole = table(4, 5, 7)
    some = select(whole, np.array([0, 1]))
    for column in columns(some):
        column[:] = 0
    assert_rows(whole, 4, 5, 7)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param((1, 2), (3,), id="some and one"),
        pytest.param((), (3,), id="to none"),
        pytest.param((1, 2), (), id="none"),
        pytest.param((), (), id="none to none"),
    ],
)
def test_appended_rows(one, other):
    first, second = table(*one), table(*other)
    both = append(first, second)
    assert_rows(both, *one, *other)
    for column in columns(both):
        column[:] = 0
    assert_rows(first, *one)
    assert_rows(second, *other)


@pytest.mark.parametrize(
    ("index", "new", "expected"),
    [
        pytest.param(np.array([1]), (9,), (4, 9, 7), id="one"),
        pytest.param(np.array([2, 0]), (8, 9), (9, 5, 8), id="in their order"),
        pytest.param(np.array([True, False, True]), (8, 9), (8, 5, 9), id="by a mask"),
        pytest.param(np.array([], np.int64), (), (4, 5, 7), id="none"),
        pytest.param(slice(None), (1, 2, 3), (1, 2, 3), id="all"),
    ],
)
def test_overwritten_rows(index, new, expected):
    whole, others = table(4, 5, 7), table(*new)
    put(whole, index, others)
    assert_rows(whole, *expected)
    for column in columns(whole):
        column[:] = 0
    assert_rows(others, *new)


def test_table_with_more_columns_keeps_its_type():
    @dataclass
    class More(Outer):
        names: np.ndarray

    rows = More(*vars(table(4, 5)).values(), names=np.array(["a", "b"]))
    both = append(rows, select(rows, np.array([1])))
    assert type(both) is More
    assert both.names.tolist() == ["a", "b", "b"]
    put(both, np.array([0]), select(both, np.array([2])))
    assert (both.names.tolist(), both.ids.tolist()) == (["b", "b", "b"], [5, 5, 5])


def test_snapshot_is_a_copy_in_the_given_order():
    tracks = Tracks(
        track_ids=np.array([3, 8]),
        states=np.array([1, 2]),
        poses=table(4, 5).inner.poses,
        first_seen_s=np.array([10.0, 11.0]),
        last_seen_s=np.array([20.0, 14.0]),
        hits=np.array([5, 6]),
        match_scores=np.array([0.5, 0.25]),
    )
    assert len(tracks) == 2
    snapshot = tracks.snapshot(np.array([1, 0]), np.array([[1.0, 2.0], [3.0, 4.0]]), 20.5)
    assert snapshot.track_ids.tolist() == [8, 3]
    assert snapshot.states.tolist() == [2, 1]
    assert snapshot.poses.scores.tolist() == [0.05, 0.04]
    assert snapshot.match_scores.tolist() == [0.25, 0.5]
    assert snapshot.ages_s.tolist() == [9.5, 10.5]
    assert snapshot.time_since_update_s.tolist() == [6.5, 0.5]
    assert snapshot.hits.tolist() == [6, 5]
    assert snapshot.velocities.tolist() == [[3, 4], [1, 2]]
    snapshot.hits[:] = 0
    snapshot.poses.boxes[:] = 0
    assert tracks.hits.tolist() == [5, 6]
    assert tracks.poses.boxes.all()
