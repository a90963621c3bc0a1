"""What about inputs cannot be right, and how it is described."""

import re

import numpy as np
import pytest

from poseflow_ros.ros_data.input_checks import (
    clock_problem,
    frame_problem,
    is_rectified,
    publishers_problem,
    size_problem,
    unit_problem,
    without_slash,
)


def test_a_leading_slash_is_left_out():
    assert [without_slash(name) for name in ("/camera", "camera", "", "robot/camera")] == [
        "camera", "camera", "", "robot/camera",
    ]  # fmt: skip


def test_depth_of_another_frame_is_not_registered():
    assert frame_problem("depth", "depth_optical", "color_optical") == (
        "depth has the frame_id 'depth_optical', the image 'color_optical': "
        "it must be registered to the image"
    )
    assert frame_problem("depth", "/color", "color") == ""
    assert frame_problem("depth", "", "color") == frame_problem("depth", "color", "") == ""


def test_a_size_that_is_not_known_fits():
    assert size_problem((0, 0), (480, 640)) == size_problem((480, 640), (480, 640)) == ""
    assert size_problem((480, 640), (240, 320)) == (
        "camera_info is for images of 640 x 480 pixels, these are 320 x 240"
    )


def scene(metres):
    """A depth image with a hole and values around these."""
    depth = np.linspace(0.8, 1.2, 4800, dtype=np.float32).reshape(60, 80) * np.float32(metres)
    depth[:10] = np.nan
    depth[10:15] = 0
    return depth


UNITS = [
    # encoding, median as if the message were as REP 118 says, likely unit
    pytest.param("32FC1", 4.0, "", id="metres"),
    pytest.param("16UC1", 4.0, "", id="millimetres"),
    pytest.param("32FC1", 4000.0, "must be in metres .* probably in millimetres", id="mm floats"),
    pytest.param("32FC1", 60.0, "", id="a large room"),
    pytest.param("32FC1", 0.004, "probably in kilometres", id="km"),
    pytest.param("16UC1", 0.004, "in millimetres .* in metres or centimetres", id="whole metres"),
    pytest.param("16UC1", 40.0, "probably in tenths of a millimetre", id="0.1 mm"),
    pytest.param("16UC1", np.nan, "", id="nothing is known"),
]


@pytest.mark.parametrize(("encoding", "metres", "problem"), UNITS)
def test_the_likely_unit_is_named(encoding, metres, problem):
    found = unit_problem(encoding, scene(metres), 20.0)
    assert bool(found) == bool(problem)
    assert re.search(problem, found)


TOPICS = [
    pytest.param("auto", "/camera/image_rect", True, id="image_rect"),
    pytest.param("auto", "/camera/image_rect_color/compressed", True, id="a transport of it"),
    pytest.param("auto", "/camera/image_raw", False, id="image_raw"),
    pytest.param("auto", "/image_rect_node/image_raw", True, id="a namespace of that name"),
    pytest.param("auto", "/camera/my_image_rect", False, id="not at the beginning"),
    pytest.param("true", "/camera/image_raw", True, id="set"),
    pytest.param("false", "/camera/image_rect", False, id="set to false"),
]


@pytest.mark.parametrize(("setting", "topic", "expected"), TOPICS)
def test_rectified_images_have_a_topic_of_that_name(setting, topic, expected):
    assert is_rectified(setting, topic) == expected


CLOCKS = [
    # stamp, now, maximum age
    pytest.param(1000.0, 1000.2, 0.0, "", id="the same clock"),
    pytest.param(10.0, 1.7e9, 0.0, "", id="a bag"),
    pytest.param(1.7e9, 0.0, 0.0, "", id="no clock yet"),
    pytest.param(10.0, 1.7e9, 1.0, "behind the node's clock", id="a bag with a maximum age"),
    pytest.param(1.7e9, 10.0, 0.0, "ahead of the node's clock", id="simulated time"),
    pytest.param(1010.0, 1000.0, 0.0, "are 10.0 s ahead of", id="a camera that is ahead"),
]


@pytest.mark.parametrize(("stamp_s", "now_s", "max_age_s", "problem"), CLOCKS)
def test_stamps_of_another_clock_are_reported(stamp_s, now_s, max_age_s, problem):
    found = clock_problem(stamp_s, now_s, max_age_s)
    assert (problem in found) if problem else found == ""


def test_several_publishers_are_named():
    assert publishers_problem("/image", ["/a"]) == publishers_problem("/image", []) == ""
    assert publishers_problem("/image", ["/b", "/a"]) == "/image has 2 publishers: /a, /b"
