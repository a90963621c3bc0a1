"""Image conversion: every encoding with pixels calculated by hand, and invalid messages."""

from __future__ import annotations

import sys
import types
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs", reason="sensor_msgs does not import: no ROS 2 environment")

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from poseflow_ros.imaging.ros_image import ImageError, to_rgb
from poseflow_ros.ros.inputs.images import to_message

RED, GREEN, BLUE = [255, 0, 0], [0, 255, 0], [0, 0, 255]
BLACK, GREY, WHITE = [0, 0, 0], [128, 128, 128], [255, 255, 255]


def raw(encoding, width, height, data, *, step, big=0):
    return Image(
        encoding=encoding, width=width, height=height, step=step, data=data, is_bigendian=big
    )


def from_rows(encoding, width, height, rows, *, padding=0, last=True, big=0):
    """Make a message of rows of bytes, each but perhaps the last followed by padding of 0xAA."""
    filler = b"\xaa" * padding
    data = filler.join(rows) + (filler if last else b"")
    return raw(encoding, width, height, data, step=len(rows[0]) + padding, big=big)


def refusal(message):
    with pytest.raises(ImageError) as caught:
        to_rgb(message)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert "allowed" in text or "install" in text
    return text


# --- Raw images, by hand. Y U V of the colour bars of BT.601 (16 to 235): red 81 90 240,
# green 145 54 34, blue 41 240 110, black 16 128 128, white 235 128 128.

PIXELS = [
    # encoding, width, height, is_bigendian, rows, expected RGB, tolerance
    ("rgb8", 2, 2, 0, [(1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12)],
     [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]], 0),
    ("bgr8", 2, 2, 0, [(1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12)],
     [[[3, 2, 1], [6, 5, 4]], [[9, 8, 7], [12, 11, 10]]], 0),
    ("rgba8", 2, 2, 0, [(1, 2, 3, 99, 4, 5, 6, 0), (7, 8, 9, 255, 10, 11, 12, 1)],
     [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]], 0),
    ("bgra8", 2, 2, 0, [(1, 2, 3, 99, 4, 5, 6, 0), (7, 8, 9, 255, 10, 11, 12, 1)],
     [[[3, 2, 1], [6, 5, 4]], [[9, 8, 7], [12, 11, 10]]], 0),
    ("mono8", 3, 2, 0, [(0, 128, 255), (255, 0, 128)],
     [[BLACK, GREY, WHITE], [WHITE, BLACK, GREY]], 0),
    # 128 / 257 = 0.498 rounds down, 129 / 257 = 0.502 up; 0x8000 / 257 = 127.502 up.
    ("mono16", 5, 2, 0, [(0, 0, 128, 0, 129, 0, 0, 128, 255, 255), (128, 0) * 5],
     [[BLACK, BLACK, [1, 1, 1], GREY, WHITE], [BLACK] * 5], 0),
    ("mono16", 5, 2, 1, [(0, 0, 0, 128, 0, 129, 128, 0, 255, 255), (0, 128) * 5],
     [[BLACK, BLACK, [1, 1, 1], GREY, WHITE], [BLACK] * 5], 0),
    *[(name, 2, 4, 0, [(90, 81, 240, 81), (54, 145, 34, 145), (240, 41, 110, 41),
                       (128, 16, 128, 235)],
       [[RED, RED], [GREEN, GREEN], [BLUE, BLUE], [BLACK, WHITE]], 2)
      for name in ("uyvy", "yuv422")],
    *[(name, 2, 4, 0, [(81, 90, 81, 240), (145, 54, 145, 34), (41, 240, 41, 110),
                       (16, 128, 235, 128)],
       [[RED, RED], [GREEN, GREEN], [BLUE, BLUE], [BLACK, WHITE]], 2)
      for name in ("yuyv", "yuv422_yuy2")],
    ("nv12", 4, 4, 0, [(81, 81, 145, 145), (81, 81, 145, 145), (41, 41, 16, 235),
                       (41, 41, 16, 235), (90, 240, 54, 34), (240, 110, 128, 128)],
     [[RED, RED, GREEN, GREEN]] * 2 + [[BLUE, BLUE, BLACK, WHITE]] * 2, 2),
    ("nv21", 4, 4, 0, [(81, 81, 145, 145), (81, 81, 145, 145), (41, 41, 16, 235),
                       (41, 41, 16, 235), (240, 90, 34, 54), (110, 240, 128, 128)],
     [[RED, RED, GREEN, GREEN]] * 2 + [[BLUE, BLUE, BLACK, WHITE]] * 2, 2),
]  # fmt: skip
LAYOUTS = [
    pytest.param(0, True, id="no padding"),
    pytest.param(1, True, id="an odd step"),
    pytest.param(24, True, id="a step of whole pixels"),
    pytest.param(7, False, id="no padding after the last row"),
]


