"""Folders of images, numbered images and single images as sources."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import median

from poseflow_ros.imaging.encoded_image import INSTALL_SIMPLEJPEG, DecodeError, decode
from poseflow_ros.imaging.gray_range import GrayRange
from poseflow_ros.imaging.opencv_log import opencv_silent
from poseflow_ros.imaging.source import FALLBACK_RATE_HZ, Source, VideoError
from poseflow_ros.poses import Image

IMAGE_SUFFIXES = frozenset(
    {
        ".bmp", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff",
        ".webp",
    }
)  # fmt: skip
_PLACEHOLDER = re.compile(r"%(0?)(\d*)d")
_LAST_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\D*$")
# Whole numbers with at least this many digits are times since 1970 in these fractions of a second.
_EPOCH_DIGITS = ((18, 1e-9), (15, 1e-6), (12, 1e-3))
_MIN_EPOCH_S, _MAX_EPOCH_S = 1e8, 1e10


def open_folder(
    folder: Path, rate_hz: float, stamps_from_names: bool, gray_range: GrayRange | None
) -> Source:
    """Open all images of a folder, in the natural order of their names.

    Hidden files, such as those that macOS and file synchronization leave, are skipped.

    Args:
        folder: must hold an image.
        rate_hz: images per second; 0: 30.
        stamps_from_names: read the stamps from the names of the files instead.
        gray_range: of 16-bit images; None: all values.

    Raises:
        VideoError: there is no image, or a name holds no stamp.
    """
    paths = [path for path in folder.iterdir() if _is_image(path)]
    if not paths:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise VideoError(f"{folder} holds no image ({kinds})")
    if stamps_from_names:
        return _source_with_named_stamps(str(folder), paths, gray_range)
    paths.sort(key=_natural)
    rate_hz = rate_hz or FALLBACK_RATE_HZ
    stamps_s = [i / rate_hz for i in range(len(paths))]
    return Source(
        str(folder), rate_hz, len(paths), _read(paths, stamps_s, gray_range),
        hint=_hint(folder, paths), files=paths,
    )  # fmt: skip


def open_numbered(pattern: Path, rate_hz: float, gray_range: GrayRange | None) -> Source:
    """Open the images of a pattern such as img_%04d.png; a missing number is a gap in time.

    The arguments are those of `open_folder`.

    Raises:
        VideoError: there is no such image.
    """
    matches = _matcher(pattern.name)
    folder = pattern.parent
    files = folder.iterdir() if folder.is_dir() else iter(())
    numbered = sorted((n, path) for path in files if (n := matches(path.name)) is not None)
    if not numbered:
        raise VideoError(f"{pattern} matches no image")
    rate_hz = rate_hz or FALLBACK_RATE_HZ
    first = numbered[0][0]
    stamps_s = [(n - first) / rate_hz for n, _ in numbered]
    paths = [path for _, path in numbered]
    images = _read(paths, stamps_s, gray_range)
    return Source(str(pattern), rate_hz, len(paths), images, files=paths)


def open_image(path: Path, gray_range: GrayRange | None) -> Source:
    """Open a single image; the arguments are those of `open_folder`.

    Raises:
        VideoError: it cannot be read.
    """
    images = iter([(_load(path, 0.0, gray_range), 0.0)])
    return Source(str(path), FALLBACK_RATE_HZ, 1, images, files=[path])


def is_pattern(name: str) -> bool:
    """Return whether the last part of a path has one placeholder such as %04d."""
    return len(_PLACEHOLDER.findall(Path(name).name)) == 1


def _matcher(pattern: str) -> Callable[[str], int | None]:
    """Return a function from a file's name to its number; None for other files."""
    (placeholder,) = _PLACEHOLDER.finditer(pattern)
    zero, width = placeholder.groups()
    digits = rf"\d{{{width},}}" if zero and width else r"\d+"
    before, after = pattern[: placeholder.start()], pattern[placeholder.end() :]
    expression = re.compile(f"{re.escape(before)}({digits}){re.escape(after)}", re.ASCII)

    def number(name: str) -> int | None:
        match = expression.fullmatch(name)
        return int(match[1]) if match else None

    return number


def _is_image(path: Path) -> bool:
    visible = not path.name.startswith(".")
    return visible and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key: frame2 before frame10."""
    parts = re.findall(r"(\D*)(\d*)", path.name)
    return [(int(part or 0), text) for text, part in parts], path.name


def _source_with_named_stamps(
    name: str, paths: Sequence[Path], gray_range: GrayRange | None
) -> Source:
    stamped = sorted((_stamp_s(path), path) for path in paths)
    stamps_s = [stamp_s for stamp_s, _ in stamped]
    steps_s = [after - before for before, after in pairwise(stamps_s)]
    if 0.0 in steps_s:
        path = stamped[steps_s.index(0.0) + 1][1]
        raise VideoError(f"{path} has the stamp of another image, {stamps_s[steps_s.index(0.0)]}")
    rate_hz = 1 / median(steps_s) if steps_s else FALLBACK_RATE_HZ
    files = [path for _, path in stamped]
    images = _read(files, stamps_s, gray_range)
    return Source(name, rate_hz, len(files), images, files=files)


def _stamp_s(path: Path) -> float:
    """Return the stamp in a name: seconds, or the time since 1970 in ms, us or ns.

    Raises:
        VideoError: there is none.
    """
    match = _LAST_NUMBER.search(path.stem)
    if match is None:
        raise VideoError(f"{path} has no stamp in its name, such as 1305031102.175304.png")
    digits = len(match[1]) if match[1].isdecimal() else 0
    unit_s = next((unit for least, unit in _EPOCH_DIGITS if digits >= least), 1.0)
    return float(match[1]) * unit_s


def _hint(folder: Path, paths: Sequence[Path]) -> str:
    """Return a line if the names look like the times at which the images were taken."""
    for path in paths:
        match = _LAST_NUMBER.fullmatch(path.stem)
        if match is None or not _MIN_EPOCH_S < _stamp_s(path) < _MAX_EPOCH_S:
            return ""
    return f"the names of the images in {folder} look like stamps; to use them: --stamps names"


def _read(
    paths: Sequence[Path], stamps_s: Sequence[float], gray_range: GrayRange | None
) -> Iterator[tuple[Image, float]]:
    for path, stamp_s in zip(paths, stamps_s, strict=True):
        yield _load(path, stamp_s, gray_range), stamp_s


def _load(path: Path, stamp_s: float, gray_range: GrayRange | None) -> Image:
    """Return the image in a file.

    Raises:
        VideoError: it cannot be read or decoded.
    """
    try:
        with opencv_silent():
            data = path.read_bytes()
            if gray_range is None:
                return decode(data)
            with suppress(DecodeError):  # such as of floating-point values
                return gray_range.convert(decode(data, any_depth=True), stamp_s)
            return decode(data)
    except (OSError, DecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise VideoError(f"{path} cannot be read as a whole image: {reason}") from error
    except ImportError as error:
        raise VideoError(f"{path} cannot be read: {INSTALL_SIMPLEJPEG}") from error
