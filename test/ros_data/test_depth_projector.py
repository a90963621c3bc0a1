"""Which depth images are waited for, and which are used."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from depth_rig import SIZE, calibration, wall
from ros_driver import depth_message, stamped

from poseflow_ros.config import DepthConfig
from poseflow_ros.ros_data.depth import DepthProjector
from poseflow_ros.skeletons.coco17 import COCO_17

SLOP_S = 0.02


def projector(*stamps_s, keep_all=False):
    """A projector with a calibration and depth images of these stamps."""
    made = DepthProjector(COCO_17, keep_all=keep_all)
    made.calibrate(calibration())
    for stamp_s in stamps_s:
        made.add_depth(depth_message(wall(1.0)[:2, :2], stamp_s))
    return made


EXPECTED = [
    # stamps of depth, stamp of the image, whether no depth of that time is expected any more
    pytest.param([], 10.0, False, id="none yet"),
    pytest.param([10.0], 10.0, True, id="the same stamp"),
    pytest.param([10.03], 10.0, True, id="a later one"),
    pytest.param([9.97], 10.0, False, id="the first, and earlier"),
    pytest.param([9.93, 9.967], 10.0, False, id="its own is due"),
    pytest.param([9.9, 9.933], 10.0, False, id="its own and the one before are due"),
    pytest.param([9.962, 9.995], 10.0, True, id="5 ms before, the next 28 ms after"),
    pytest.param([9.895, 9.995], 10.0, True, id="a slow depth camera, just before"),
    pytest.param([9.85, 9.95], 10.0, True, id="a slow one, half a period away"),
    pytest.param([9.81, 9.91], 10.0, False, id="a slow one, due 10 ms after"),
]


@pytest.mark.parametrize(("stamps_s", "image_s", "final"), EXPECTED)
def test_depth_is_waited_for_only_while_a_nearer_one_may_come(stamps_s, image_s, final):
    assert projector(*stamps_s).has_nearest_depth(image_s, SLOP_S) == final


def context(made, stamp_s, **config):
    header = stamped(np.zeros((1, 1, 3), np.uint8), stamp_s).header
    return made.context(header, SIZE, DepthConfig(**config), 0.0)


def test_the_nearest_within_the_slop_is_used():
    found = context(projector(9.97, 9.99, 10.004, 10.03), 10.0)
    assert found.trouble == ""
    assert found.depth.header.stamp.nanosec == 4_000_000


def test_beyond_the_slop_none_is_used():
    found = context(projector(9.97), 10.0)
    assert (
        found.trouble == "the nearest depth image is 0.030 s from the image; depth.slop_s is 0.02"
    )


def test_a_wait_ends_with_the_depth_image():
    made, image_s = projector(9.97), 10.0
    late = threading.Timer(0.1, lambda: made.add_depth(depth_message(wall(1.0), image_s)))
    late.start()
    start_s = time.monotonic()
    assert made.wait(lambda: made.has_nearest_depth(image_s, SLOP_S), 20.0)
    assert 0.09 < time.monotonic() - start_s < 10.0
    late.join()


def test_a_wait_is_bounded():
    made, start_s = projector(9.97), time.monotonic()
    assert not made.wait(lambda: made.has_nearest_depth(10.0, SLOP_S), 0.1)
    assert 0.09 < time.monotonic() - start_s < 10.0
