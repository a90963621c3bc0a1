"""Folders of images, numbered images and single images."""

import os
import sys

import cv2
import numpy as np
import pytest

from poseflow_ros.imaging.gray_range import GrayRange
from poseflow_ros.imaging.video import VideoError, open_source

SUFFIXES = [".png", ".jpg", ".bmp", ".tif", ".webp", ".pgm", ".ppm", ".pnm", ".jp2"]


def gray(value):
    return np.full((48, 64, 3), value, np.uint8)


def save(path, value):
    """Save a gray image; OpenCV never sees the name."""
    path.parent.mkdir(exist_ok=True)
    image = gray(value) if path.suffix != ".pgm" else gray(value)[:, :, 0]
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def values(source):
    """Return (gray value, stamp) of each image."""
    return [(round(float(image.mean())), stamp_s) for image, stamp_s in source]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_image_is_read_in_a_folder_and_alone(suffix, tmp_path):
    save(tmp_path / "images" / f"a{suffix}", 100)
    assert values(open_source(str(tmp_path / "images"))) == [(100, 0.0)]
    assert values(open_source(str(tmp_path / "images" / f"a{suffix}"))) == [(100, 0.0)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_image_that_is_cut_off_is_refused_by_name(suffix, tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    image = noise if suffix != ".pgm" else noise[:, :, 0]
    data = cv2.imencode(suffix, image)[1].tobytes()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data[: len(data) // 2] + b"\xff\xd9" * (suffix == ".jpg"))
    with pytest.raises(VideoError) as caught:
        open_source(str(path))
    assert f"{path} cannot be read as a whole image" in str(caught.value)
    assert capfd.readouterr().err == ""


def test_hidden_files_and_folders_are_skipped(tmp_path):
    save(tmp_path / "f0.png", 10)
    (tmp_path / "._f0.png").write_bytes(b"\0\5\x16\7 Mac OS X")
    (tmp_path / ".hidden.png").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    assert values(open_source(str(tmp_path))) == [(10, 0.0)]


@pytest.mark.parametrize(
    "name", [b"caf\xe9.png", b"10:11:12.png", b"rtsp:a.png", b"50%d.png", "видео.png".encode()]
)
def test_an_image_that_exists_is_read_whatever_its_name(name, tmp_path):
    save(tmp_path / "images" / os.fsdecode(name), 50)
    assert values(open_source(str(tmp_path / "images"))) == [(50, 0.0)]
    assert values(open_source(str(tmp_path / "images" / os.fsdecode(name)))) == [(50, 0.0)]


TUM = ["1305031102.175304", "1305031102.211214", "1305031103.500000"]
STAMPS = [1305031102.175304, 1305031102.211214, 1305031103.5]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(TUM, id="seconds, as TUM"),
        pytest.param([f"rgb_{name}" for name in TUM], id="seconds after a word"),
        pytest.param([f"{round(s * 1e3)}" for s in STAMPS], id="milliseconds"),
        pytest.param([f"{round(s * 1e6)}" for s in STAMPS], id="microseconds"),
        pytest.param([f"{round(s * 1e9)}" for s in STAMPS], id="nanoseconds, as EuRoC"),
    ],
)
def test_stamps_come_from_the_names(names, tmp_path):
    for value, name in ((30, names[2]), (10, names[0]), (20, names[1])):
        save(tmp_path / f"{name}.png", value)
    source = open_source(str(tmp_path), stamps_from_names=True)
    read = values(source)
    assert [value for value, _ in read] == [10, 20, 30]
    np.testing.assert_allclose([s for _, s in read], STAMPS, rtol=0, atol=6e-4)
    assert source.hint == ""


@pytest.mark.parametrize(
    ("names", "has_hint"),
    [
        pytest.param(TUM, True, id="seconds"),
        pytest.param(["1305031102175304000", "1305031102211214000"], True, id="nanoseconds"),
        pytest.param(["000001", "000002"], False, id="numbers"),
        pytest.param(["20260102", "20260103"], False, id="dates"),
        pytest.param([*TUM, "cover"], False, id="one that is not"),
    ],
)
def test_names_that_look_like_stamps_give_a_hint(names, has_hint, tmp_path):
    for name in names:
        save(tmp_path / f"{name}.png", 10)
    source = open_source(str(tmp_path))
    assert ("--stamps names" in source.hint) == has_hint
    assert [s for _, s in source] == pytest.approx([i / 30 for i in range(len(names))])


@pytest.mark.parametrize(
    ("names", "said"),
    [(["1.5", "cover"], r"cover\.png has no stamp"), (["a1.5", "b1.5"], r"b1\.5\.png has the")],
)
def test_names_without_stamps_are_refused(names, said, tmp_path):
    for name in names:
        save(tmp_path / f"{name}.png", 10)
    with pytest.raises(VideoError, match=said):
        open_source(str(tmp_path), stamps_from_names=True)


def test_stamps_from_names_need_a_folder_and_no_rate(tmp_path):
    save(tmp_path / "1.5.png", 10)
    with pytest.raises(VideoError, match="need a folder of images"):
        open_source(str(tmp_path / "1.5.png"), stamps_from_names=True)
    with pytest.raises(VideoError, match="without a rate"):
        open_source(str(tmp_path), 5.0, stamps_from_names=True)


def test_numbered_images_are_read_in_their_order_and_a_gap_is_time(tmp_path):
    for number in (7, 9, 10, 1234567):
        save(tmp_path / f"img_{number:04d}.png", number % 100)
    save(tmp_path / "img_8.png", 8)  # not four digits
    save(tmp_path / "other_0008.png", 8)
    source = open_source(str(tmp_path / "img_%04d.png"), 10.0)
    assert source.n_frames == 4
    assert values(source) == [(7, 0.0), (9, 0.2), (10, 0.3), (67, pytest.approx(123456.0))]
    source = open_source(str(tmp_path / "img_%d.png"), 10.0)
    assert [value for value, _ in values(source)][:2] == [7, 8]


@pytest.mark.parametrize("pattern", ["no_%04d.png", "missing/%04d.png", "%s.png", "%04d_%04d.png"])
def test_a_pattern_without_images_is_refused_by_name(pattern, tmp_path):
    with pytest.raises(VideoError) as caught:
        open_source(str(tmp_path / pattern))
    assert pattern in str(caught.value)


def test_an_orientation_is_applied(tmp_path):
    jpeg = cv2.imencode(".jpg", gray(90))[1].tobytes()
    # TIFF header, one entry: tag 0x0112 (orientation), SHORT, one value: 6, a quarter turn.
    entry = b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + b"\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    ((image, _),) = open_source(str(tmp_path / "a.jpg"))
    assert image.shape == (64, 48, 3)


def test_a_missing_decoder_of_jpeg_is_named(tmp_path, monkeypatch):
    save(tmp_path / "a.jpg", 10)
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with pytest.raises(VideoError, match="python3 -m pip install simplejpeg"):
        open_source(str(tmp_path / "a.jpg"))


def test_missing_pyav_is_named(tmp_path, monkeypatch):
    (tmp_path / "v.mp4").write_bytes(b"any")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(VideoError, match="python3 -m pip install av"):
        open_source(str(tmp_path / "v.mp4"))


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_16_bit_images_get_the_range_that_is_given(suffix, tmp_path):
    cv2.imwrite(str(tmp_path / f"0{suffix}"), np.array([[100, 150, 200]] * 3, np.uint16))
    ((image, _),) = open_source(str(tmp_path), gray_range=GrayRange((100, 200)))
    assert image[0].tolist() == [[0, 0, 0], [127, 127, 127], [255, 255, 255]]


def test_8_bit_images_do_not_depend_on_the_range(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.array([[10, 20, 30]] * 3, np.uint8))
    ((image, _),) = open_source(str(tmp_path), gray_range=GrayRange((100, 200)))
    assert image[0, :, 0].tolist() == [10, 20, 30]