@pytest.mark.parametrize(("padding", "last"), LAYOUTS)
@pytest.mark.parametrize(
    ("encoding", "width", "height", "big", "rows", "expected", "tolerance"),
    PIXELS,
    ids=[f"{case[0]}{' big-endian' * case[3]}" for case in PIXELS],
)
def test_pixels(encoding, width, height, big, rows, expected, tolerance, padding, last):
    rows = [bytes(row) for row in rows]
    message = from_rows(encoding, width, height, rows, padding=padding, last=last, big=big)
    rgb = to_rgb(message)
    assert rgb.dtype == np.uint8
    np.testing.assert_allclose(rgb.astype(int), expected, rtol=0, atol=tolerance)


def mosaic(order, depth=np.uint8):
    """Red, green and blue areas, each 6 x 6, seen through a Bayer filter: rows of bytes."""
    scene = np.repeat(np.array([[RED, GREEN, BLUE]], depth), 6, axis=1).repeat(6, axis=0)
    seen = np.zeros(scene.shape[:2], depth)
    for place, colour in enumerate(order):
        y, x = divmod(place, 2)
        seen[y::2, x::2] = scene[y::2, x::2, "rgb".index(colour)]
    return seen


@pytest.mark.parametrize(("padding", "last"), LAYOUTS[::3])
@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer(order, padding, last):
    rows = [row.tobytes() for row in mosaic(order)]
    rgb = to_rgb(from_rows(f"bayer_{order}8", 18, 6, rows, padding=padding, last=last))
    assert rgb.shape == (6, 18, 3)
    # Away from the edges of an area, all that is interpolated is of one colour.
    for left, colour in ((0, RED), (6, GREEN), (12, BLUE)):
        assert (rgb[2:4, left + 2 : left + 4] == colour).all()


def test_mono16_rounds_every_value():
    values = np.arange(65536).reshape(256, 256)
    rows = [row.tobytes() for row in values.astype("<u2")]
    # Half of 257 is no whole number, so there are no ties.
    np.testing.assert_array_equal(to_rgb(from_rows("mono16", 256, 256, rows))[:, :, 1],
                                  (values + 128) // 257)  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "pixel_bytes"),
    [
        ("rgb8", 3), ("bgr8", 3), ("rgba8", 4), ("bgra8", 4), ("mono8", 1),
        ("uyvy", 2), ("yuv422", 2), ("yuyv", 2), ("yuv422_yuy2", 2),
        ("bayer_rggb8", 1), ("bayer_bggr8", 1), ("bayer_gbrg8", 1), ("bayer_grbg8", 1),
    ],
)  # fmt: skip
def test_agrees_with_rosbags_image(encoding, pixel_bytes):
    rosbags_image = pytest.importorskip("rosbags.image")
    data = np.random.default_rng(0).integers(0, 256, 6 * 8 * pixel_bytes, np.uint8).tobytes()
    message = raw(encoding, 8, 6, data, step=8 * pixel_bytes)
    expected = rosbags_image.message_to_cvimage(message, "rgb8")
    np.testing.assert_array_equal(to_rgb(message), expected)


@pytest.mark.parametrize(("padding", "last"), LAYOUTS)
def test_rgb8_is_not_copied(padding, last):
    message = from_rows("rgb8", 2, 2, [bytes(6)] * 2, padding=padding, last=last)
    rgb = to_rgb(message)
    assert np.shares_memory(rgb, np.frombuffer(message.data, np.uint8))
    message.data[3] = 77
    assert rgb[0, 1, 0] == 77


