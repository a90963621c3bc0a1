"""The launch files with the real launch, wherever it imports."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="launch_ros does not import: no apt ROS 2 installation")

import rclpy
from lifecycle_msgs.srv import GetState
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.executors import SingleThreadedExecutor

DOMAIN = 103 + os.getpid() % 100
RUN = "import sys; from ros2cli.cli import main; sys.exit(main())"


@pytest.fixture
def observer():
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    node = rclpy.create_node("observer", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def launch(tmp_path):
    processes = []

    def start(*arguments):
        environment = {"ROS_DOMAIN_ID": str(DOMAIN), "ROS_LOG_DIR": str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "launch", "poseflow_ros", *arguments],
            env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=20)


def interrupt(process):
    """Press Ctrl-C; return the exit code and what was printed."""
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    return process.returncode, output


def wait_for_state(observer, name, wanted):
    node, executor = observer
    client = node.create_client(GetState, f"{name}/get_state")
    assert client.wait_for_service(30)
    for _ in range(100):
        future = client.call_async(GetState.Request())
        executor.spin_until_future_complete(future, timeout_sec=5)
        if future.done() and future.result().current_state.label == wanted:
            return
        executor.spin_once(timeout_sec=0.1)
    pytest.fail(f"{name} never became {wanted}")


def test_the_node_becomes_active_and_ctrl_c_ends_with_code_0(launch, observer):
    process = launch("poseflow.launch.py", "namespace:=robot", "image_topic:=/camera/image_raw")
    wait_for_state(observer, "/robot/poseflow", "active")
    code, output = interrupt(process)
    assert code == 0
    assert "active: listening to /camera/image_raw" in output


def test_without_autostart_the_node_waits(launch, observer):
    process = launch("poseflow.launch.py", "autostart:=false")
    wait_for_state(observer, "/poseflow", "unconfigured")
    code, output = interrupt(process)
    assert code == 0
    assert "loading" not in output


def test_a_bad_params_file_is_explained(launch, observer, tmp_path):
    params = tmp_path / "bad.yaml"
    params.write_text("/**:\n  ros__parameters:\n    input_size: 100\n")
    process = launch("poseflow.launch.py", f"params_file:={params}")
    wait_for_state(observer, "/poseflow", "unconfigured")
    for _ in range(50):
        observer[1].spin_once(timeout_sec=0.1)
    code, output = interrupt(process)
    assert code == 0
    assert "input_size is 100, must be from 64 to 1280 in steps of 32" in output
    assert "could not be configured" in output


def test_the_demo_plays_a_video_through_the_node(launch, observer, sample_video):
    node, executor = observer
    heard = []
    node.create_subscription(TrackedPoseArray, "/poseflow/tracked_poses", heard.append, 10)
    process = launch("demo.launch.py", f"video:={sample_video}")
    for _ in range(600):
        executor.spin_once(timeout_sec=0.1)
        if any(array.poses for array in heard):
            break
    assert any(array.poses for array in heard)
    assert Path(sample_video).is_file()
    assert interrupt(process)[0] == 0
