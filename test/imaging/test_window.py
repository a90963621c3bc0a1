"""The window of images: what its keys do, and what is said where none can be opened."""

from pathlib import Path

import pytest

from poseflow_ros.imaging.window import Keys, WindowError, check_display

NONE = -1
# As `cv2.waitKey` returns it with some libraries: with a modifier in the higher bits.
WITH_NUM_LOCK = 0x100000


@pytest.mark.parametrize(
    ("pressed", "state"),
    [
        # the keys, then whether to quit, to pause and to save
        pytest.param([], (False, False, False), id="nothing"),
        pytest.param([NONE, NONE], (False, False, False), id="no key"),
        pytest.param([ord("q")], (True, False, False), id="q quits"),
        pytest.param([27], (True, False, False), id="Escape quits"),
        pytest.param([WITH_NUM_LOCK | ord("q")], (True, False, False), id="q with Num Lock"),
        pytest.param([ord(" ")], (False, True, False), id="space pauses"),
        pytest.param([ord(" "), NONE], (False, True, False), id="and stays paused"),
        pytest.param([ord(" "), ord(" ")], (False, False, False), id="space continues"),
        pytest.param([ord("s")], (False, False, True), id="s saves"),
        pytest.param([ord(" "), ord("s")], (False, True, True), id="s saves while paused"),
        pytest.param([ord("x"), ord("S"), ord("Q")], (False, False, False), id="other keys"),
    ],
)
def test_keys(pressed, state):
    keys = Keys()
    for code in pressed:
        keys.press(code)
    assert (keys.quit, keys.paused, keys.save) == state


def test_without_a_display_the_missing_variables_are_named(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(WindowError) as caught:
        check_display()
    assert str(caught.value) == (
        "no window can be opened: neither DISPLAY nor WAYLAND_DISPLAY is set"
    )


def test_a_display_that_does_not_answer_is_one_line_and_does_not_end_the_process(monkeypatch):
    display = next(n for n in range(90, 999) if not Path(f"/tmp/.X11-unix/X{n}").exists())
    monkeypatch.setenv("DISPLAY", f":{display}")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(WindowError) as caught:
        check_display()
    (line,) = str(caught.value).splitlines()
    assert line.startswith("no window can be opened: ")
    assert len(line) > len("no window can be opened: ")
