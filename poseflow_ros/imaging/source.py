"""What every kind of input is: a sequence of images with stamps."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from poseflow_ros.poses import Image

MAX_RATE_HZ = 1000
FALLBACK_RATE_HZ = 30.0


class VideoError(ValueError):
    """Images that cannot be read or written; the text names them and says why."""


class IncompleteVideoError(VideoError):
    """Some images of a source are missing or damaged; all others were yielded before."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The header of an image in a bag.

    Attributes:
        stamp_ns: when it was taken, nanoseconds.
        frame_id: the optical frame of the camera.
        n_dropped: how many images were left out since the one before.
    """

    stamp_ns: int
    frame_id: str
    n_dropped: int

    @property
    def stamp(self) -> "MessageStamp":
        """`stamp_ns` with the fields of builtin_interfaces/Time."""
        return MessageStamp(*divmod(self.stamp_ns, 10**9))


class MessageStamp(NamedTuple):
    """Seconds, and the rest in nanoseconds."""

    sec: int
    nanosec: int


@dataclass(frozen=True, slots=True)
class Source:
    """A sequence of images; iterate it for (H, W, 3) RGB images and their stamps in seconds.

    The iterator raises VideoError where a source fails, IncompleteVideoError after the last image
    where images of a file are missing or damaged.

    Attributes:
        name: what it was opened from.
        rate_hz: images per second, the mean where they are not evenly spaced.
        n_frames: how many there are, an estimate for some containers; 0 where it is not known.
        frames: the images and stamps; stamps increase.
        is_live: a camera or a stream, without an end of its own.
        hint: one line about how to read it better; empty if there is none.
        files: of the images, in their order; only of a folder or numbered images.
        topic: of the images in a bag; empty for other sources.
        headers: of the images yielded so far, in their order; only of a bag. The consumer may
            remove them.
        left_out: how many images were left out so far, by reason; only of a bag.
    """

    name: str
    rate_hz: float
    n_frames: int
    frames: Iterator[tuple[Image, float]]
    is_live: bool = False
    hint: str = ""
    files: Sequence[Path] = ()
    topic: str = ""
    headers: deque[ImageHeader] = field(default_factory=deque)
    left_out: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[tuple[Image, float]]:
        return self.frames
