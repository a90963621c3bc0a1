"""Correspondences: a known shift comes out, and nothing where nothing can correspond."""

import cv2
import numpy as np
import pytest

from poseflow_ros.config import ClassicConfig
from poseflow_ros.imaging.correspondence import BackgroundMatcher, OrbMatcher
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
    return OrbMatcher(ClassicConfig(orb_features=orb_features))


@pytest.mark.parametrize(
    ("dx", "dy"),
    [
        pytest.param(0, 0, id="the same image"),
        pytest.param(7, 0, id="to the right"),
        pytest.param(-12, 5, id="to the left and down"),
        pytest.param(0, -60, id="far up"),
    ],
)
def test_correspondences_equal_the_image_shift(dx, dy):
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


def test_each_image_is_matched_with_the_previous_one():
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
def test_unrelated_images_have_no_correspondences(images):
    one = matcher()
    for image, poses in images:
        matches = one.match(image, poses)
    assert matches.shape == NOTHING


def test_matching_continues_after_a_blank_image():
    one = matcher()
    for image in (view(), BLANK, view()):
        one.match(image, SOMEBODY)
    assert len(one.match(view(4), SOMEBODY)) > 100


def test_no_features_give_no_correspondences():
    one = matcher(orb_features=0)
    assert [one.match(view(), SOMEBODY).shape for _ in range(3)] == [NOTHING] * 3


def test_reset_discards_the_previous_image():
    one = matcher()
    one.match(view(), SOMEBODY)
    one.reset()
    assert one.match(view(), SOMEBODY).shape == NOTHING


def test_image_size_may_change():
    one = matcher()
    one.match(view(), SOMEBODY)
    for image in (view(height=200, width=300), view(3)):
        matches = one.match(image, SOMEBODY)
        assert matches.shape[1] == 4
    assert len(matches) > 10


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (20, 20), (31, 31), (32, 32), (3, 400)], ids=str)
def test_tiny_images_are_accepted(size):
    one = matcher()
    for _ in range(2):
        assert one.match(view(height=size[0], width=size[1]), SOMEBODY).shape[1] == 4


def test_image_may_have_any_strides():
    plain, swapped = matcher(), matcher()
    for dx in (0, 5):
        expected = plain.match(np.ascontiguousarray(view(dx)[:, :, ::-1]), SOMEBODY)
        np.testing.assert_array_equal(swapped.match(view(dx)[:, :, ::-1], SOMEBODY), expected)


def test_previous_image_is_not_kept():
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


ROUGH = cv2.resize(_BLOCKS, (1200, 1000), interpolation=cv2.INTER_CUBIC)  # fine, but no edges


def rough(dx=0, dy=0, width=768, height=576):
    """Return the rough scene shifted by (dx, dy) pixels, up to 100: what was at x is at x + dx."""
    return ROUGH[120 - dy : 120 - dy + height, 120 - dx : 120 - dx + width].copy()


def in_front(*boxes):
    n = len(boxes)
    boxes = np.array(boxes, float).reshape(n, 4)
    return Poses(np.zeros((n, 17, 2)), np.ones((n, 17)), boxes, np.ones(n))


def followed(*images, poses=NOBODY):
    """Return what a background matcher says to the last of these images."""
    one = BackgroundMatcher()
    for image in images:
        matches = one.match(image, poses)
    return matches


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((300, 220), id="not reduced"),
        pytest.param((768, 576), id="a few pixels for one"),
        pytest.param((767, 575), id="sides that are no multiple"),
        pytest.param((769, 433), id="wide"),
        pytest.param((431, 770), id="upright"),
        pytest.param((961, 601), id="one pixel left"),
    ],
)
@pytest.mark.parametrize(
    ("dx", "dy"),
    [
        pytest.param(0, 0, id="standing still"),
        pytest.param(5, -3, id="odd steps"),
        pytest.param(-12, 12, id="12 pixels"),
    ],
)
def test_background_correspondences_equal_the_image_shift(size, dx, dy):
    assert_followed(size, dx, dy)


@pytest.mark.parametrize(
    "size", [(768, 576), (767, 575), (431, 770)], ids="{0[0]} x {0[1]}".format
)
@pytest.mark.parametrize("shift", [(36, 0), (0, -36), (-25, 25)], ids=str)
def test_large_background_motion_is_tracked(size, shift):
    assert_followed(size, *shift)


def assert_followed(size, dx, dy):
    matches = followed(rough(0, 0, *size), rough(dx, dy, *size))
    assert len(matches) > 40
    off = matches[:, 2:] - matches[:, :2] - [dx, dy]
    right = np.abs(off).max(axis=1) < 1
    assert right.mean() > 0.8
    np.testing.assert_allclose(np.median(off, axis=0), 0, atol=0.1)
    np.testing.assert_allclose(off[right].mean(axis=0), 0, atol=0.1)
    assert (matches[:, :2] >= 0).all()
    assert (matches[:, :2] <= np.array(size) - 1).all()


SQUARES = [(600.0, 500.0), (2000.0, 400.0), (3000.0, 1500.0), (900.0, 1700.0), (2200.0, 1200.0)]


