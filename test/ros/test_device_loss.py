"""The loss of a GPU as the next process of the node sees it."""

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from diagnostic_msgs.msg import DiagnosticStatus

from poseflow_ros.ros import device_loss

ON_CPU, ON_GPU = SimpleNamespace(device_bytes=0), SimpleNamespace(device_bytes=1)
NODE = "/robot/poseflow"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ROS_HOME", str(tmp_path / "ros"))
    return tmp_path / "ros"


def alerts(estimator, device="auto", node=NODE):
    return device_loss.alerts(node, estimator, device)


def test_without_a_loss_there_is_no_alert():
    assert alerts(ON_CPU) == alerts(ON_GPU) == []


def test_a_network_without_the_lost_gpu_is_an_error_until_one_runs_on_a_gpu():
    device_loss.record(NODE, "the GPU fell off the bus")
    text = "the GPU was lost (the GPU fell off the bus) and this network runs without it"
    assert alerts(ON_CPU) == alerts(ON_CPU) == [(DiagnosticStatus.ERROR, text)]
    assert alerts(ON_CPU, node="/other/poseflow") == []
    assert alerts(ON_GPU) == []
    assert alerts(ON_CPU) == []


def test_a_user_who_selects_the_cpu_is_not_alerted():
    device_loss.record(NODE, "the GPU fell off the bus")
    assert alerts(ON_CPU, device="cpu") == []
    assert alerts(ON_CPU) == []


def test_a_folder_that_cannot_be_written_does_not_hinder_the_end(home):
    home.write_text("not a folder")
    device_loss.record(NODE, "the GPU fell off the bus")
    assert alerts(ON_CPU) == []
