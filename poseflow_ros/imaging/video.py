"""Images from files, folders, bags, cameras and streams, and a file of them."""

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from poseflow_ros.imaging.bag import open_bag
from poseflow_ros.imaging.bag_files import is_bag
from poseflow_ros.imaging.gray_range import GrayRange
from poseflow_ros.imaging.image_files import (
    IMAGE_SUFFIXES,
    is_pattern,
    open_folder,
    open_image,
    open_numbered,
)
from poseflow_ros.imaging.libav import import_av, open_container, reason
from poseflow_ros.imaging.live_source import is_url, open_camera, open_stream
from poseflow_ros.imaging.source import MAX_RATE_HZ, IncompleteVideoError, Source, VideoError
from poseflow_ros.imaging.video_file import open_video
from poseflow_ros.poses import Image

__all__ = ["MAX_RATE_HZ", "IncompleteVideoError", "Source", "VideoError", "VideoWriter",
           "open_source"]  # fmt: skip

DEFAULT_TIMEOUT_S = 10.0
MAX_TIMEOUT_S = 3600.0
_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
# MPEG-4 divides a second into at most 65535 parts: milliseconds and the usual rates are whole.
_TICKS_PER_S = 60_000
_QUALITY = 3 * 118  # of FFmpeg's quantizer scale, 2 (best) to 31, in its own unit


def open_source(
    name: str,
    rate_hz: float = 0.0,
    *,
    stamps_from_names: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    topic: str = "",
    gray_range: GrayRange | None = None,
    max_backward_s: float = 1.0,
) -> Source:
    """Open a video, an image, a folder of images, numbered images, a bag, a camera or a stream.

    Args:
        name: a path; a pattern such as img_%04d.png; a number such as "0" or a device such as
            /dev/video0 for a camera; a URL for a stream. A path that exists is always a path.
        rate_hz: images per second; 0: the stamps in the file, 30 for images. Not for bags,
            cameras and streams.
        stamps_from_names: of the images of a folder; see `open_folder`.
        timeout_s: the longest time that a stream may send nothing, seconds.
        topic: of the images in a bag; empty: its only image topic.
        gray_range: which values of 16-bit images become black and white; None: all values.
        max_backward_s: how late an image of a bag may be to be left out; see `open_bag`.

    Raises:
        VideoError: there is no such source, or it cannot be read. A folder's unreadable image
            raises when its turn comes.
    """
    if not 0 <= rate_hz <= MAX_RATE_HZ:
        raise VideoError(f"the rate is {rate_hz:g} Hz, must be from 0 (its own) to {MAX_RATE_HZ}")
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise VideoError(f"the timeout is {timeout_s:g} s, must be above 0, to {MAX_TIMEOUT_S:g}")
    path = Path(name)
    kind = _kind(path)
    if stamps_from_names and (kind != "folder" or rate_hz):
        text = "a folder of images, without a rate" if kind == "folder" else "a folder of images"
        raise VideoError(f"stamps from names need {text}; {name} is given")
    if kind == "bag":
        if rate_hz:
            raise VideoError(f"{name} is a bag, whose stamps are used; a rate is for other inputs")
        return open_bag(path, topic, gray_range, max_backward_s)
    if topic:
        raise VideoError(f"a topic needs a bag; {name} is not one")
    if kind == "folder":
        return open_folder(path, rate_hz, stamps_from_names, gray_range)
    if kind == "file":
        is_image = path.suffix.lower() in IMAGE_SUFFIXES
        if is_image:
            return open_image(path, gray_range)
        return open_video(path, rate_hz, gray_range)
    if kind == "device":
        return open_camera(path)
    return _open_by_name(name, rate_hz, timeout_s, gray_range)


def _kind(path: Path) -> str:
    """Return what is in this place: bag, folder, file, device or nothing."""
    with contextlib.suppress(OSError, ValueError):  # too long, or with a null character
        if path.exists() and is_bag(path):
            return "bag"
        if path.is_dir():
            return "folder"
        if path.is_file() or path.is_fifo():
            return "file"
        if path.is_char_device():
            return "device"
    return ""


