"""Which values of 16-bit images become black and white."""

import numpy as np
import pytest

from poseflow_ros.imaging.gray_range import GrayRange


def ramp(low, high):
    """An image whose values are spread evenly from low to high."""
    return np.linspace(low, high, 10000).round().astype(np.uint16).reshape(100, 100)


def test_the_first_image_is_scaled_by_its_percentiles():
    low, high = GrayRange().update(ramp(0, 1000), 1.0)
    assert (low, high) == (pytest.approx(10, abs=1), pytest.approx(990, abs=1))


def test_one_bright_pixel_changes_nothing():
    image = ramp(0, 1000)
    image[50, 50] = 65535
    assert GrayRange().update(image, 1.0)[1] == pytest.approx(990, abs=1)


def test_a_change_is_followed_within_seconds_and_not_at_once():
    gray_range = GrayRange()
    gray_range.update(ramp(0, 1000), 1.0)
    # After 0.1 s of a time constant of 1 s: 1 - exp(-0.1) = 9.5 % of the way from 990 to 3960.
    assert gray_range.update(ramp(0, 4000), 1.1)[1] == pytest.approx(990 + 0.0952 * 2970, abs=3)
    for i in range(50):
        last = gray_range.update(ramp(0, 4000), 1.2 + 0.1 * i)
    assert last[1] == pytest.approx(3960, rel=0.01)


def test_a_stamp_that_goes_back_starts_again():
    gray_range = GrayRange()
    gray_range.update(ramp(0, 1000), 100.0)
    assert gray_range.update(ramp(0, 4000), 1.0)[1] == pytest.approx(3960, abs=3)


def test_a_uniform_image_is_not_amplified_to_noise():
    low, high = GrayRange().update(np.full((20, 30), 500, np.uint16), 1.0)
    assert high - low >= 16


def test_a_fixed_range_is_what_was_set():
    gray_range = GrayRange((64, 1023))
    assert gray_range.update(ramp(0, 60000), 1.0) == (64.0, 1023.0)
    assert str(gray_range) == "64 to 1023 (cameras.mono16_range)"


def test_the_choice_is_described():
    gray_range = GrayRange()
    assert str(gray_range) == ""
    gray_range.update(ramp(100, 200), 1.0)
    assert str(gray_range) == "101 to 199 (percentiles)"
