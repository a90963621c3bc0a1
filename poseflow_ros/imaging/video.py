"""Image sources (video files, folders, cameras) and a video file writer."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from poseflow_ros.poses import Image

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MAX_RATE_HZ = 1000
_LOG_LEVEL_SILENT = 0
_FALLBACK_RATE_HZ = 30.0
# The error reports a broken file once; FFmpeg's own messages are disabled.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoError(ValueError):
    """Images cannot be read or written; the message gives the source and the reason."""


@dataclass(frozen=True, slots=True)
class Source:
    """A sequence of images; iterate it for (H, W, 3) RGB images and their stamps in seconds.

    Attributes:
        name: what it was opened from.
        rate_hz: images per second.
        n_frames: number of images; 0 if unknown.
        frames: the images and stamps.
    """

    name: str
    rate_hz: float
    n_frames: int
    frames: Iterator[tuple[Image, float]]

    def __iter__(self) -> Iterator[tuple[Image, float]]:
        return self.frames


def open_source(name: str, rate_hz: float = 0.0) -> Source:
    """Open a video file, a folder of images or a camera's index.

    Args:
        name: a path, or a number such as "0" for a camera.
        rate_hz: images per second; 0: the rate of the file, or 30 if it has none.

    Raises:
        VideoError: the source does not exist or cannot be read. An unreadable image in a folder
            raises when it is reached.
    """
    if not 0 <= rate_hz <= MAX_RATE_HZ:
        raise VideoError(f"the rate is {rate_hz:g} Hz, must be from 0 (own rate) to {MAX_RATE_HZ}")
    path = Path(name)
    if path.is_dir():
        return _open_folder(path, rate_hz or _FALLBACK_RATE_HZ)
    if path.is_file():
        return _open_file(path, rate_hz)
    if name.isdecimal():
        return _open_camera(int(name))
    raise VideoError(f"{name} is not a file, a folder of images or a camera index")


def _open_folder(folder: Path, rate_hz: float) -> Source:
    paths = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
    if not paths:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise VideoError(f"{folder} contains no images ({kinds})")
    paths.sort(key=_natural)

    def frames() -> Iterator[tuple[Image, float]]:
        for i, path in enumerate(paths):
            bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if bgr is None:
                raise VideoError(f"{path} is not an image that OpenCV can read")
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), i / rate_hz

    return Source(str(folder), rate_hz, len(paths), frames())


def _open_file(path: Path, rate_hz: float) -> Source:
    with _opencv_silent():
        capture = cv2.VideoCapture(str(path))
    ok, first = capture.read()
    if not ok:
        raise VideoError(f"{path} is not a video that OpenCV can read, or has no frames")
    own_rate_hz = capture.get(cv2.CAP_PROP_FPS)
    rate_hz = rate_hz or (own_rate_hz if 0 < own_rate_hz <= MAX_RATE_HZ else _FALLBACK_RATE_HZ)
    n_frames = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def frames() -> Iterator[tuple[Image, float]]:
        ok, bgr, i = True, first, 0
        while ok:
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), i / rate_hz
            ok, bgr = capture.read()
            i += 1
        capture.release()

    return Source(str(path), rate_hz, n_frames, frames())


def _open_camera(index: int) -> Source:
    with _opencv_silent():
        capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise VideoError(f"camera {index} cannot be opened, and no file has this name")
    rate_hz = capture.get(cv2.CAP_PROP_FPS) or _FALLBACK_RATE_HZ

    def frames() -> Iterator[tuple[Image, float]]:
        try:
            while True:
                ok, bgr = capture.read()
                if not ok:
                    raise VideoError(f"camera {index} stopped delivering images")
                yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), time.monotonic()
        finally:
            capture.release()

    return Source(f"camera {index}", rate_hz, 0, frames())


@contextlib.contextmanager
def _opencv_silent() -> Iterator[None]:
    """Suppress OpenCV's messages; the error reports the problem in one line."""
    logging = getattr(cv2.utils, "logging", cv2)  # OpenCV 5, and 4.6
    before = logging.setLogLevel(_LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key: frame2 before frame10."""
    return [(int(part or 0), text) for text, part in re.findall(r"(\D*)(\d*)", path.name)]


class VideoWriter:
    """Writes RGB images of one size to an MP4 file. Use it in a `with` statement."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        self._path = path
        self._rate_hz = rate_hz
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.release()

    def write(self, image: Image) -> None:
        """Append an (H, W, 3) RGB image.

        Raises:
            VideoError: the file cannot be written, or the size differs from the first image.
        """
        size = (image.shape[1], image.shape[0])
        if self._writer is None:
            self._size = size
            codec = cv2.VideoWriter_fourcc(*"mp4v")
            with _opencv_silent():
                self._writer = cv2.VideoWriter(str(self._path), codec, self._rate_hz, size)
            if not self._writer.isOpened():
                raise VideoError(f"{self._path} cannot be written as an MP4 video")
        if size != self._size:  # OpenCV would skip it silently
            raise VideoError(f"{self._path} has images of {self._size}, cannot append {size}")
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