def _open_by_name(
    name: str, rate_hz: float, timeout_s: float, gray_range: GrayRange | None
) -> Source:
    """Open what is not a path."""
    if name.isdecimal():
        return open_camera(int(name))
    if is_url(name):
        return open_stream(name, timeout_s)
    if is_pattern(name):
        return open_numbered(Path(name), rate_hz, gray_range)
    raise VideoError(
        f"{name} is not a file, folder of images, bag, pattern such as img_%04d.png, camera "
        "number or device, or URL of a stream"
    )


def check_video_name(path: Path) -> None:
    """Raise VideoError unless `VideoWriter` knows the suffix."""
    if path.suffix.lower() not in _CONTAINERS:
        allowed = ", ".join(_CONTAINERS)
        raise VideoError(
            f"{path} cannot be written as a video: the name must end in one of {allowed}"
        )


class VideoWriter:
    """Writes RGB images of one size to a video file. Use it in a `with` statement.

    The file is read back when it is closed.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Write to `path`; images without a stamp are 1 / `rate_hz` seconds apart.

        Raises:
            VideoError: the suffix is not one of .mp4, .m4v, .mov and .mkv.
        """
        check_video_name(path)
        self._path = path
        self._rate_hz = rate_hz
        self._file: IO[bytes] | None = None
        self._container: Any = None
        self._stream: Any = None
        self._size = (0, 0)
        self._first_s = 0.0
        self._ticks: list[int] = []

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._file is None:
            return
        try:
            with self._failures(), self._file:
                self._encode(None)
                self._container.close()
            with self._failures():
                self._check_written()
        except VideoError:
            if kind is None:  # otherwise it is the consequence of the error in the body
                raise

    def write(self, image: Image, stamp_s: float | None = None) -> None:
        """Append an (H, W, 3) RGB image; an odd last row or column is left out.

        Args:
            image: of the first one's size.
            stamp_s: when it is shown, seconds, later than the one before; None: one period later.

        Raises:
            VideoError: the file cannot be written, or the size differs from the first image.
        """
        size = (image.shape[1], image.shape[0])
        if self._file is None:
            self._open(size)
            self._first_s = stamp_s or 0.0
        if size != self._size:
            raise VideoError(f"{self._path} holds images of {self._size}, cannot take {size}")
        frame = import_av().VideoFrame.from_ndarray(
            image[: size[1] // 2 * 2, : size[0] // 2 * 2], format="rgb24"
        )
        frame.time_base = Fraction(1, _TICKS_PER_S)
        frame.pts = self._next_ticks(stamp_s)
        self._ticks.append(frame.pts)
        with self._failures():
            self._encode(frame)

    def _next_ticks(self, stamp_s: float | None) -> int:
        if stamp_s is None:
            return round(len(self._ticks) / self._rate_hz * _TICKS_PER_S)
        ticks = round((stamp_s - self._first_s) * _TICKS_PER_S)
        return max(ticks, self._ticks[-1] + 1) if self._ticks else ticks

    def _open(self, size: tuple[int, int]) -> None:
        with self._failures():
            self._file = self._path.open("wb")
            container = import_av().open(
                self._file, "w", format=_CONTAINERS[self._path.suffix.lower()]
            )
            rate = max(Fraction(self._rate_hz).limit_denominator(1001), Fraction(1, 1001))
            stream = container.add_stream("mpeg4", rate=rate)
            stream.width, stream.height = (side // 2 * 2 for side in size)
            stream.pix_fmt = "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
            stream.codec_context.options = {"flags": "+qscale", "global_quality": str(_QUALITY)}
        self._size, self._container, self._stream = size, container, stream

    def _encode(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def _check_written(self) -> None:
        """Raise VideoError unless the closed file has every image."""
        with self._path.open("rb") as file, open_container(file, str(self._path)) as container:
            n_images = sum(packet.size > 0 for packet in container.demux(video=0))
        if n_images != len(self._ticks):
            raise VideoError(
                f"{self._path} has {n_images} images instead of the {len(self._ticks)} written"
            )

    @contextlib.contextmanager
    def _failures(self) -> Any:
        """Raise VideoError for what FFmpeg and the file system raise."""
        try:
            yield
        except (import_av().FFmpegError, OSError, ValueError) as error:
            if isinstance(error, VideoError):
                raise
            text = f"{self._path} cannot be written as a video: {reason(error)}"
            raise VideoError(text) from error
