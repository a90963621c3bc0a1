"""Where labels are put."""

import numpy as np
import pytest

from poseflow_ros.imaging.labels import overlaps, place_label

IMAGE = (100, 80)
SIZE = (20, 10)


@pytest.mark.parametrize(
    ("box", "occupied", "corner"),
    [
        pytest.param((30, 30, 60, 60), [], (30, 20), id="above the box, at its left"),
        pytest.param((30, 30, 60, 60), [(30, 0, 35, 25)], (41, 20), id="above it, at its right"),
        pytest.param((30, 30, 60, 60), [(0, 0, 99, 29)], (30, 61), id="below it"),
        pytest.param((30, 5, 60, 79), [(30, 5, 60, 20)], (30, 70), id="at the feet"),
        pytest.param((30, 5, 60, 79), [(30, 5, 60, 20), (0, 70, 99, 79)], (10, 5), id="beside"),
        pytest.param((-5, 30, 60, 60), [], (0, 20), id="moved to the right"),
        pytest.param((90, 30, 120, 60), [], (80, 20), id="moved to the left"),
        pytest.param((0, 0, 99, 79), [(0, 0, 99, 40)], (0, 70), id="inside at the feet"),
        pytest.param((30, 30, 60, 60), [(0, 0, 99, 79)], (30, 20), id="no room at all"),
    ],
)
def test_a_label_is_beside_its_box_and_what_is_occupied(box, occupied, corner):
    taken = np.array(occupied, dtype=int).reshape(-1, 4)
    place = place_label(SIZE, np.array(box), IMAGE, taken)
    assert place.tolist() == [*corner, corner[0] + 19, corner[1] + 9]


@pytest.mark.parametrize(
    ("other", "n_pixels"),
    [
        ((10, 10, 19, 19), 100),
        ((19, 19, 30, 30), 1),
        ((20, 10, 30, 19), 0),
        ((0, 0, 9, 99), 0),
        ((12, 0, 13, 99), 20),
    ],
)
def test_overlaps_are_counted_in_pixels(other, n_pixels):
    one, other = np.array([[10, 10, 19, 19]]), np.array([other])
    assert overlaps(one, other) == overlaps(other, one) == n_pixels
