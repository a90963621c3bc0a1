"""`bench actions` as a command."""

import json

import pytest

from poseflow_ros.__main__ import main


def test_each_step_has_its_times(tmp_path, capsys):
    report = tmp_path / "report.json"
    arguments = ["--people", "5", "--seconds", "4", "--report", str(report)]
    assert main(["bench", "actions", *arguments]) == 0
    figures = json.loads(report.read_text())
    assert list(figures) == ["windows, stride 0.5 s", "windows, every sample", "behaviors"]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in figures.values())
    assert "5 people, 120 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("people", "0", "from 1 to 1000"), ("fps", "0", "from 1 to 120")],
)
def test_a_value_out_of_its_range_is_refused(option, value, words, capsys):
    assert main(["bench", "actions", f"--{option}", value]) == 2
    assert f"{option} is {value}, must be {words}" in capsys.readouterr().err


def test_the_network_has_the_size_of_st_gcn(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    report = tmp_path / "report.json"
    arguments = ["--people", "2", "--seconds", "4", "--network", "--report", str(report)]
    assert main(["bench", "actions", *arguments]) == 0
    figures = json.loads(report.read_text())["network"]
    assert 1.3e6 < figures["parameters"] < 1.5e6
    assert figures["windows_per_second"] > 0
