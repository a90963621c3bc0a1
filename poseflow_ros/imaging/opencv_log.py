"""OpenCV's own log."""

import contextlib
from collections.abc import Iterator

import cv2

_SILENT = 0


@contextlib.contextmanager
def opencv_silent() -> Iterator[None]:
    """Keep OpenCV from printing many lines about what the error says in one."""
    logging = getattr(cv2.utils, "logging", cv2)  # OpenCV 5, and 4.6
    before = logging.setLogLevel(_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
