"""FFmpeg's libraries through PyAV: opening, and what their errors mean."""

import re
from pathlib import Path
from typing import IO, Any

from poseflow_ros.imaging.source import VideoError

# Titles that are not UTF-8 are no error any more since this version.
_LENIENT_VERSION = 19
_SEARCHED_BYTES = 2**20
# Where the common containers write the codec: Matroska and WebM, AVI, MP4 and MOV.
_CODEC = re.compile(rb"V_([A-Z0-9/_]+)|vids([ -~]{4})|stsd.{12}([ -~]{4})", re.DOTALL)


def import_av() -> Any:
    """Return PyAV.

    Raises:
        VideoError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise VideoError(
            f"videos need PyAV ({error}); to install it: python3 -m pip install av"
        ) from error
    return av


def open_container(source: str | IO[bytes], name: str, **options: Any) -> Any:
    """Open a container for reading.

    Args:
        source: a URL, or an open file: a name would be taken for a URL where it has a colon, and
            not every name is text.
        name: what to call it in the error.
        options: of av.open.

    Raises:
        VideoError: it cannot be opened.
    """
    av = import_av()
    if int(av.__version__.partition(".")[0]) < _LENIENT_VERSION:
        options["metadata_errors"] = "replace"
    try:
        return av.open(source, **options)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{name} is not a video that FFmpeg can open: {reason(error)}") from error


def video_stream(container: Any, name: str) -> Any:
    """Return the video stream of a container, ready to be decoded.

    Raises:
        VideoError: there is none, or no decoder for it.
    """
    stream = container.streams.best("video")
    if stream is None:
        raise VideoError(f"{name} has no video stream")
    if stream.codec_context is None:
        raise VideoError(f"{name} is encoded with {_codec_name(name)}, which PyAV cannot decode")
    if stream.codec_context.name == "mjpeg":
        # Otherwise what is missing of a JPEG is gray.
        stream.codec_context.options = {"err_detect": "explode"}
    return stream


def reason(error: BaseException) -> str:
    """Return the reason for an error of FFmpeg, without number and name."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())


def _codec_name(name: str) -> str:
    """Return the codec as the file names it."""
    path = Path(name)
    if path.is_file():
        with path.open("rb") as file:
            match = _CODEC.search(file.read(_SEARCHED_BYTES))
        if match:
            return next(filter(None, match.groups())).decode("ascii", "replace")
    return "an unknown codec"
