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


@pytest.mark.slow
def test_the_action_node_is_measured_over_dds(tmp_path, monkeypatch):
    pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from ros_domains import reserved_domain

    report = tmp_path / "report.json"
    arguments = ["--people", "2", "--seconds", "5", "--node", "--report", str(report)]
    with reserved_domain() as domain_id:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain_id))
        assert main(["bench", "actions", *arguments]) == 0
    figures = json.loads(report.read_text())["node"]
    # Two people have a window each twice a second, from 3 s on.
    assert 0 < figures["windows_per_second"] <= 6
    assert figures["latency_p50_ms"] > 0
    assert figures["node_cpu_percent"] > 0
