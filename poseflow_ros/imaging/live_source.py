"""Cameras and network streams as sources; their stamps are those of the arrival or the stream."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from poseflow_ros.imaging.libav import import_av, open_container, reason, video_stream
from poseflow_ros.imaging.opencv_log import opencv_silent
from poseflow_ros.imaging.source import FALLBACK_RATE_HZ, Source, VideoError
from poseflow_ros.imaging.video_file import Stamps, mean_rate_hz, to_rgb
from poseflow_ros.poses import Image

_URL = re.compile("(rtsps?|rtmps?|rtp|udp|tcp|srt|https?)://", re.IGNORECASE)
# How long FFmpeg looks at a stream before it delivers the first image.
_ANALYSIS_US = 1_000_000


def is_url(name: str) -> bool:
    """Return whether a name is the address of a network stream."""
    return _URL.match(name) is not None


def open_stream(url: str, timeout_s: float) -> Source:
    """Open a network stream.

    Args:
        url: such as rtsp://camera/stream or udp://0.0.0.0:5000.
        timeout_s: the longest time without data.

    Raises:
        VideoError: it cannot be opened, or sends nothing for this long.
    """
    options = {"analyzeduration": str(_ANALYSIS_US)}
    if url.lower().startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # UDP loses packets, and firewalls block it
    start_s = time.monotonic()
    try:
        container = open_container(url, url, timeout=timeout_s, options=options)
    except VideoError as error:
        waited = time.monotonic() - start_s >= timeout_s
        raise VideoError(_silence(url, timeout_s) if waited else str(error)) from error
    stream = video_stream(container, url)
    rate_hz = mean_rate_hz(stream)
    frames = _decode(container, stream, url, timeout_s, Stamps(rate_hz))
    return Source(url, rate_hz, 0, frames, is_live=True)


def _silence(url: str, timeout_s: float) -> str:
    return f"{url} sends no data for {timeout_s:g} s"


def _decode(
    container: Any, stream: Any, url: str, timeout_s: float, stamps: Stamps
) -> Iterator[tuple[Image, float]]:
    """Yield images until the sender ends the stream.

    What cannot be decoded, such as the images before the first key frame, is left out.
    """
    av = import_av()
    with container:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.ExitError as error:  # PyAV's timeout
                raise VideoError(_silence(url, timeout_s)) from error
            except (av.FFmpegError, OSError) as error:
                raise VideoError(f"{url} ended: {reason(error)}") from error
            if packet is None:
                return
            with contextlib.suppress(av.FFmpegError):
                for frame in packet.decode():
                    yield to_rgb(frame), stamps.of(frame)


def open_camera(device: int | Path) -> Source:
    """Open a camera by its number or its device, such as /dev/v4l/by-id/usb-camera.

    Raises:
        VideoError: it cannot be opened.
    """
    # Links are resolved: OpenCV knows a camera by the name /dev/videoN.
    place = device if isinstance(device, int) else str(device.resolve())
    with opencv_silent():
        capture = cv2.VideoCapture(place)
    if not capture.isOpened():
        raise VideoError(f"camera {device} cannot be opened")
    rate_hz = capture.get(cv2.CAP_PROP_FPS) or FALLBACK_RATE_HZ
    return Source(f"camera {device}", rate_hz, 0, _capture(capture, device), is_live=True)


def _capture(capture: Any, device: int | Path) -> Iterator[tuple[Image, float]]:
    try:
        while True:
            # OpenCV waits for at most 10 s.
            ok, bgr = capture.read()
            if not ok:
                raise VideoError(f"camera {device} stopped sending images")
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), time.monotonic()
    finally:
        capture.release()