def test_bgr8_does_not_modify_the_message():
    message = from_rows("bgr8", 2, 1, [b"\1\2\3\4\5\6"])
    rgb = to_rgb(message)
    assert not np.shares_memory(rgb, np.frombuffer(message.data, np.uint8))
    assert bytes(message.data) == b"\1\2\3\4\5\6"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_data_of_other_types_is_accepted(kind):
    # Outside of rclpy, as in a reader of bags, data need not be an array.
    message = types.SimpleNamespace(
        encoding="rgb8", width=1, height=2, step=4, is_bigendian=0, data=kind(b"\1\2\3\0\4\5\6\0")
    )
    assert to_rgb(message).tolist() == [[[1, 2, 3]], [[4, 5, 6]]]


# --- Raw images that are refused.

MANY = 2**32 - 1
REFUSED = [
    # case, encoding, width, height, step, bytes of data, what the text has to say
    ("no columns", "rgb8", 0, 4, 12, 48, "size is 0 x 4 pixels; allowed for rgb8: 1 x 1 or more"),
    ("no rows", "rgb8", 4, 0, 12, 0, "size is 4 x 0 pixels"),
    ("no size at all, semi-planar", "nv12", 0, 0, 0, 0, "size is 0 x 0 pixels"),
    ("no size at all, 16 bit", "rgb16", 0, 0, 0, 0, "size is 0 x 0 pixels"),
    ("a step that is too small", "bgr8", 4, 2, 11, 24, "step is 11 bytes; allowed for 4 bgr8 "
     "pixels: >= 12"),
    ("a step of zero", "mono8", 4, 2, 0, 8, "step is 0 bytes"),
    ("a step that is too small, 16 bit", "rgb16", 4, 2, 12, 24, "step is 12 bytes; allowed for 4 "
     "rgb16 pixels: >= 24"),
    ("no data", "rgb8", 4, 2, 12, 0, "data has 0 bytes; allowed for 4 x 2 rgb8 pixels with step "
     "12: 24 to 24"),
    ("a byte too few", "rgb8", 4, 2, 12, 23, "data has 23 bytes"),
    ("a byte too many", "rgb8", 4, 2, 12, 25, "data has 25 bytes"),
    ("a cut last row", "rgb8", 4, 2, 16, 27, "data has 27 bytes; allowed for 4 x 2 rgb8 pixels "
     "with step 16: 28 to 32"),
    ("a byte too many after padding", "rgb8", 4, 2, 16, 33, "data has 33 bytes"),
    ("a byte too few, 16 bit", "bgra16", 4, 2, 32, 63, "data has 63 bytes"),
    ("brightness without colour", "nv21", 4, 4, 4, 16, "data has 16 bytes; allowed for 4 x 4 nv21 "
     "pixels with step 4: 24 to 24"),
    ("an odd width of packed pairs", "uyvy", 3, 2, 6, 12, "size is 3 x 2 pixels; allowed for "
     "uyvy: an even width"),
    ("an odd width, by the old name", "yuv422", 3, 2, 6, 12, "an even width"),
    ("an odd width, the other order", "yuyv", 3, 2, 6, 12, "an even width"),
    ("an odd width, its old name", "yuv422_yuy2", 3, 2, 6, 12, "an even width"),
    ("an odd width of 4:2:0", "nv12", 3, 2, 4, 12, "size is 3 x 2 pixels; allowed for nv12: "
     "an even width"),
    ("an odd height of 4:2:0", "nv21", 4, 3, 4, 18, "size is 4 x 3 pixels; allowed for nv21: "
     "an even height"),
    ("too small to interpolate", "bayer_rggb8", 2, 8, 2, 16, "size is 2 x 8 pixels; allowed for "
     "bayer_rggb8: 3 x 3 or more"),
    ("too small to interpolate, 16 bit", "bayer_grbg16", 8, 2, 16, 32, "size is 8 x 2 pixels"),
    ("huge, all sizes agreeing", "rgb8", MANY // 3, MANY, MANY, 12, "data has 12 bytes"),
    ("huge, more bytes than 2**32", "rgba8", MANY, MANY, MANY, 12, f"step is {MANY} bytes"),
    ("huge and 16 bit", "rgb16", MANY // 6, MANY, MANY, 12, "data has 12 bytes"),
    ("huge and semi-planar", "nv12", 2**31, 2**31, 2**31, 12, "data has 12 bytes"),
    ("depth in millimetres", "16UC1", 4, 2, 8, 16, "encoding '16UC1'"),
    ("depth in metres", "32FC1", 4, 2, 16, 32, "encoding '32FC1'"),
    ("three channels of no named colour", "8UC3", 4, 2, 12, 24, "encoding '8UC3'"),
    ("floats of no named colour", "32FC3", 4, 2, 48, 96, "encoding '32FC3'"),
    ("one channel of no named colour", "8UC1", 4, 2, 4, 8, "encoding '8UC1'"),
    ("4:4:4", "nv24", 4, 2, 4, 24, "encoding 'nv24'"),
    ("an unknown encoding", "rgb9", 4, 2, 12, 24, "allowed: rgb8, bgr8, rgba8"),
    ("an encoding in capitals", "RGB8", 4, 2, 12, 24, "encoding 'RGB8'"),
    ("no encoding", "", 4, 2, 12, 24, "encoding ''"),
    ("an encoding of two lines", "rgb8\n", 4, 2, 12, 24, r"encoding 'rgb8\n'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "width", "height", "step", "length", "says"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_invalid_messages_are_rejected(encoding, width, height, step, length, says):
    assert says in refusal(raw(encoding, width, height, bytes(length), step=step))


def test_unknown_encoding_is_rejected_with_the_known_ones():
    text = refusal(raw("rgb9", 1, 1, bytes(3), step=3))
    for known in ("rgb8", "mono16", "yuv422_yuy2", "nv21", "bayer_grbg8", "rgba16", "bgr16"):
        assert known in text


PIXEL_BYTES = {
    "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "mono16": 2,
    "uyvy": 2, "yuv422": 2, "yuyv": 2, "yuv422_yuy2": 2, "nv12": 1, "nv21": 1,
    "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1,
    "rgb16": 6, "bgra16": 8, "bayer_rggb16": 2, "8UC3": 3, "16UC1": 2, "32FC1": 4,
}  # fmt: skip
SIZES = st.integers(0, 9)
MOSTLY_ZERO = st.sampled_from([0, 0, 0, 0, 0, 0, -3, -1, 1, 2])


@settings(max_examples=500, deadline=None)
@given(
    encoding=st.sampled_from(sorted(PIXEL_BYTES)),
    width=SIZES,
    height=SIZES,
    padding=MOSTLY_ZERO,
    surplus=MOSTLY_ZERO,
    big=st.integers(0, 1),
)
def test_random_messages_give_an_image_or_an_image_error(
    encoding, width, height, padding, surplus, big
):
    step = max(0, width * PIXEL_BYTES.get(encoding, 3) + padding)
    rows = height * 3 // 2 if encoding in ("nv12", "nv21") else height
    data = bytes(max(0, step * rows + surplus))
    try:
        rgb = to_rgb(raw(encoding, width, height, data, step=step, big=big))
    except ImageError:
        return
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.uint8


@settings(max_examples=300, deadline=None)
@given(
    encoding=st.sampled_from(sorted(PIXEL_BYTES)) | st.text(max_size=8),
    sizes=st.tuples(*[SIZES | st.integers(0, MANY)] * 3),
    length=st.integers(0, 400),
)
def test_sizes_that_do_not_match_the_data_are_rejected(encoding, sizes, length):
    width, height, step = sizes
    try:
        rgb = to_rgb(raw(encoding, width, height, bytes(length), step=step))
    except ImageError:
        return
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.uint8


# --- 16-bit colours: cv_bridge, rosbags-image, neither.

# 257 * k + 100 is k whether it is rounded or cut.
DEEP = [
    ("rgb16", [1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]),
    ("bgr16", [1, 2, 3, 4, 5, 6], [[3, 2, 1], [6, 5, 4]]),
    ("rgba16", [1, 2, 3, 9, 4, 5, 6, 9], [[1, 2, 3], [4, 5, 6]]),
    ("bgra16", [1, 2, 3, 9, 4, 5, 6, 9], [[3, 2, 1], [6, 5, 4]]),
]


@pytest.mark.parametrize("order", ["<u2", ">u2"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize(("padding", "last"), LAYOUTS[::3])
@pytest.mark.parametrize(("encoding", "values", "expected"), DEEP, ids=[c[0] for c in DEEP])
def test_deep_colours(monkeypatch, encoding, values, expected, padding, last, order):
    pytest.importorskip("rosbags.image")
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    row = (np.array(values) * 257 + 100).astype(order).tobytes()
    message = from_rows(
        encoding, 2, 2, [row, row], padding=padding, last=last, big=int(order == ">u2")
    )
    assert to_rgb(message).tolist() == [expected, expected]


@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
def test_deep_bayer(monkeypatch, order):
    pytest.importorskip("rosbags.image")
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    rows = [row.tobytes() for row in mosaic(order, np.dtype("<u2")) * 257]
    rgb = to_rgb(from_rows(f"bayer_{order}16", 18, 6, rows, padding=3))
    for left, colour in ((0, RED), (6, GREEN), (12, BLUE)):
        assert (rgb[2:4, left + 2 : left + 4] == colour).all()


def bridge(convert):
    """Make a module like cv_bridge."""
    module = types.ModuleType("cv_bridge")
    module.CvBridge = lambda: types.SimpleNamespace(imgmsg_to_cv2=convert)
    return module


def test_cv_bridge_is_preferred_and_gets_packed_native_rows(monkeypatch):
    seen = []

    def convert(message, encoding):
        seen.append((message, encoding))
        return np.full((2, 1, 3), 7, np.uint8)

    monkeypatch.setitem(sys.modules, "cv_bridge", bridge(convert))
    rows = [bytes((0, 1, 0, 2, 0, 3)), bytes((0, 4, 0, 5, 0, 6))]
    assert to_rgb(from_rows("rgb16", 1, 2, rows, padding=5, big=1)).tolist() == [[[7] * 3]] * 2
    [(message, encoding)] = seen
    assert encoding == "rgb8"
    assert (message.encoding, message.width, message.height) == ("rgb16", 1, 2)
    assert (message.step, bool(message.is_bigendian)) == (6, sys.byteorder == "big")
    assert np.frombuffer(message.data, np.uint16).tolist() == [1, 2, 3, 4, 5, 6]


def test_broken_cv_bridge_falls_back_to_rosbags_image(monkeypatch):
    pytest.importorskip("rosbags.image")

    def convert(message, encoding):
        raise SystemError("initialization of cv_bridge_boost raised unreported exception")

    monkeypatch.setitem(sys.modules, "cv_bridge", bridge(convert))
    assert to_rgb(from_rows("rgb16", 1, 1, [b"\xff" * 6])).tolist() == [[WHITE]]


def test_missing_cv_bridge_and_rosbags_image_are_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    monkeypatch.setitem(sys.modules, "rosbags.image", None)
    text = refusal(from_rows("bayer_rggb16", 4, 4, [bytes(8)] * 4))
    for part in ("'bayer_rggb16'", "ros-$ROS_DISTRO-cv-bridge", "pip install rosbags-image"):
        assert part in text


def test_multiline_error_is_reported_in_one_line(monkeypatch):
    def convert(message, encoding):
        raise TypeError("first line\nsecond line")

    monkeypatch.setitem(sys.modules, "cv_bridge", bridge(convert))
    monkeypatch.setitem(sys.modules, "rosbags.image", None)
    assert "TypeError: first line;" in refusal(from_rows("rgb16", 1, 1, [bytes(6)]))


# --- Compressed images. cv2.imencode takes BGR.

AREAS = np.repeat(np.array([[RED, GREEN, BLUE]], np.uint8), 16, axis=1).repeat(24, axis=0)
JPEG = cv2.imencode(".jpg", AREAS[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", AREAS[:, :, ::-1], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]
PNG = cv2.imencode(".png", AREAS[:, :, ::-1])[1].tobytes()


def compressed(data, form="jpeg"):
    return CompressedImage(format=form, data=data)


def app1(content):
    """Put an APP1 segment behind the first two bytes of the JPEG."""
    return JPEG[:2] + b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content + JPEG[2:]


def check_areas(rgb):
    assert rgb.shape == (24, 48, 3)
    assert rgb.dtype == np.uint8
    for left, colour in ((0, RED), (16, GREEN), (32, BLUE)):
        # Colour is stored for 2 x 2 pixels in blocks of 16 x 16: 6 leaves room for rounding.
        assert np.abs(rgb[4:20, left + 4 : left + 12].astype(int) - colour).max() <= 6


@pytest.mark.parametrize("form", ["jpeg", "", "png", "bayer_rggb8; jpeg compressed mono8"])
@pytest.mark.parametrize("data", [JPEG, PNG, PROGRESSIVE.tobytes()], ids=["JPEG", "PNG", "scans"])
def test_compressed_images_are_decoded_with_any_format_string(data, form):
    check_areas(to_rgb(compressed(data, form)))


def test_png_is_exact():
    np.testing.assert_array_equal(to_rgb(compressed(PNG, "png")), AREAS)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        pytest.param(np.array([[0, 128]], np.uint8), [[BLACK, GREY]], id="grey"),
        pytest.param(np.array([[0, 0x80FF]], np.uint16), [[BLACK, GREY]], id="grey of 16 bits"),
        pytest.param(np.array([[[0, 0, 255, 9]] * 2], np.uint8), [[RED, RED]], id="with alpha"),
        pytest.param(
            np.array([[[65535, 0, 0]] * 2], np.uint16), [[BLUE, BLUE]], id="colour of 16 bits"
        ),
    ],
)
def test_other_png_types_are_decoded(pixels, expected):
    png = cv2.imencode(".png", pixels)[1].tobytes()
    assert np.abs(to_rgb(compressed(png, "png")).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("data", [JPEG, PNG], ids=["JPEG", "PNG"])
@pytest.mark.parametrize("trailer", [b"\0" * 64, b"\xff" * 3, b"\r\n"])
def test_trailing_padding_is_ignored(data, trailer):
    check_areas(to_rgb(compressed(data + trailer)))


def test_exif_orientation_is_ignored():
    # TIFF header, one entry: tag 0x0112 (orientation), SHORT, one value: 6, a quarter turn.
    entry = b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    turned = app1(b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + b"\0\0\0\0")
    # Not ignored, it would rotate the image: the test would show nothing otherwise.
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (48, 24, 3)
    check_areas(to_rgb(compressed(turned)))


def test_end_marker_of_a_thumbnail_is_not_the_end():
    whole = app1(b"Exif\0\0" + JPEG)
    check_areas(to_rgb(compressed(whole)))
    scan = whole.rindex(b"\xff\xda")
    assert f"{scan + 40} bytes" in refusal(compressed(whole[: scan + 40]))
    # Cut before its own scan begins, it has the marks of the thumbnail, but no image.
    assert f"truncated or damaged, {scan} bytes" in refusal(compressed(whole[:scan]))


def lossless(ending):
    return cv2.imencode(ending, AREAS[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()


WEBP, TIFF = lossless(".webp"), lossless(".tiff")


@pytest.mark.parametrize(
    ("data", "form"),
    [
        pytest.param(WEBP, "webp", id="WebP"),
        pytest.param(TIFF, "rgb8; tiff compressed bgr8", id="TIFF"),
        pytest.param(TIFF, "", id="TIFF without a format"),
    ],
)
def test_webp_and_tiff_are_decoded(data, form):
    np.testing.assert_array_equal(to_rgb(compressed(data, form)), AREAS)


@pytest.mark.parametrize("data", [WEBP, TIFF], ids=["WebP", "TIFF"])
def test_webp_and_tiff_cut_off_anywhere_are_refused(data):
    for length in range(12, len(data), max(1, len(data) // 40)):
        assert f"truncated or damaged, {length} bytes" in refusal(
            compressed(data[:length], "webp")
        )


# --- 16-bit images that use fewer bits.


def ten_bits(values):
    """Return the range of 10 bits, as the function that `to_rgb` takes."""
    return 0.0, 1023.0


@pytest.mark.parametrize("encoding", ["mono16", "png", "tiff"])
def test_a_range_of_16_bit_values_becomes_black_to_white(encoding):
    values = np.array([[0, 511, 1023, 65535]], np.uint16)
    if encoding == "mono16":
        message = from_rows("mono16", 4, 1, [values.tobytes()])
    else:
        message = compressed(cv2.imencode(f".{encoding}", values)[1].tobytes(), encoding)
    assert to_rgb(message, ten_bits)[0].tolist() == [BLACK, [127] * 3, WHITE, WHITE]


def test_values_below_the_range_are_black():
    values = np.array([[0, 99, 100, 160, 200]], np.uint16)
    rgb = to_rgb(from_rows("mono16", 5, 1, [values.tobytes()]), lambda _: (100.0, 200.0))
    assert rgb[0, :, 0].tolist() == [0, 0, 0, 153, 255]


def test_deep_colors_of_ten_bits(monkeypatch):
    pytest.importorskip("rosbags.image")
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    row = np.array([1023, 0, 0, 0, 0, 1023], np.uint16).tobytes()
    assert to_rgb(from_rows("rgb16", 2, 1, [row]), ten_bits).tolist() == [[RED, BLUE]]


@pytest.mark.parametrize("data", [JPEG, PNG, PROGRESSIVE.tobytes()], ids=["JPEG", "PNG", "scans"])
def test_truncated_image_is_rejected(data):
    # From the first byte after the magic numbers to all but the last; a JPEG in one scan may lack
    # its end marker.
    end = len(data) - 2 * (data is JPEG)
    for length in [*range(8, end, 7), *range(end - 16, end)]:
        text = refusal(compressed(data[:length]))
        assert f"{length} bytes" in text
        assert "'jpeg'" in text


def encoded(quality=90, **options):
    """Return a JPEG of 320 x 240 pixels with fine structures."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    image = cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
    for name, value in options.items():
        parameters += [getattr(cv2, f"IMWRITE_JPEG_{name.upper()}"), value]
    return cv2.imencode(".jpg", image, parameters)[1].tobytes()


KINDS = {
    "baseline": encoded(),
    "progressive": encoded(progressive=1),
    "restart markers": encoded(rst_interval=4),
    "optimized": encoded(optimize=1),
    "4:4:4": encoded(sampling_factor=cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_jpeg_cut_off_is_refused_although_it_ends_with_the_end_marker(kind, share):
    data = KINDS[kind]
    cut = data[: int(share * len(data))] + b"\xff\xd9"
    assert "Corrupt JPEG data" in refusal(compressed(cut))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
@pytest.mark.parametrize("trailer", [b"", b"\0" * 4096], ids=["nothing", "zeros"])
def test_a_jpeg_without_its_end_marker_is_decoded(kind, trailer):
    data = KINDS[kind]
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    np.testing.assert_array_equal(to_rgb(compressed(data[:-2] + trailer)), expected)


def test_bytes_before_the_end_marker_are_harmless():
    data = KINDS["4:4:4"]
    expected = to_rgb(compressed(data))
    np.testing.assert_array_equal(to_rgb(compressed(data[:-2] + b"\0\0\0\xff\xd9")), expected)


def png_chunk(kind, content):
    body = kind + content
    return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


REFUSED_FILES = [
    ("no data", b"", "rgb8; jpeg compressed bgr8", "has no data"),
    ("unknown bytes", b"GIF89a\1\0\1\0", "gif", "begins with 47 49 46 38 39 61 01 00"),
    ("one byte", b"\xff", "jpeg", "begins with ff;"),
    ("a TIFF without content", b"II*\0\x08\0\0\0", "rgb8; tiff compressed ", "damaged, 8 bytes"),
    ("a WAV file", b"RIFF\4\0\0\0WAVE", "webp", "begins with 52 49 46 46"),
    ("compressed depth", bytes(12) + PNG, "16UC1; compressedDepth png", "a depth or Bayer"),
    ("compressed depth without header", PNG, "32FC1; compressedDepth", "a depth or Bayer"),
    ("depth as it was in a PNG", PNG, "16UC1; png compressed ", "a depth or Bayer"),
    ("a Bayer mosaic in a PNG", PNG, "bayer_rggb8; png compressed ", "or Bayer image"),
    ("a JPEG without content", b"\xff\xd8\xff\xe0", "jpeg", "truncated or damaged, 4 bytes"),
    ("a JPEG without a scan", b"\xff\xd8\xff\xd9", "jpeg", "truncated or damaged, 4 bytes"),
    ("a PNG without content", PNG[:8], "png", "truncated or damaged, 8 bytes"),
    ("a PNG with a wrong checksum", PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], "png", "damaged"),
    # OpenCV 5 would allocate 4 GB.
    ("a PNG with a chunk longer than itself", PNG[:33] + b"\xff" * 4 + PNG[37:], "png", "damaged"),
    ("a PNG without pixels", PNG[:33] + png_chunk(b"IEND", b""), "png", "damaged"),
    ("more pixels than OpenCV allows",
     PNG[:8] + png_chunk(b"IHDR", b"\0\x0f\x42\x40" * 2 + b"\x08\2\0\0\0") + PNG[33:], "png",
     "damaged"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "form", "says"), [c[1:] for c in REFUSED_FILES], ids=[c[0] for c in REFUSED_FILES]
)
def test_invalid_compressed_images_are_rejected(data, form, says):
    text = refusal(compressed(data, form))
    assert says in text
    assert repr(form) in text


@settings(max_examples=200, deadline=None)
@given(data=st.data(), file=st.sampled_from([JPEG, PNG]))
def test_damage_gives_an_image_or_an_image_error(data, file):
    # Past the sizes in the header, for which OpenCV would allocate gigabytes.
    place = data.draw(st.integers(180 if file is JPEG else 33, len(file) - 1))
    broken = file[:place] + data.draw(st.binary(max_size=12)) + file[place + 3 :]
    try:
        rgb = to_rgb(compressed(broken))
    except ImageError:
        return
    assert rgb.shape[2] == 3
    assert rgb.dtype == np.uint8


# --- To messages.

RAMP = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(RAMP, id="contiguous"),
        pytest.param(RAMP[1:3, 2:5], id="a part"),
        pytest.param(RAMP[:, :, ::-1], id="channels swapped"),
        pytest.param(RAMP.transpose(1, 0, 2), id="transposed"),
        pytest.param(RAMP[:1, :2], id="two pixels"),
    ],
)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_to_message(image, encoding):
    header = Header(frame_id="camera")
    header.stamp.sec = 12
    message = to_message(image, header, encoding)
    assert message.header == header
    assert (message.height, message.width) == image.shape[:2]
    assert (message.encoding, message.step, message.is_bigendian) == (
        encoding,
        3 * image.shape[1],
        0,
    )
    assert bytes(message.data) == image.tobytes()
    expected = image if encoding == "rgb8" else image[:, :, ::-1]
    np.testing.assert_array_equal(to_rgb(message), expected)


def test_messages_share_no_data():
    first, second = to_message(RAMP, Header()), to_message(RAMP, Header())
    first.data[0] = 99
    assert second.data[0] == RAMP[0, 0, 0] == 0


@pytest.mark.parametrize(
    ("image", "encoding", "says"),
    [
        pytest.param(RAMP, "mono8", "rgb8 or bgr8, got 'mono8'", id="another encoding"),
        pytest.param(RAMP[:, :, 0], "rgb8", "(4, 6) uint8", id="grey"),
        pytest.param(RAMP[:, :, :2], "rgb8", "(4, 6, 2) uint8", id="two channels"),
        pytest.param(RAMP[None], "rgb8", "(1, 4, 6, 3) uint8", id="a batch"),
        pytest.param(RAMP / 255, "rgb8", "(4, 6, 3) float64", id="floats"),
        pytest.param(RAMP[:0], "rgb8", "(0, 6, 3) uint8", id="no rows"),
    ],
)
def test_to_message_refuses(image, encoding, says):
    with pytest.raises(ValueError) as caught:
        to_message(image, Header(), encoding)
    assert says in str(caught.value)
