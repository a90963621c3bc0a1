"""Images in the input of a network: their size, their padding, and the way back."""

import numpy as np
import pytest

from poseflow_ros.estimation.letterbox import PAD_VALUE, letterbox, padded_size
from poseflow_ros.poses import Poses


def poses_at(x, y):
    return Poses([[[x, y]]], [[1.0]], [[x, y, x, y]], [1.0])


# Worked out by hand for an input of 64 rows and 96 columns: the size of the scaled image, and the
# padding at the left and at the top where it is on both sides.
CASES = [
    pytest.param((64, 96), (64, 96), (0, 0), id="the size of the input"),
    pytest.param((57, 101), (54, 96), (0, 5), id="wide: 57 x 96 / 101 is 54.2 rows"),
    pytest.param((101, 57), (64, 36), (30, 0), id="high: 57 x 64 / 101 is 36.1 columns"),
    pytest.param((333, 17), (64, 3), (46, 0), id="a narrow one: 3.3 columns"),
    pytest.param((1000, 1), (64, 1), (47, 0), id="a column stays one column"),
    pytest.param((1, 1), (64, 64), (16, 0), id="a pixel"),
]


@pytest.mark.parametrize("centered", [True, False], ids=["both sides", "right and bottom"])
@pytest.mark.parametrize(("size", "scaled", "padding"), CASES)
def test_the_image_is_scaled_padded_and_found_again(size, scaled, padding, centered):
    image = np.full((*size, 3), 200, np.uint8)
    padded, placement = letterbox(image, (64, 96), centered)
    left, top = padding if centered else (0, 0)
    inside = np.zeros((64, 96), bool)
    inside[top : top + scaled[0], left : left + scaled[1]] = True
    assert (padded[inside] == 200).all()
    assert (padded[~inside] == PAD_VALUE).all()
    # The edges of the scaled image, half a pixel before its first and behind its last centre, are
    # those of the image.
    found = placement.to_image(poses_at(left - 0.5, top - 0.5))
    np.testing.assert_allclose(found.keypoints[0, 0], (-0.5, -0.5), atol=1e-9)
    found = placement.to_image(poses_at(left + scaled[1] - 0.5, top + scaled[0] - 0.5))
    np.testing.assert_allclose(found.boxes[0, 2:], (size[1] - 0.5, size[0] - 0.5), atol=1e-9)


@pytest.mark.parametrize("size", [(331, 487), (487, 331), (64, 96), (50, 75)])
def test_content_is_where_the_placement_says(size):
    y, x = (np.arange(side)[:, None] for side in size)
    # A linear ramp keeps its value when it is scaled: the value says where the pixel was.
    image = np.repeat((y / 4 + x.T / 4)[..., None], 3, axis=2).astype(np.uint8)
    padded, placement = letterbox(image, (64, 96), centered=True)
    row, column = 30, 47
    found = placement.to_image(poses_at(column, row)).keypoints[0, 0]
    assert padded[row, column, 0] == pytest.approx(found.sum() / 4, abs=1)


@pytest.mark.parametrize(
    ("image_size", "long_side", "stride", "size"),
    [
        pytest.param((1080, 1920), 640, 32, (384, 640), id="360 rows fill 12 steps"),
        pytest.param((1920, 1080), 640, 32, (640, 384), id="upright"),
        pytest.param((480, 640), 640, 32, (480, 640), id="no padding"),
        pytest.param((480, 640), 500, 32, (384, 512), id="a side that is not a multiple"),
        pytest.param((480, 640), 640, 64, (512, 640), id="a stride of 64"),
        pytest.param((1, 1000), 640, 32, (32, 640), id="at least one step"),
    ],
)
def test_an_input_of_any_size_has_as_little_padding_as_the_stride_allows(
    image_size, long_side, stride, size
):
    assert padded_size(image_size, long_side, stride) == size
