"""Image sources and the video writer."""

import cv2
import numpy as np
import psutil
import pytest

from poseflow_ros.imaging.video import VideoError, VideoWriter, open_source

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def patches(*colors, size=(48, 64)):
    """Return an RGB image of equally wide upright bars."""
    image = np.zeros((*size, 3), np.uint8)
    for bar, color in zip(np.array_split(image, len(colors), axis=1), colors, strict=True):
        bar[:] = color
    return image


def save(path, image):
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), image[:, :, ::-1])


def film(path, images, rate_hz=10.0):
    with VideoWriter(path, rate_hz) as writer:
        for image in images:
            writer.write(image)
    return path


def test_a_written_video_is_read_back(tmp_path):
    order = [(RED, GREEN, BLUE), (GREEN, BLUE, RED), (BLUE, RED, GREEN)] * 2
    source = open_source(str(film(tmp_path / "v.mp4", [patches(*colors) for colors in order])))
    assert (source.n_frames, source.rate_hz) == (6, 10.0)
    read = list(source)
    assert [stamp_s for _, stamp_s in read] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    for (image, _), colors in zip(read, order, strict=True):
        assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
        # In the middle of each bar, as near as the compression leaves it.
        np.testing.assert_allclose(image[24, [10, 32, 54]].astype(int), colors, atol=40)


# MPEG-4 has even sides only; OpenCV cuts off the last row and column of odd ones.
@pytest.mark.parametrize(
    ("size", "expected"),
    [((48, 64), (48, 64)), ((130, 16), (130, 16)), ((49, 63), (48, 62))],
    ids=["even", "upright", "odd"],
)
def test_video_keeps_the_image_size(size, expected, tmp_path):
    source = open_source(str(film(tmp_path / "v.mp4", [patches(RED, BLUE, size=size)] * 2)))
    assert [image.shape for image, _ in source] == [(*expected, 3)] * 2


def test_image_of_another_size_raises_an_error(tmp_path):
    with pytest.raises(VideoError, match=r"v\.mp4"):
        film(tmp_path / "v.mp4", [patches(RED), patches(RED, size=(96, 64))])


def test_the_rate_can_be_set(tmp_path):
    path = film(tmp_path / "v.mp4", [patches(RED)] * 3, rate_hz=10.0)
    source = open_source(str(path), rate_hz=4.0)
    assert source.rate_hz == 4.0
    assert [stamp_s for _, stamp_s in source] == [0, 0.25, 0.5]


def test_a_folder_is_read_in_its_natural_order(tmp_path):
    folder = tmp_path / "images"
    for i, color in ((10, BLUE), (2, GREEN), (1, RED)):
        save(folder / f"frame{i}.png", patches(color))
    save(folder / "frame0010b.JPG", patches((255, 255, 255)))
    (folder / "notes.txt").write_text("no image")
    source = open_source(str(folder))
    assert (source.n_frames, source.rate_hz) == (4, 30.0)
    read = list(source)
    assert [tuple(image[0, 0].tolist()) for image, _ in read] == [
        RED, GREEN, BLUE, (255, 255, 255),
    ]  # fmt: skip
    assert [stamp_s for _, stamp_s in read] == pytest.approx([0, 1 / 30, 2 / 30, 3 / 30])


def test_rate_of_a_folder_can_be_set(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / "images" / name, patches(RED))
    source = open_source(str(tmp_path / "images"), rate_hz=2.0)
    assert [stamp_s for _, stamp_s in source] == [0, 0.5]


@pytest.mark.parametrize("channels", ["grey", "alpha", "16 bit"])
def test_every_image_format_is_converted_to_rgb(channels, tmp_path):
    image = {
        "grey": np.full((8, 9), 77, np.uint8),
        "alpha": np.full((8, 9, 4), 77, np.uint8),
        "16 bit": np.full((8, 9, 3), 77 * 257, np.uint16),
    }[channels]
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), image)
    ((read, _),) = open_source(str(tmp_path / "images"))
    assert (read.shape, read.dtype) == ((8, 9, 3), np.uint8)
    assert (read == 77).all()


def nothing(path):
    return path / "missing.mp4"


def empty_folder(path):
    return path


def folder_without_images(path):
    (path / "notes.txt").write_text("no image")
    return path


def text(path):
    (path / "text.mp4").write_text("no video")
    return path / "text.mp4"


def empty_file(path):
    (path / "empty.avi").touch()
    return path / "empty.avi"


def half_a_video(path):
    whole = film(path / "half.mp4", [patches(RED)] * 3)
    whole.write_bytes(whole.read_bytes()[:400])
    return whole


@pytest.mark.parametrize(
    "make", [nothing, empty_folder, folder_without_images, text, empty_file, half_a_video]
)
def test_invalid_source_is_rejected_by_name(make, tmp_path):
    path = make(tmp_path)
    with pytest.raises(VideoError) as caught:
        open_source(str(path))
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert str(path) not in [file.path for file in psutil.Process().open_files()]


def test_unreadable_image_is_reported_when_it_is_reached(tmp_path):
    save(tmp_path / "images" / "a1.png", patches(RED))
    (tmp_path / "images" / "a2.png").write_bytes(b"no image")
    frames = iter(open_source(str(tmp_path / "images")))
    assert next(frames)[0].shape == (48, 64, 3)
    with pytest.raises(VideoError, match=r"a2\.png"):
        next(frames)


@pytest.mark.parametrize("rate_hz", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_invalid_rate_is_rejected(kind, rate_hz, tmp_path):
    save(tmp_path / "images" / "a.png", patches(RED))
    path = tmp_path / "images"
    if kind == "file":
        path = film(tmp_path / "v.mp4", [patches(RED)])
    with pytest.raises(VideoError, match=f"{rate_hz:g}"):
        open_source(str(path), rate_hz)


@pytest.mark.parametrize("where", ["missing/v.mp4", "file/v.mp4", "folder"])
def test_video_that_cannot_be_written_is_reported(where, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(VideoError) as caught:
        film(tmp_path / where, [patches(RED)])
    assert str(tmp_path / where) in str(caught.value)


def test_video_without_images_writes_no_file(tmp_path):
    assert not film(tmp_path / "v.mp4", []).exists()
