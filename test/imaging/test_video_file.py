"""Video files: their own stamps, and whether they are complete."""

import os
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from made_video import encode, made_image, make_avi, make_recording, make_video

from poseflow_ros.imaging.gray_range import GrayRange
from poseflow_ros.imaging.video import (
    IncompleteVideoError,
    VideoError,
    VideoWriter,
    open_source,
)

N = 60
EVEN = [i / 25 for i in range(N)]
CONTAINERS = {
    # id: suffix, codec, options
    "MP4, index first": (".mp4", "libx264", {"options": {"movflags": "faststart"}}),
    "MP4 in fragments": (".mp4", "libx264", {"options": {"movflags": "frag_keyframe+empty_moov"}}),
    "MOV": (".mov", "mpeg4", {"options": {"movflags": "faststart"}}),
    "Matroska": (".mkv", "libx264", {}),
    "Matroska with MJPEG": (".mkv", "mjpeg", {"pixels": "yuvj420p"}),
    "WebM": (".webm", "libvpx", {}),
    "AVI": (".avi", "mpeg4", {}),
    "AVI with MJPEG": (".avi", "mjpeg", {"pixels": "yuvj420p"}),
    "MPEG-TS": (".ts", "libx264", {}),
    "MPEG-PS": (".mpg", "mpeg2video", {}),
    "FLV": (".flv", "flv", {}),
    "GIF": (".gif", "gif", {"pixels": "rgb8"}),
    "ASF": (".wmv", "wmv2", {}),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A function that returns the path of a complete video in a container, made once."""
    folder, made = tmp_path_factory.mktemp("whole"), {}

    def get(name):
        if name not in made:
            suffix, codec, options = CONTAINERS[name]
            path = folder / (name.replace(" ", "_").replace(",", "") + suffix)
            made[name] = make_video(path, EVEN, codec, **options)
        return made[name]

    return get


def read(path):
    """Return the stamps of what can be read, and the error after it."""
    stamps_s, error = [], None
    try:
        for _, stamp_s in open_source(str(path)):
            stamps_s.append(stamp_s)
    except VideoError as caught:
        error = caught
    return stamps_s, error


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_complete_video_is_read_without_an_alarm(name, whole):
    stamps_s, error = read(whole(name))
    assert error is None
    # GIF counts hundredths; FFmpeg leaves out a stamp where it begins a pack of MPEG-PS.
    tolerance_s = {"GIF": 0.0051, "MPEG-PS": 0.0401}.get(name, 0.0006)
    np.testing.assert_allclose(stamps_s, EVEN, atol=tolerance_s)


@pytest.mark.parametrize("share", [0.41, 0.5, 0.9])
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_video_that_is_cut_off_is_incomplete(name, share, whole, tmp_path):
    data = whole(name).read_bytes()
    path = tmp_path / f"cut{whole(name).suffix}"
    path.write_bytes(data[: int(share * len(data)) | 1])  # inside of a packet
    stamps_s, error = read(path)
    assert isinstance(error, IncompleteVideoError)
    assert 0 < len(stamps_s) < N
    assert f"{path} is incomplete: {len(stamps_s)} " in str(error)
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_recording_of_a_browser_that_is_cut_off_is_incomplete(share, tmp_path):
    path = make_recording(tmp_path / "v.webm", EVEN)
    assert read(path)[1] is None
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert isinstance(read(path)[1], IncompleteVideoError)


@pytest.mark.parametrize("name", ["MP4, index first", "AVI with MJPEG", "MPEG-TS"])
def test_a_video_that_is_damaged_in_the_middle_is_incomplete(name, whole, tmp_path):
    data = bytearray(whole(name).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = np.random.default_rng(1).bytes(6000)
    path = tmp_path / f"damaged{whole(name).suffix}"
    path.write_bytes(data)
    stamps_s, error = read(path)
    assert isinstance(error, IncompleteVideoError)
    assert len(stamps_s) > N // 2  # what follows the damage is read too


def test_a_count_in_the_head_that_is_an_estimate_raises_no_alarm(whole, tmp_path):
    # Cameras that write AVI put the number of frames in its head before they know it.
    data = bytearray(whole("AVI with MJPEG").read_bytes())
    for head in (b"avih", b"strh"):
        place = data.index(head)
        place += 8 + (16 if head == b"avih" else 32)
        assert int.from_bytes(data[place : place + 4], "little") == N
        data[place : place + 4] = (10 * N).to_bytes(4, "little")
    path = tmp_path / "estimate.avi"
    path.write_bytes(data)
    stamps_s, error = read(path)
    assert (len(stamps_s), error) == (N, None)


def test_a_video_that_is_cut_and_not_copied_from_its_beginning_raises_no_alarm(whole, tmp_path):
    # An edit list: the first second is in the file, but not shown.
    path = tmp_path / "edited.mp4"
    with av.open(str(whole("MP4, index first"))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                packet.pts -= int(1 / packet.time_base)
                packet.dts -= int(1 / packet.time_base)
                target.mux(packet)
    stamps_s, error = read(path)
    assert error is None
    assert len(stamps_s) == N - 25


UNEVEN = [0.0, 0.033, 0.1, 0.5, 0.507, 0.9, 1.9, 2.0]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_uneven_stamps_are_written_and_read(suffix, tmp_path):
    path = tmp_path / f"v{suffix}"
    with VideoWriter(path, 10.0) as writer:
        for index, stamp_s in enumerate(UNEVEN):
            writer.write(made_image(index), 100.0 + stamp_s)
    stamps_s, error = read(path)
    assert error is None
    np.testing.assert_allclose(stamps_s, UNEVEN, atol=1e-6 if suffix != ".mkv" else 0.0006)
    capture = cv2.VideoCapture(str(path))  # an independent reader
    for stamp_s in UNEVEN:
        assert capture.read()[0]
        assert capture.get(cv2.CAP_PROP_POS_MSEC) == pytest.approx(1e3 * stamp_s, abs=0.6)


def test_a_recording_of_a_browser_keeps_its_duration(tmp_path):
    # Its time base is a millisecond, which is not its rate.
    stamps_s = [round(i / 25, 3) + 0.004 * (i % 3) for i in range(N)]
    path = make_recording(tmp_path / "v.webm", stamps_s)
    read_s, error = read(path)
    assert error is None
    np.testing.assert_allclose(read_s, stamps_s, atol=0.0006)
    assert open_source(str(path)).rate_hz == pytest.approx(25, rel=0.3)


def test_stamps_begin_at_zero_and_increase_where_the_container_s_do_not(tmp_path):
    # A broadcast whose clock starts again: two transport streams, one after the other.
    parts = [make_video(tmp_path / f"{i}.ts", EVEN[:20], "libx264").read_bytes() for i in (0, 1)]
    path = tmp_path / "both.ts"
    path.write_bytes(parts[0] + parts[1])
    stamps_s, _ = read(path)
    assert len(stamps_s) == 40
    np.testing.assert_allclose(np.diff(stamps_s), 0.04, atol=0.0006)


def test_a_rate_replaces_the_stamps(tmp_path):
    path = make_video(tmp_path / "v.mp4", UNEVEN)
    assert [s for _, s in open_source(str(path), 4.0)] == [i / 4 for i in range(len(UNEVEN))]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_phone_s_rotation_is_applied(turn, tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        stream.set_display_rotation(turn)
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(made_image(0), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    ok, bgr = cv2.VideoCapture(str(path)).read()  # an independent reader, which applies it too
    image, _ = next(iter(open_source(str(path))))
    assert ok
    assert image.shape == bgr.shape
    assert np.abs(image.astype(int) - bgr[:, :, ::-1]).mean() < 1


def test_av1_is_read(tmp_path):
    path = make_video(tmp_path / "v.mp4", EVEN[:10], "libsvtav1", preset="12")
    stamps_s, error = read(path)
    assert (len(stamps_s), error) == (10, None)


@pytest.mark.parametrize("name", ["AVI with MJPEG", "Matroska with MJPEG"])
def test_a_codec_that_is_missing_is_named(name, whole, tmp_path):
    data = whole(name).read_bytes()
    data = data.replace(b"MJPG", b"ZZ99").replace(b"V_MJPEG", b"V_ZZ999")
    path = tmp_path / whole(name).name
    path.write_bytes(data)
    with pytest.raises(VideoError, match="is encoded with ZZ99"):
        open_source(str(path))


NAMES = [
    pytest.param(b"caf\xe9 \xff.mp4", id="not UTF-8"),
    pytest.param(b"2026-01-02T10:11:12.mp4", id="a time with colons"),
    pytest.param(b"rtsp:v.mp4", id="a protocol"),
    pytest.param(b"100%.mp4", id="a percent sign"),
    pytest.param(b"v%04d.mp4", id="a pattern"),
    pytest.param(b"7", id="a number"),
    pytest.param("視頻 🎥.mp4".encode(), id="other scripts"),
    pytest.param(b"-v.mp4", id="an option"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_exists_is_read_whatever_its_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path(os.fsdecode(name))
    make_video(tmp_path / "v.avi", EVEN[:5]).rename(path)
    stamps_s, error = read(path)
    assert (len(stamps_s), error) == (5, None)


def test_a_video_is_written_to_a_name_that_is_not_utf_8(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    with VideoWriter(path, 10.0) as writer:
        writer.write(made_image(0))
    assert len(read(path)[0]) == 1


def test_a_pipe_is_read(tmp_path):
    data = make_video(tmp_path / "v.ts", EVEN[:20], "libx264").read_bytes()
    pipe = tmp_path / "pipe.ts"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    stamps_s, error = read(pipe)
    writer.join()
    assert (len(stamps_s), error) == (20, None)


@pytest.mark.parametrize("name", ["MP4, index first", "Matroska"])
def test_a_title_that_is_not_utf_8_is_no_error(name, tmp_path):
    suffix, codec, _ = CONTAINERS[name]
    path = tmp_path / f"v{suffix}"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "cafe de paris"
        encode(container, EVEN[:5], codec)
    data = path.read_bytes()
    assert b"cafe de paris" in data
    path.write_bytes(data.replace(b"cafe de paris", b"caf\xe9 de paris"))
    stamps_s, error = read(path)
    assert (len(stamps_s), error) == (5, None)


JPEGS = [cv2.imencode(".jpg", made_image(i))[1].tobytes() for i in range(20)]


@pytest.mark.parametrize(
    ("change", "n_read"),
    [
        pytest.param(lambda i, jpeg: jpeg, 20, id="as they are"),
        pytest.param(lambda i, jpeg: jpeg[:-2], 20, id="without end markers"),
        pytest.param(lambda i, jpeg: jpeg + bytes(50), 20, id="padded"),
        pytest.param(lambda i, jpeg: jpeg[:-2] + b"\0\0\0\xff\xd9", 20, id="bytes before the end"),
        pytest.param(lambda i, jpeg: jpeg if i % 5 else b"", 16, id="dropped images"),
    ],
)
def test_what_cameras_write_into_an_avi_raises_no_alarm(change, n_read, tmp_path):
    jpegs = [change(i, jpeg) for i, jpeg in enumerate(JPEGS)]
    stamps_s, error = read(make_avi(tmp_path / "v.avi", jpegs))
    assert (len(stamps_s), error) == (n_read, None)


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["cut off", "with an end marker"])
def test_a_damaged_image_in_an_avi_is_left_out_and_reported(end, tmp_path):
    jpegs = [*JPEGS[:7], JPEGS[7][: len(JPEGS[7]) // 2] + end, *JPEGS[8:]]
    stamps_s, error = read(make_avi(tmp_path / "v.avi", jpegs))
    assert isinstance(error, IncompleteVideoError)
    assert "19 of 20 images were read, 1 damaged" in str(error)
    expected_s = [i / 25 for i in range(20) if i != 7]
    np.testing.assert_allclose(stamps_s, expected_s, atol=1e-6)


def test_16_bit_gray_videos_get_the_range_that_is_given(tmp_path):
    values = np.full((32, 32), 100, np.uint16)
    values[:, 16:] = 150
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "gray16le"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="gray16le")))
        container.mux(stream.encode(None))
    ((image, _),) = open_source(str(tmp_path / "v.mkv"), gray_range=GrayRange((100, 200)))
    assert image[0, ::31].tolist() == [[0, 0, 0], [127, 127, 127]]
