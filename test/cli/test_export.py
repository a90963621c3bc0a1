"""`python -m poseflow_ros export`: input that cannot be used."""

import sys

import pytest

pytest.importorskip("torchvision", reason="torchvision does not import")

from poseflow_ros.__main__ import main

BAD = {
    "no size": (["--size=640"], "size is '640', must be WIDTHxHEIGHT such as 640x480"),
    "a small size": (["--size=640x16"], "both sides must be from 32 to 4096 pixels"),
    "a thin size": (
        ["--size=4096x32", "--image-max-side=128"],
        "size is '4096x32', whose shorter side is scaled to less than a pixel",
    ),
    "another suffix": (["--out=network.pt"], "out is 'network.pt', must be the path of a file"),
    "no folder": (["--out=missing/network.onnx"], "missing is not a folder"),
    "a side out of range": (["--image-min-side=3"], "estimator.image_min_side is 3, must be from"),
    "no weights": (["--weights=missing.pth"], "estimator.weights is 'missing.pth', which is not"),
}


@pytest.mark.parametrize("case", BAD)
def test_input_that_cannot_be_used_is_one_line(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, words = BAD[case]
    command = ["export", "keypoint_rcnn", "--size=64x64", "--out=network.onnx"]
    assert main(command + arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not list(tmp_path.iterdir())


def test_a_file_of_other_weights_is_one_line_and_leaves_no_file(tmp_path, capsys):
    (tmp_path / "weights.pth").write_bytes(b"nothing")
    arguments = [f"--weights={tmp_path / 'weights.pth'}", f"--out={tmp_path / 'network.onnx'}"]
    assert main(["export", "keypoint_rcnn", "--size=64x64", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "weights.pth cannot be read" in line
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]


def test_without_the_package_onnx_its_installation_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    arguments = ["--size=64x64", f"--out={tmp_path / 'network.onnx'}"]
    assert main(["export", "keypoint_rcnn", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "poseflow_ros: onnx is not installed; to install it: python3 -m pip install onnx"
    )
