"""Appearances of painted people: similar for equal clothes, independent of the background."""

import cv2
import numpy as np
import pytest

from poseflow_ros.imaging.color_histograms import ColorHistograms
from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17

pytestmark = pytest.mark.filterwarnings("error")

RED, GREEN, BLUE, BLACK, WHITE = (
    *((200, 40, 40), (40, 160, 60), (40, 60, 200), (15, 15, 15), (240, 240, 240)),
)
DIMENSIONS = 80
# COCO order, in heights of the person: x to the right of the middle, y below the top.
STANDING = np.array(
    [
        *((0.0, 0.08), (0.02, 0.06), (-0.02, 0.06), (0.04, 0.07), (-0.04, 0.07)),
        *((0.12, 0.2), (-0.12, 0.2), (0.16, 0.36), (-0.16, 0.36), (0.17, 0.5), (-0.17, 0.5)),
        *((0.08, 0.52), (-0.08, 0.52), (0.08, 0.75), (-0.08, 0.75), (0.08, 0.98), (-0.08, 0.98)),
    ]
)


def standing(*places):
    """Return the poses of people at (x of the middle, y of the top, height), pixels."""
    keypoints = np.array([np.array([x, y]) + h * STANDING for x, y, h in places])
    boxes = np.array([[x - 0.2 * h, y, x + 0.2 * h, y + h] for x, y, h in places])
    n = len(places)
    return Poses(keypoints.reshape(n, 17, 2), np.ones((n, 17)), boxes.reshape(n, 4), np.ones(n))


def paint(poses, clothes, background=(120, 120, 120), size=(480, 640)):
    """Return a image of these people in (torso, legs) colours."""
    image = np.full((*size, 3), background, np.uint8)
    for keypoints, (torso, legs) in zip(poses.keypoints, clothes, strict=True):
        points = np.rint(keypoints).astype(int)
        length = np.linalg.norm(keypoints[5] - keypoints[11])
        for a, b in ((11, 13), (13, 15), (12, 14), (14, 16)):
            thick = max(3, round(0.25 * length))
            cv2.line(image, points[a].tolist(), points[b].tolist(), legs, thick)
        hull = cv2.convexHull(points[[5, 6, 11, 12]])
        cv2.fillConvexPoly(image, hull, torso)
        cv2.polylines(image, [hull], True, torso, max(1, round(0.1 * length)))
    return image


def histograms(image, poses):
    """Return the appearances of the people in one image."""
    (appearances,) = ColorHistograms(COCO_17).describe([image], [poses])
    return appearances


def describe(place, clothes, **scene):
    poses = standing(place)
    (appearance,) = histograms(paint(poses, [clothes], **scene), poses)
    return appearance


HERE = (200, 50, 300)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param((450, 80, 300), id="elsewhere"),
        pytest.param((200, 50, 120), id="farther off"),
        pytest.param((300, 10, 460), id="nearer"),
        pytest.param((120.4, 30.7, 211), id="between the pixels"),
    ],
)
@pytest.mark.parametrize("clothes", [(RED, BLACK), (GREEN, BLUE), (WHITE, BLACK)], ids=str)
def test_equal_clothes_are_similar_at_any_position(place, clothes):
    one, other = describe(HERE, clothes), describe(place, clothes)
    assert np.linalg.norm(one) == pytest.approx(1)
    assert one @ other > 0.98


@pytest.mark.parametrize(
    ("clothes", "others", "most"),
    [
        pytest.param((RED, BLACK), (GREEN, BLACK), 0.75, id="another torso"),
        pytest.param((RED, BLACK), (RED, BLUE), 0.75, id="other legs"),
        pytest.param((RED, BLACK), (BLACK, RED), 0.6, id="exchanged"),
        pytest.param((GREEN, BLACK), (BLUE, WHITE), 0.4, id="nothing alike but greys"),
        pytest.param((WHITE, WHITE), (BLACK, BLACK), 0.75, id="light and dark, both grey"),
    ],
)
def test_different_clothes_are_dissimilar(clothes, others, most):
    assert describe(HERE, clothes) @ describe(HERE, others) < most


def test_similar_shades_are_more_similar_than_other_colors():
    one = describe(HERE, (RED, BLACK))
    shades = [one @ describe(HERE, ((200 + step, 40, 40), BLACK)) for step in (0, 5, 15, -160)]
    assert (np.diff(shades) < 0).all()
    assert shades[1] > 0.9


@pytest.mark.parametrize("background", [WHITE, BLACK, GREEN], ids=["white", "black", "green"])
def test_background_does_not_affect_the_appearance(background):
    one = describe(HERE, (RED, BLUE))
    assert one @ describe(HERE, (RED, BLUE), background=background) > 0.98


def test_heads_and_arms_do_not_affect_the_appearance():
    poses = standing(HERE)
    image = paint(poses, [(RED, BLUE)])
    expected = histograms(image, poses)
    image[: int(poses.keypoints[0, 5, 1]) - 20] = GREEN
    poses.keypoints[:, :5] = poses.keypoints[:, 7:11] = [[[630.0, 470.0]]]
    poses.keypoints[:, 4] = np.nan
    poses.boxes[:] = 0
    np.testing.assert_array_equal(histograms(image, poses), expected)


def test_torso_seen_from_the_side_has_a_minimum_width():
    poses = standing(HERE)
    image = paint(poses, [(RED, BLUE)])
    cv2.line(image, (HERE[0], 100), (HERE[0], 210), GREEN, 3)  # a zip
    torso = describe(HERE, (RED, BLUE))
    poses.keypoints[0, [5, 6, 11, 12], 0] = HERE[0]
    (aside,) = histograms(image, poses)
    assert aside @ torso > 0.9


