"""A video file as source: its own stamps, and whether it is complete."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.imaging.container_length import is_cut_off
from poseflow_ros.imaging.gray_range import GrayRange
from poseflow_ros.imaging.libav import import_av, open_container, reason, video_stream
from poseflow_ros.imaging.source import (
    FALLBACK_RATE_HZ,
    MAX_RATE_HZ,
    IncompleteVideoError,
    Source,
    VideoError,
)
from poseflow_ros.poses import Image

# Recordings of broadcasts and raw streams may begin between two key frames.
_BEGINS_ANYWHERE = {"mpegts", "mpeg", "h264", "hevc"}
# Containers whose index has one entry for each frame.
_INDEXED = "mov,mp4,m4a,3gp,3g2,mj2"
# Pixel formats of gray values with 10 to 16 bits.
_DEEP_GRAY = "gray1"


def open_video(path: Path, rate_hz: float, gray_range: GrayRange | None) -> Source:
    """Open a video file.

    Args:
        path: of the file.
        rate_hz: images per second; 0: the stamps in the file.
        gray_range: of videos with gray values of more than 8 bits; None: all values.

    Raises:
        VideoError: it is not a video, or its first image cannot be decoded.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise VideoError(f"{path} cannot be read: {error.strerror}") from error
    with ExitStack() as opened:
        opened.enter_context(file)
        container = opened.enter_context(open_container(file, str(path)))
        stream = video_stream(container, str(path))
        stream.thread_type = "AUTO"
        own_rate_hz = mean_rate_hz(stream)
        reader = _Reader(path, container, stream, opened.pop_all())
    frames = reader.frames()
    first = next(frames, None)
    if first is None:
        raise VideoError(f"{path} holds no image that can be decoded")
    rate_hz = rate_hz or 0.0
    stamped = _stamped(frames, first, Stamps(own_rate_hz), rate_hz, gray_range)
    return Source(str(path), rate_hz or own_rate_hz, reader.n_frames, stamped)


def mean_rate_hz(stream: Any) -> float:
    """Return the images per second of a stream; 30 where it does not say."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate < MAX_RATE_HZ:
            return float(rate)
    return FALLBACK_RATE_HZ


def to_rgb(frame: Any, stamp_s: float = 0.0, gray_range: GrayRange | None = None) -> Image:
    """Return the (H, W, 3) RGB pixels of a decoded frame, upright.

    Args:
        frame: of PyAV.
        stamp_s: of the frame, seconds.
        gray_range: of gray values of more than 8 bits; None: all values.
    """
    if gray_range and frame.format.name.startswith(_DEEP_GRAY):
        gray = gray_range.convert(frame.to_ndarray(format="gray16le"), stamp_s)
        image: Image = np.repeat(gray[:, :, None], 3, axis=2)
    else:
        image = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


class Stamps:
    """Stamps of a stream's frames in seconds: the first is 0, and they increase.

    A frame without a presentation time, and one that does not follow the frame before (broadcasts
    start again from zero), come one period later; the frames after it are shifted with it.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_s = 1 / rate_hz
        self._shift_s = 0.0
        self._last_s: float | None = None

    def of(self, frame: Any) -> float:
        """Return the stamp of the next frame."""
        if frame.time is None:
            stamp_s = 0.0 if self._last_s is None else self._last_s + self._period_s
        else:
            if self._last_s is None:
                self._shift_s = -frame.time
            elif frame.time + self._shift_s <= self._last_s:
                self._shift_s = self._last_s + self._period_s - frame.time
            stamp_s = frame.time + self._shift_s
        self._last_s = stamp_s
        return stamp_s


def _stamped(
    frames: Iterator[Any],
    first: Any,
    stamps: Stamps,
    rate_hz: float,
    gray_range: GrayRange | None,
) -> Iterator[tuple[Image, float]]:
    """Yield images and stamps; those of the container unless a rate is given."""
    frame, index = first, 0
    while frame is not None:
        stamp_s = index / rate_hz if rate_hz else stamps.of(frame)
        yield to_rgb(frame, stamp_s, gray_range), stamp_s
        frame, index = next(frames, None), index + 1


class _Reader:
    """Decodes a video file and compares what was read with what it should hold."""

    def __init__(self, path: Path, container: Any, stream: Any, opened: ExitStack) -> None:
        """Make a reader, which closes what was opened after the last frame."""
        self._path, self._container, self._stream = path, container, stream
        self._opened = opened
        self._n_packets = self._n_decoded = self._n_damaged = 0
        self._error = ""
        self.n_frames = self._expected() or stream.frames or self._estimate()

    def _expected(self) -> int:
        """Return the number of frames where the container has it exactly, otherwise 0."""
        indexed = self._container.format.name == _INDEXED and self._stream.frames
        return len(self._stream.index_entries) if indexed else 0

    def _estimate(self) -> int:
        duration_us = self._container.duration or 0
        return max(0, round(duration_us * Fraction(1, 10**6) * (self._stream.average_rate or 0)))

    def frames(self) -> Iterator[Any]:
        """Yield the decoded frames.

        Raises:
            IncompleteVideoError: after the last frame, if some are missing or damaged.
        """
        av = import_av()
        with self._opened:
            for packet in self._packets():
                try:
                    decoded = packet.decode()
                except av.FFmpegError:
                    self._count_damaged()
                    continue
                for frame in decoded:
                    self._n_damaged += frame.is_corrupt
                    self._n_decoded += 1
                    yield frame
            self._check_complete()

    def _packets(self) -> Iterator[Any]:
        av = import_av()
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                self._error = reason(error)
                return
            if packet is None:
                return
            self._n_packets += packet.size > 0
            if packet.is_corrupt:
                self._error = "the last part of it is cut off"
            yield packet

    def _count_damaged(self) -> None:
        begins = self._n_decoded == 0 and self._container.format.name in _BEGINS_ANYWHERE
        self._n_damaged += not begins

    def _check_complete(self) -> None:
        cause = self._error
        if not cause and self._n_packets < self._expected():
            cause = "the others are missing"
        if (
            not cause
            and self._path.is_file()
            and is_cut_off(self._path, self._container.format.name)
        ):
            cause = "the file is shorter than it says"
        if self._n_damaged and not cause:
            cause = f"{self._n_damaged} damaged"
        if cause and self._n_decoded:
            of_all = f" of {self.n_frames}" if self.n_frames > self._n_decoded else ""
            raise IncompleteVideoError(
                f"{self._path} is incomplete: {self._n_decoded}{of_all} images were read, {cause}"
            )
