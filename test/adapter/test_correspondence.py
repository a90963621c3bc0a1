"""Correspondences: a known shift comes out, and nothing where nothing can correspond."""

import cv2
import numpy as np
import pytest

from poseflow_ros.config import MatcherConfig
from poseflow_ros.imaging.correspondence import OrbMatcher
from poseflow_ros.poses import Poses

NOBODY = Poses.empty(17)
SOMEBODY = Poses(np.zeros((1, 17, 2)), np.ones((1, 17)), [[0, 0, 40, 90]], [1])
NOTHING = (0, 4)

_BLOCKS = np.random.default_rng(3).integers(0, 256, (70, 90, 3), np.uint8)
SCENE = cv2.resize(_BLOCKS, (720, 560), interpolation=cv2.INTER_NEAREST)  # corners everywhere


def view(dx=0, dy=0, height=400, width=560):
    """Return the scene shifted by (dx, dy) pixels: what was at x is at x + dx."""
    return SCENE[80 - dy : 80 - dy + height, 80 - dx : 80 - dx + width].copy()


def matcher(orb_features=1000):
    return OrbMatcher(MatcherConfig(orb_features=orb_features))


@pytest.mark.parametrize(
    ("dx", "dy"),
    [
        pytest.param(0, 0, id="the same image"),
        pytest.param(7, 0, id="to the right"),
        pytest.param(-12, 5, id="to the left and down"),
        pytest.param(0, -60, id="far up"),
    ],
)
def test_correspondences_are_the_shift(dx, dy):
    one = matcher()
    one.match(view(), SOMEBODY)
    matches = one.match(view(dx, dy), SOMEBODY)
    assert matches.shape[1] == 4
    assert len(matches) > 100
    shifts = matches[:, 2:] - matches[:, :2]
    np.testing.assert_allclose(np.median(shifts, axis=0), (dx, dy), atol=0.5)
    assert (np.abs(shifts - (dx, dy)).max(axis=1) < 6).mean() > 0.95
    assert (matches >= 0).all()
    assert (matches[:, [0, 2]] < 560).all()
    assert (matches[:, [1, 3]] < 400).all()


def test_each_image_is_compared_with_the_one_before():
    one = matcher()
    for dx in (0, 10, 30):
        matches = one.match(view(dx), SOMEBODY)
    assert np.median(matches[:, 2] - matches[:, 0]) == pytest.approx(20, abs=0.5)


BLANK = np.full((400, 560, 3), 90, np.uint8)


@pytest.mark.parametrize(
    "images",
    [
        pytest.param([(view(), SOMEBODY)], id="the first image"),
        pytest.param([(BLANK, SOMEBODY)], id="a blank first image"),
        pytest.param([(view(), SOMEBODY), (BLANK, SOMEBODY)], id="then a blank one"),
        pytest.param([(BLANK, SOMEBODY), (view(), SOMEBODY)], id="after a blank one"),
        pytest.param([(BLANK, SOMEBODY), (BLANK, SOMEBODY)], id="two blank ones"),
        pytest.param([(view(), SOMEBODY), (view(), NOBODY)], id="nobody in it"),
        pytest.param([(view(), NOBODY), (view(), SOMEBODY)], id="nobody in the one before"),
        pytest.param(
            [(view(), SOMEBODY), (view(), NOBODY), (view(), SOMEBODY)], id="nobody in between"
        ),
    ],
)
def test_nothing_corresponds(images):
    one = matcher()
    for image, poses in images:
        matches = one.match(image, poses)
    assert matches.shape == NOTHING


def test_after_a_blank_image_it_goes_on():
    one = matcher()
    for image in (view(), BLANK, view()):
        one.match(image, SOMEBODY)
    assert len(one.match(view(4), SOMEBODY)) > 100


def test_without_features_nothing_corresponds():
    one = matcher(orb_features=0)
    assert [one.match(view(), SOMEBODY).shape for _ in range(3)] == [NOTHING] * 3


def test_after_a_reset_the_next_image_is_the_first():
    one = matcher()
    one.match(view(), SOMEBODY)
    one.reset()
    assert one.match(view(), SOMEBODY).shape == NOTHING


def test_another_size_of_image_is_no_error():
    one = matcher()
    one.match(view(), SOMEBODY)
    for image in (view(height=200, width=300), view(3)):
        matches = one.match(image, SOMEBODY)
        assert matches.shape[1] == 4
    assert len(matches) > 10


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (20, 20), (31, 31), (32, 32), (3, 400)], ids=str)
def test_tiny_images_are_no_error(size):
    one = matcher()
    for _ in range(2):
        assert one.match(view(height=size[0], width=size[1]), SOMEBODY).shape[1] == 4


def test_a_view_with_other_strides_is_read_as_it_looks():
    plain, swapped = matcher(), matcher()
    for dx in (0, 5):
        expected = plain.match(np.ascontiguousarray(view(dx)[:, :, ::-1]), SOMEBODY)
        np.testing.assert_array_equal(swapped.match(view(dx)[:, :, ::-1], SOMEBODY), expected)


def test_no_image_is_kept():
    one = matcher()

    def kept_bytes():
        return sum(v.nbytes for v in vars(one).values() if isinstance(v, np.ndarray))

    sizes = []
    for i in range(8):
        one.match(view(i), SOMEBODY)
        sizes.append(kept_bytes())
    # At most 1000 features of 32 bytes and two coordinates of 8; the image has 672,000 bytes.
    assert 0 < max(sizes) <= 1000 * (32 + 2 * 8)
    assert one.match(view(), NOBODY).shape == NOTHING
    assert kept_bytes() == 0
