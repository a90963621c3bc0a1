"""A window that shows images; keys quit, pause and save."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2

from poseflow_ros.poses import Image

_ESCAPE = 27
_PAUSED_MS, _RUNNING_MS = 50, 1
_MAX_WIDTH = 1280
_OPEN_A_WINDOW = "import cv2; cv2.namedWindow('poseflow_ros')"


class WindowError(ValueError):
    """A window that cannot be opened, or an image that cannot be saved; the text says why."""


class WindowClosed(Exception):  # noqa: N818 - not an error
    """The user has closed the window."""


class Keys:
    """What the keys pressed so far ask for: q or Escape to quit, space to pause, s to save."""

    def __init__(self) -> None:
        self.quit = False
        self.paused = False
        self.save = False
        """Whether the image shown is to be saved; the one who saves it sets it to False."""

    def press(self, code: int) -> None:
        """Take a key as `cv2.waitKey` returns it; -1 is none."""
        key = code & 0xFF
        if key in (ord("q"), _ESCAPE):
            self.quit = True
        elif key == ord(" "):
            self.paused = not self.paused
        elif key == ord("s"):
            self.save = True


def check_display() -> None:
    """Open a window in another process, because Qt ends a process that has no display.

    Raises:
        WindowError: it cannot be opened.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise WindowError("no window can be opened: neither DISPLAY nor WAYLAND_DISPLAY is set")
    command = [sys.executable, "-c", _OPEN_A_WINDOW]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return
    if "not implemented" in result.stderr:
        raise WindowError(
            "no window can be opened: OpenCV is built without windows, as opencv-python-headless "
            "is; install opencv-python"
        )
    reason = next(iter(result.stderr.splitlines()), f"exit code {result.returncode}")
    raise WindowError(f"no window can be opened: {reason}")


class Window:
    """Shows one image after the other; `s` saves the one shown in the current folder."""

    def __init__(self, title: str, log: Callable[[str], None]) -> None:
        """Open the window; `log` is called with a line for each image saved."""
        self._title = title
        self._log = log
        self._keys = Keys()
        self._opened = False

    def close(self) -> None:
        """Close the window; a second call does nothing."""
        cv2.destroyAllWindows()

    def show(self, image: Image, index: int) -> None:
        """Show an (H, W, 3) RGB image; return when the next one is wanted.

        Args:
            image: what is shown.
            index: part of the name of the file if it is saved.

        Raises:
            WindowClosed: the user quits.
            WindowError: the image cannot be saved.
        """
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        self._open(bgr)
        cv2.imshow(self._title, bgr)
        while True:
            self._take_key()
            if self._keys.save:
                self._save(bgr, index)
            if not self._keys.paused:
                return

    def _open(self, image: Image) -> None:
        """Open the window, not larger than most screens, when the first image is there."""
        if self._opened:
            return
        self._opened = True
        height, width = image.shape[:2]
        factor = min(1.0, _MAX_WIDTH / width)
        cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        cv2.resizeWindow(self._title, round(width * factor), round(height * factor))

    def _take_key(self) -> None:
        self._keys.press(cv2.waitKey(_PAUSED_MS if self._keys.paused else _RUNNING_MS))
        if self._keys.quit or not self._is_visible():
            raise WindowClosed

    def _is_visible(self) -> bool:
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # with Qt, when the user has closed the window
            return False

    def _save(self, image: Image, index: int) -> None:
        self._keys.save = False
        path = Path(f"frame_{index:06d}.png")
        if not cv2.imwrite(str(path), image):
            raise WindowError(f"{path.resolve()} cannot be written")
        self._log(f"saved {path.resolve()}")