def test_lying_people_are_described_too():
    standing_poses = standing(HERE)
    image = paint(standing_poses, [(RED, BLUE)])
    upright = histograms(image, standing_poses)
    lying = Poses(
        standing_poses.keypoints[..., ::-1], np.ones((1, 17)), np.zeros((1, 4)), np.ones(1)
    )
    turned = histograms(np.ascontiguousarray(image.transpose(1, 0, 2)), lying)
    np.testing.assert_allclose(turned, upright, atol=0.05)


def test_appearance_does_not_depend_on_other_people():
    poses = standing((100, 40, 300), (300, 60, 200), (500, 30, 400))
    image = paint(poses, [(RED, BLACK), (GREEN, BLUE), (WHITE, RED)])
    together = histograms(image, poses)
    assert together.shape == (3, DIMENSIONS)
    for i in range(3):
        (alone,) = histograms(image, poses[i : i + 1])
        np.testing.assert_allclose(together[i], alone)


def test_batch_gives_the_same_appearances_as_single_images():
    poses = [standing(HERE), standing(), standing((300, 60, 200), (500, 30, 400))]
    clothes = ([(RED, BLUE)], [], [(GREEN, BLACK), (WHITE, RED)])
    sizes = ((480, 640), (10, 20), (500, 700))
    images = [paint(*args, size=size) for *args, size in zip(poses, clothes, sizes, strict=True)]
    batch = ColorHistograms(COCO_17).describe(images, poses)
    assert [one.shape for one in batch] == [(1, DIMENSIONS), (0, DIMENSIONS), (2, DIMENSIONS)]
    for appearances, image, people in zip(batch, images, poses, strict=True):
        np.testing.assert_array_equal(appearances, histograms(image, people))


def test_no_people_are_accepted():
    image = np.zeros((48, 64, 3), np.uint8)
    assert histograms(image, Poses.empty(17)).shape == (0, DIMENSIONS)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param((-300, 50, 300), id="to the left"),
        pytest.param((940, 50, 300), id="to the right"),
        pytest.param((200, -400, 300), id="above"),
        pytest.param((200, 600, 300), id="below"),
        pytest.param((640.6, 50, 0.1), id="just outside"),
        pytest.param((200, -270, 300), id="all but the feet"),
        pytest.param((200, 400, 300), id="all but the shoulders"),
    ],
)
def test_appearance_outside_the_image_is_unknown(place):
    assert describe(place, (RED, BLUE)).tolist() == [0] * DIMENSIONS


@pytest.mark.parametrize(
    "place",
    [
        pytest.param((200, 320, 300), id="legs below the image"),
        pytest.param((200, 230, 300), id="feet below the image"),
        pytest.param((0, 50, 300), id="cut in half by the side"),
        pytest.param((200, -120, 300), id="torso above the image"),
    ],
)
def test_an_appearance_is_a_unit_vector_or_unknown(place):
    length = np.linalg.norm(describe(place, (RED, BLUE)))
    assert length == pytest.approx(1) or length == 0


def test_torso_replaces_legs_below_the_image():
    near = describe((200, 320, 300), (RED, BLUE))
    assert np.linalg.norm(near) == pytest.approx(1)
    assert near @ describe((300, 310, 310), (RED, BLACK)) > 0.98
    assert near @ describe(HERE, (RED, RED)) > 0.98
    assert near @ describe((300, 310, 310), (GREEN, BLUE)) < 0.75


def test_half_of_each_body_part_is_sufficient():
    whole = describe(HERE, (RED, BLUE))
    assert describe((200, 230, 300), (RED, BLUE)) @ whole > 0.98  # feet below the image
    assert describe((0, 50, 300), (RED, BLUE)) @ whole > 0.98  # cut by the image's side


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e12, -1e300], ids=str)
@pytest.mark.parametrize(
    "where", [slice(None), [5, 6, 11, 12], [5, 12]], ids=["all", "the torso", "a diagonal"]
)
def test_nan_keypoints_give_no_appearance_and_do_not_affect_others(where, value):
    poses = standing(HERE, (450, 50, 300))
    image = paint(poses, [(RED, BLUE), (GREEN, BLACK)])
    expected = histograms(image, poses)
    poses.keypoints[0, where] = value
    one, other = histograms(image, poses)
    assert one.tolist() == [0] * DIMENSIONS
    np.testing.assert_array_equal(other, expected[1])


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 640), (480, 1), (2, 3), (200, 200)], ids="{0[0]} x {0[1]}".format
)
def test_degenerate_people_and_small_images_are_accepted(size):
    image = np.full((*size, 3), 90, np.uint8)
    poses = standing((0, 0, 300), (0, 0, 0))
    appearances = histograms(image, poses)
    assert appearances.shape == (2, DIMENSIONS)
    assert np.isfinite(appearances).all()
    assert np.linalg.norm(appearances[1]) == pytest.approx(1)  # all in the first pixel


def test_images_may_have_any_strides_and_are_not_modified():
    poses = standing(HERE, (450, 50, 300))
    image = paint(poses, [(RED, BLUE), (GREEN, BLACK)])
    expected = histograms(image, poses)
    wide = np.repeat(image, 2, axis=1)
    for view in (
        np.ascontiguousarray(image[:, :, ::-1])[:, :, ::-1],
        np.ascontiguousarray(image[::-1])[::-1],
        wide[:, ::2],
        np.asfortranarray(image),
    ):
        assert not view.flags.c_contiguous
        before = view.copy()
        view.flags.writeable = False
        np.testing.assert_array_equal(histograms(view, poses), expected)
        np.testing.assert_array_equal(view, before)
