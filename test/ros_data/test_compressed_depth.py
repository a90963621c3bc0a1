"""Depth in CompressedImage messages, against encoders written from the formats' descriptions."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs", reason="sensor_msgs does not import: no ROS 2 environment")

from compressed_depth_files import png, quantized, rvl
from sensor_msgs.msg import CompressedImage

from poseflow_ros.imaging.ros_image import ImageError
from poseflow_ros.ros_data.compressed_depth import decode_rvl, depth_pixels

HEADER = bytes(12)
DEPTH = np.array([[0, 0, 1500, 1502], [1499, 0, 0, 65535], [1, 2, 3, 0]], np.uint16)


def message(form, data):
    return CompressedImage(format=form, data=data)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        pytest.param("16UC1; compressedDepth", HEADER + png(DEPTH), id="PNG, the old format"),
        pytest.param("16UC1; compressedDepth png", HEADER + png(DEPTH), id="PNG"),
        pytest.param("16UC1; compressedDepth rvl", HEADER + rvl(DEPTH), id="RVL"),
        pytest.param("mono16; compressedDepth", HEADER + png(DEPTH), id="mono16"),
        pytest.param("16UC1; png compressed ", png(DEPTH), id="PNG without a header"),
    ],
)
def test_millimetres_come_back_exactly(form, data):
    np.testing.assert_array_equal(depth_pixels(message(form, data)), DEPTH)


@pytest.mark.parametrize("kind", ["png", "rvl"])
def test_metres_come_back_within_the_quantization(kind):
    depth = np.array([[0.5, 1.0, 2.5], [4.0, 9.9, np.nan]], np.float32)
    found = depth_pixels(message(f"32FC1; compressedDepth {kind}", quantized(depth, kind)))
    assert found.dtype == np.float32
    # At z a step of the inverse depth is z^2 / (100 * 101) metres.
    known = np.isfinite(depth)
    assert (np.abs(found - depth)[known] <= depth[known] ** 2 / 10100).all()
    assert np.isnan(found[~known]).all()


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
)
def test_rvl_of_any_image_comes_back(height, width, seed, share):
    random = np.random.default_rng(seed)
    image = random.integers(0, 65536, (height, width)).astype(np.uint16)
    image[random.random((height, width)) < share] = 0
    np.testing.assert_array_equal(decode_rvl(rvl(image)), image)


def test_rvl_of_a_whole_image_is_fast_enough():
    y, x = np.mgrid[:480, :640]
    image = (2000 + x + y).astype(np.uint16)
    image[(x // 40 + y // 40) % 2 == 0] = 0
    np.testing.assert_array_equal(decode_rvl(rvl(image)), image)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=60), cut=st.integers(0, 40), place=st.integers(0, 60))
def test_damaged_rvl_gives_an_image_or_an_image_error(data, cut, place):
    whole = rvl(DEPTH)
    broken = (whole[:place] + data + whole[place:])[: len(whole) + len(data) - cut]
    try:
        assert decode_rvl(broken).dtype == np.uint16
    except ImageError as error:
        assert "RVL depth" in str(error)


REFUSED = [
    pytest.param("jpeg", b"\xff\xd8\xff", "format 'jpeg'; allowed: 16UC1; comp", id="a image"),
    pytest.param("bgr8; jpeg compressed bgr8", b"\xff", "allowed: 16UC1", id="colors"),
    pytest.param("16UC1; compressedDepth png", HEADER, "has 12 bytes", id="a header alone"),
    pytest.param("16UC1; compressedDepth png", HEADER + png(DEPTH)[:-9], "no whole", id="cut"),
    pytest.param(
        "16UC1; compressedDepth png",
        HEADER + cv2.imencode(".png", DEPTH.astype(np.uint8))[1].tobytes(),
        "16 bits",
        id="8 bits",
    ),
    pytest.param("16UC1; compressedDepth rvl", HEADER + rvl(DEPTH)[:9], "truncated", id="cut RVL"),
    pytest.param(
        "16UC1; compressedDepth rvl",
        HEADER + struct.pack("<ii", 2**30, 2**30),
        "pixels; allowed",
        id="a size that cannot be",
    ),
    pytest.param("16UC1; compressedDepth rvl", HEADER + b"ab", "has 2 bytes", id="no RVL"),
]


@pytest.mark.parametrize(("form", "data", "text"), REFUSED)
def test_what_is_no_depth_is_named(form, data, text):
    with pytest.raises(ImageError) as caught:
        depth_pixels(message(form, data))
    assert text in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
