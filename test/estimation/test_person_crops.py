"""Crops of people: what is inside, and where it was in the image."""

import numpy as np
import pytest

from poseflow_ros.estimation.person_crops import crop_people

SIZE = (256, 192)


def test_the_box_is_enlarged_by_a_quarter_and_gets_the_aspect_ratio():
    # 120 x 160 pixels have the ratio of 192 x 256: enlarged 150 x 200, 1.28 pixels for each one.
    crops = crop_people(np.zeros((480, 640, 3), np.uint8), np.array([[100, 50, 220, 210.0]]), SIZE)
    assert crops.scales == pytest.approx([1.28])
    # The centre of the box is the centre of the crop, which has 192 columns from 0 to 191.
    center = crops.to_image(np.array([[[95.5, 127.5]]]))
    np.testing.assert_allclose(center, [[[160, 130]]])


@pytest.mark.parametrize(
    ("box", "scale"),
    [
        pytest.param((0, 0, 10, 160), 1.28, id="narrow: the height decides"),
        pytest.param((0, 0, 120, 10), 1.28, id="wide: the width decides"),
        pytest.param((5, 5, 5, 5), 153.6, id="empty: as one of a pixel"),
    ],
)
def test_the_whole_box_fits(box, scale):
    crops = crop_people(np.zeros((48, 64, 3), np.uint8), np.array([box], float), SIZE)
    assert crops.scales == pytest.approx([scale])


def test_content_is_where_scales_and_offsets_put_it():
    y, x = np.indices((331, 487))
    image = np.repeat((x / 4 + y / 4)[..., None], 3, axis=2).astype(np.uint8)
    boxes = np.array([[100, 50, 180, 210], [300, 200, 400, 250.0]])
    crops = crop_people(image, boxes, SIZE)
    for i, (row, column) in enumerate([(100, 90), (128, 60)]):
        points = crops.to_image(np.full((2, 1, 2), (column, row), float))
        assert crops.images[i][row, column, 0] == pytest.approx(points[i].sum() / 4, abs=1)


def test_what_is_outside_the_image_is_black():
    image = np.full((100, 100, 3), 255, np.uint8)
    crops = crop_people(image, np.array([[-60, 20, 20, 80.0]]), SIZE)
    assert (crops.images[0][:, 0] == 0).all()
    assert (crops.images[0][128, -10:] == 255).all()


def test_no_boxes_give_no_crops():
    crops = crop_people(np.zeros((9, 9, 3), np.uint8), np.zeros((0, 4)), SIZE)
    assert len(crops.images) == 0
    assert crops.to_image(np.zeros((0, 17, 2))).shape == (0, 17, 2)
