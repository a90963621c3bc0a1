"""The command `bench device`: first images, memory, and a failure of the device, here the CPU."""

import pytest

pytest.importorskip("torchvision", reason="torchvision does not import")

from poseflow_ros.__main__ import main
from poseflow_ros.bench import device_checks

ARGUMENTS = ["--device=cpu", "--people=2", "--image-min-side=32", "--image-max-side=64"]


@pytest.mark.slow
def test_times_memory_and_the_failure_are_printed(capsys, monkeypatch):
    monkeypatch.setattr(device_checks, "_OTHER_SIZE", (80, 60))
    monkeypatch.setattr(device_checks, "_BATCHES", (2,))
    monkeypatch.setattr(device_checks, "_CONFIGURATIONS", 2)
    monkeypatch.setattr(device_checks, "PADDED", (1, 2))
    assert main(["bench", "device", "--size=64x48", *ARGUMENTS]) == 0
    cells = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    for label in ("first images, ms", "in another thread", "of 80 x 60", "people: 2"):
        times_ms = [float(cell) for cell in cells[label].split()]
        assert len(times_ms) == 3
        assert min(times_ms) > 0
    assert "process" in cells["after configuration 2"]
    # On a CPU the failing call itself raises, in the process that was started for it.
    assert "RuntimeError" in cells["after a failure on the device"]


def test_a_size_that_is_none_is_one_line(capsys):
    assert main(["bench", "device", "--size=64", *ARGUMENTS]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "size is '64', must be WIDTHxHEIGHT such as 640x480" in line
