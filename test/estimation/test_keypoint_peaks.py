"""Keypoints from SimCC and from heatmaps, whose peaks are put at known places."""

import numpy as np
import pytest

from poseflow_ros.estimation.keypoint_peaks import decode_heatmaps, decode_simcc

SIZE = (256, 192)


def gaussian(x, y, shape=(64, 48), peak=0.9, sigma=2.0):
    """Return a heatmap (1, 1, H, W) with its maximum between the pixels."""
    rows, columns = np.indices(shape)
    return peak * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))[None, None]


@pytest.mark.parametrize(
    ("x", "y"),
    [(20.0, 30.0), (20.3, 29.6), (1.2, 62.4), (46.49, 1.01), (24.5, 31.5)],
)
def test_a_gaussian_is_located_between_the_pixels(x, y):
    # A heatmap pixel is 4 pixels of the input.
    keypoints, scores = decode_heatmaps(gaussian(x, y), SIZE, unbiased=False)
    np.testing.assert_allclose(keypoints[0, 0], (4 * x, 4 * y), atol=1e-6)
    nearest = gaussian(x, y).max()
    assert scores[0, 0] == pytest.approx(nearest)


def test_unbiased_heatmaps_end_where_the_input_ends():
    # UDP: heatmap columns 0 to 47 are input columns 0 to 191, rows 0 to 63 are 0 to 255.
    keypoints, _ = decode_heatmaps(gaussian(20.3, 29.6), SIZE, unbiased=True)
    np.testing.assert_allclose(keypoints[0, 0], (20.3 * 191 / 47, 29.6 * 255 / 63), atol=1e-6)


def test_a_peak_at_the_border_stays_there():
    keypoints, _ = decode_heatmaps(gaussian(-2.0, 66.0), SIZE, unbiased=False)
    np.testing.assert_array_equal(keypoints[0, 0], (0, 4 * 63))


def test_heatmaps_without_a_person_have_score_0():
    keypoints, scores = decode_heatmaps(np.full((1, 2, 64, 48), -0.1), SIZE, unbiased=False)
    assert np.isfinite(keypoints).all()
    np.testing.assert_array_equal(scores, 0)


def test_a_single_pixel_is_its_own_maximum():
    heatmaps = np.zeros((1, 1, 64, 48), np.float32)
    heatmaps[0, 0, 10, 7] = 1.5  # above 1: limited
    keypoints, scores = decode_heatmaps(heatmaps, SIZE, unbiased=False)
    np.testing.assert_array_equal(keypoints[0, 0], (28, 40))
    assert scores[0, 0] == 1


def test_simcc_takes_the_largest_bin_of_each_axis_and_the_smaller_value():
    x, y = np.zeros((2, 3, 384)), np.zeros((2, 3, 512))  # two bins for each pixel
    x[0, 1, 101], y[0, 1, 77] = 0.8, 0.6
    x[1, 2, 383], y[1, 2, 511] = 1.2, 1.1
    keypoints, scores = decode_simcc(x, y, SIZE)
    np.testing.assert_array_equal(keypoints[0, 1], (50.5, 38.5))
    np.testing.assert_array_equal(keypoints[1, 2], (191.5, 255.5))
    np.testing.assert_array_equal(scores, [[0, 0.6, 0], [0, 0, 1]])


def test_nobody_has_no_keypoints():
    assert decode_heatmaps(np.zeros((0, 17, 64, 48)), SIZE, True)[0].shape == (0, 17, 2)
    empty = decode_simcc(np.zeros((0, 17, 384)), np.zeros((0, 17, 512)), SIZE)
    assert empty[0].shape == (0, 17, 2)
