"""Cameras and network streams: real ones on this machine."""

import socket
import threading
import time

import av
import numpy as np
import pytest
from made_video import RATE_HZ, free_port, made_image

from poseflow_ros.imaging.video import VideoError, open_source


def send(port, n_frames):
    """Send a live MPEG-TS stream over UDP."""
    with av.open(f"udp://127.0.0.1:{port}?pkt_size=1316", "w", format="mpegts") as container:
        stream = container.add_stream("mpeg4", rate=RATE_HZ)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for index in range(n_frames):
            frame = av.VideoFrame.from_ndarray(made_image(index), format="rgb24")
            container.mux(stream.encode(frame))
            time.sleep(1 / RATE_HZ)
        container.mux(stream.encode(None))


@pytest.fixture
def stream():
    """The URL of a stream of 60 frames that starts soon."""
    port = free_port()
    sender = threading.Thread(target=send, args=(port, 60))
    sender.start()
    yield f"udp://127.0.0.1:{port}"
    sender.join()


def test_a_stream_is_read_by_its_stamps_until_it_stops(stream):
    stamps_s = []
    with pytest.raises(VideoError, match=f"{stream} sends no data for 1.5 s"):
        source = open_source(stream, timeout_s=1.5)
        assert source.is_live
        for image, stamp_s in source:
            assert image.shape == (96, 128, 3)
            stamps_s.append(stamp_s)
    assert len(stamps_s) > 40  # what came before the first key frame was seen is lost
    np.testing.assert_allclose(np.diff(stamps_s), 1 / RATE_HZ, atol=1e-3)


@pytest.mark.parametrize("scheme", ["udp", "rtp"])
def test_a_stream_that_sends_nothing_ends_after_the_timeout(scheme):
    start_s = time.monotonic()
    with pytest.raises(VideoError) as caught:
        open_source(f"{scheme}://127.0.0.1:{free_port()}", timeout_s=0.5)
    assert time.monotonic() - start_s < 5
    assert f"{scheme}://127.0.0.1" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "tcp", "http"])
def test_a_stream_that_nobody_serves_is_refused_by_name(scheme):
    url = f"{scheme}://127.0.0.1:{free_port()}/stream"
    with pytest.raises(VideoError) as caught:
        open_source(url, timeout_s=2.0)
    assert url in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_server_that_accepts_and_says_nothing_ends_after_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/stream"
        start_s = time.monotonic()
        with pytest.raises(VideoError, match=f"{url} sends no data for 0.5 s"):
            open_source(url, timeout_s=0.5)
        assert time.monotonic() - start_s < 5


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), 1e9])
def test_a_timeout_that_is_none_is_refused(timeout_s):
    with pytest.raises(VideoError, match="the timeout is"):
        open_source("udp://127.0.0.1:9", timeout_s=timeout_s)


@pytest.mark.parametrize("device", ["97", "/dev/null", "/dev/video97", "/dev/v4l/by-id/usb-x"])
def test_a_camera_that_is_missing_is_refused_by_name(device, capfd):
    with pytest.raises(VideoError) as caught:
        open_source(device)
    assert device in str(caught.value)
    assert capfd.readouterr().err == ""
