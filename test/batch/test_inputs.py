"""The inputs of a batch."""

import os

import pytest

from poseflow_ros.batch.inputs import expand_inputs


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in [
        "a.mp4", "b.MKV", "notes.txt", ".hidden.mp4",
        "images/0.png", "images/1.png", "deep/er/c.webm", "deep/.cache/d.mp4",
        "bag/metadata.yaml", "bag/bag_0.mcap", "single.mcap",
    ]:  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def expand(*arguments):
    return [os.path.relpath(path) for path in expand_inputs(arguments)]


@pytest.mark.parametrize(
    ("arguments", "inputs"),
    [
        pytest.param(["a.mp4"], ["a.mp4"], id="a file"),
        pytest.param(["notes.txt"], ["notes.txt"], id="a file is not judged by its suffix"),
        pytest.param(["images"], ["images"], id="a folder of images"),
        pytest.param(["bag"], ["bag"], id="a bag"),
        pytest.param(["*.mp4"], ["a.mp4"], id="a pattern"),
        pytest.param(["**/*.webm"], ["deep/er/c.webm"], id="a recursive pattern"),
        pytest.param(["*.avi"], ["*.avi"], id="a pattern that matches nothing is reported later"),
        pytest.param(["gone.mp4"], ["gone.mp4"], id="a missing file is reported later"),
        pytest.param(["a.mp4", "./a.mp4", "*.mp4"], ["a.mp4"], id="each input once"),
        pytest.param(
            ["."],
            ["a.mp4", "b.MKV", "bag", "deep/er/c.webm", "images", "single.mcap"],
            id="everything below a folder",
        ),
    ],
)
def test_inputs(tree, arguments, inputs):
    assert expand(*arguments) == inputs


def test_a_list_has_one_argument_per_line(tree):
    (tree / "list.txt").write_text("# the first floor\na.mp4\n\nimages\n*.MKV\n")
    assert expand("@list.txt") == ["a.mp4", "images", "b.MKV"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tree):
    (tree / "take[1].mp4").touch()
    assert expand("take[1].mp4") == ["take[1].mp4"]