def squares(size, half, dx=0):
    """Return white squares on black, 2 `half` + 1 pixels wide, around SQUARES."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y in SQUARES:
        image[int(y) - half : int(y) + half + 1, int(x) + dx - half : int(x) + dx + half + 1] = 255
    return image


@pytest.mark.parametrize(
    "size", [(2160, 3840), (2161, 3839), (2159, 3841)], ids="{0[1]} x {0[0]}".format
)
def test_corners_of_a_large_image_are_at_full_resolution(size):
    half = 150
    matches = followed(squares(size, half), squares(size, half, dx=40))
    assert len(matches) >= 4 * len(SQUARES)
    corners = np.array([(x + i * half, y + j * half)
                        for x, y in SQUARES for i in (-1, 1) for j in (-1, 1)])  # fmt: skip
    for column, dx in ((0, 0), (2, 40)):
        points = matches[:, column : column + 2]
        off = points[:, None] - np.add(corners, (dx, 0))
        nearest = np.hypot(*off.transpose(2, 0, 1)).argmin(axis=0)
        off = off[nearest, np.arange(len(corners))]
        assert np.abs(off).max() < 30  # two of the pixels that it is reduced to
        # All four corners of a square are drawn to its middle: what is left is the matcher's.
        np.testing.assert_allclose(off.mean(axis=0), 0, atol=2)  # of 15 that are one there


def test_background_is_tracked_between_consecutive_images():
    matches = followed(rough(0), rough(10), rough(30))
    assert np.median(matches[:, 2] - matches[:, 0]) == pytest.approx(20, abs=0.1)


def test_corners_on_people_are_not_tracked():
    boxes = [[100, 50, 300, 500], [400.5, 200.5, 700.5, 9999], [-50, -50, 40, 60]]
    one = BackgroundMatcher()
    one.match(rough(), in_front(*boxes))
    matches = one.match(rough(4), in_front([300, 0, 768, 576]))  # where they are now is no matter
    assert len(matches) > 20
    for x1, y1, x2, y2 in boxes:
        inside = (matches[:, 0] > x1 + 1) & (matches[:, 0] < x2 - 1)
        inside &= (matches[:, 1] > y1 + 1) & (matches[:, 1] < y2 - 1)
        assert not inside.any()
    beside = (matches[:, 0] > 310) & (matches[:, 0] < 390)
    assert beside.sum() > 5


def test_people_covering_the_image_give_no_correspondences():
    assert followed(rough(), rough(3), poses=in_front([0, 0, 768, 576])).shape == NOTHING


@pytest.mark.parametrize(
    "box",
    [
        pytest.param([np.nan] * 4, id="nowhere"),
        pytest.param([np.nan, 0, 100, 100], id="half known"),
        pytest.param([-np.inf, -np.inf, -10, -10], id="infinitely far off"),
        pytest.param([1e300, 0, 1e300, 1], id="very far off"),
        pytest.param([-900, 50, -800, 90], id="to the left"),
        pytest.param([900, 700, 990, 790], id="below"),
        pytest.param([300, 300, 200, 200], id="inside out"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_invalid_boxes_mask_little(box):
    matches = followed(rough(), rough(6), poses=in_front(box))
    assert len(matches) > 40
    assert np.median(matches[:, 2] - matches[:, 0]) == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize(
    "images",
    [
        pytest.param([rough()], id="the first image"),
        pytest.param([BLANK], id="a blank first image"),
        pytest.param([BLANK, BLANK], id="two blank ones"),
        pytest.param([BLANK, view()], id="after a blank one"),
    ],
)
def test_background_without_corners_gives_no_correspondences(images):
    assert followed(*images).shape == NOTHING


def test_blank_image_gives_no_random_correspondences():
    matches = followed(view(), BLANK)
    assert matches.shape[1] == 4
    assert np.isfinite(matches).all()
    assert followed(view(), BLANK, view()).shape == NOTHING
    assert len(followed(view(), BLANK, view(), view(3))) > 40


@pytest.mark.parametrize(
    "size",
    [(1, 1), (2, 2), (29, 29), (30, 30), (31, 40), (3, 400), (400, 1), (2, 1100), (36, 1000)],
    ids="{0[1]} x {0[0]}".format,
)
def test_tiny_images_give_no_background_correspondences(size):
    matches = followed(*(cv2.resize(rough(dx), size[::-1]) for dx in (0, 0, 1)))
    assert matches.shape[1] == 4
    assert np.isfinite(matches).all()


def test_reset_discards_the_previous_background():
    one = BackgroundMatcher()
    one.match(rough(), NOBODY)
    one.reset()
    assert one.match(rough(2), NOBODY).shape == NOTHING
    one.reset()
    small = [rough(dx, 0, 320, 240) for dx in (0, 3)]  # of another size
    assert one.match(small[0], NOBODY).shape == NOTHING
    assert len(one.match(small[1], NOBODY)) > 20


@pytest.mark.parametrize(
    "size", [(240, 320), (575, 575), (1080, 1920), (2160, 3840)], ids="{0[1]} x {0[0]}".format
)
def test_only_a_small_copy_of_the_background_is_kept(size):
    one = BackgroundMatcher()
    image = cv2.resize(rough(), size[::-1])
    for _ in range(3):
        one.match(image, NOBODY)
    kept = [value for value in vars(one).values() if isinstance(value, np.ndarray)]
    assert len(kept) == 2
    assert all(array.base is None or array.base.nbytes <= array.nbytes for array in kept)
    # Grey, of 576 pixels' long side at most, and 150 corners of two floats.
    assert 0 < sum(array.nbytes for array in kept) <= 576 * 576 + 150 * 2 * 4
    assert not any(np.shares_memory(array, image) for array in kept)


def test_images_may_have_any_strides_and_are_not_modified():
    expected = followed(rough(), rough(5))
    views = [np.ascontiguousarray(rough(dx)[:, ::-1])[:, ::-1] for dx in (0, 5)]
    for one in views:
        one.flags.writeable = False
    np.testing.assert_array_equal(followed(*views), expected)
    np.testing.assert_array_equal(views[1], rough(5))
