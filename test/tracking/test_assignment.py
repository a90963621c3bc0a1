"""The gated assignment: stories by hand, and the best of all permutations."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poseflow_ros.tracking.assignment import assign


@pytest.mark.parametrize(
    ("similarity", "threshold", "expected"),
    [
        pytest.param([[0.9, 0.1], [0.1, 0.9]], 0.3, {(0, 0), (1, 1)}, id="two clear pairs"),
        pytest.param([[0.8, 0.0], [0.9, 0.0]], 0.3, {(1, 0)}, id="the better of two rivals"),
        # Ungated, 0-1 and 1-0 are 0.84 together, more than 0-0 alone.
        pytest.param(
            [[0.6, 0.29], [0.55, 0.0]], 0.3, {(0, 0)}, id="a gated pair displaces nothing"
        ),
        pytest.param(
            [[0.9, 0.8], [0.85, 0.0]], 0.3, {(0, 1), (1, 0)}, id="greatest total, not greedy"
        ),
        pytest.param([[0.3]], 0.3, set(), id="the threshold itself is not above it"),
        pytest.param([[0.3000001]], 0.3, {(0, 0)}, id="just above the threshold"),
        pytest.param([[0.0]], 0.0, set(), id="nothing in common at threshold zero"),
        pytest.param([[0.1, 0.1]], 0.3, set(), id="all below the threshold"),
        pytest.param([[0.4, 0.8, 0.6]], 0.3, {(0, 1)}, id="more columns than rows"),
        pytest.param([[0.4], [0.8], [0.6]], 0.3, {(1, 0)}, id="more rows than columns"),
        pytest.param([[np.nan, 0.5]], 0.3, {(0, 1)}, id="what is no number is no pair"),
        pytest.param([[5.5, 4.0], [5.0, 0.2]], 0.2, {(0, 1), (1, 0)}, id="grades above 1"),
    ],
)
def test_assignment_by_hand(similarity, threshold, expected):
    pairs = assign(np.array(similarity), threshold)
    assert {tuple(pair) for pair in pairs.tolist()} == expected
    assert len(pairs) == len(expected)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty_input_gives_no_pairs(shape):
    assert assign(np.zeros(shape), 0.2).shape == (0, 2)


def best_total(similarity, threshold):
    """Try every way to give columns to rows; pairs at the threshold or below count nothing."""
    if similarity.shape[0] > similarity.shape[1]:
        similarity = similarity.T
    counts = np.where(similarity > threshold, similarity, 0)
    rows, columns = counts.shape
    return max(sum(counts[range(rows), p]) for p in permutations(range(columns), rows))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 5),
    threshold=st.sampled_from([0.0, 0.2, 0.5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_other_assignment_is_better(rows, columns, threshold, seed):
    similarity = np.random.default_rng(seed).integers(0, 11, (rows, columns)) / 10
    row, column = assign(similarity, threshold).T
    assert len(set(row)) == len(row)
    assert len(set(column)) == len(column)
    assert (similarity[row, column] > threshold).all()
    total = similarity[row, column].sum()
    assert total == pytest.approx(best_total(similarity, threshold))
