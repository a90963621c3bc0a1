"""Depth images in the units of ROS."""

import numpy as np
import pytest

from poseflow_ros.spatial.depth import metres


def test_millimetres_are_converted_to_metres():
    depth = metres(np.array([[0, 1, 2500, 65535]], np.uint16))
    assert depth.dtype == np.float32
    assert depth == pytest.approx(np.array([[0.0, 0.001, 2.5, 65.535]]))


def test_metres_are_unchanged():
    depth = np.array([[0.0, np.nan, 2.5]])
    np.testing.assert_array_equal(metres(depth), depth.astype(np.float32))


@pytest.mark.parametrize("depth", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 1), np.float32)])
def test_other_arrays_are_rejected(depth):
    with pytest.raises(ValueError, match="a depth image must"):
        metres(depth)
