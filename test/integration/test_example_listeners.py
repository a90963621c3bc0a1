"""The example subscribers, as processes: what they log of the messages that a node publishes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from bodies import image_of, standing
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray
from test_action_node import poses_message

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BUILD_NEEDS = ("ament_cmake", "rclcpp")


def logged(driver, command):
    """Return what a listener logs of two images with three people, one of them lost."""
    with tempfile.TemporaryFile("w+") as log:
        env = os.environ | {"ROS_DOMAIN_ID": str(driver.domain_id)}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        try:
            publish_people(driver, process, log)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        log.seek(0)
        return process.returncode, log.read()


def publish_people(driver, process, log):
    publisher = driver.node.create_publisher(TrackedPoseArray, "tracked_poses", 10)
    driver.until(
        lambda: publisher.get_subscription_count() > 0 or process.poll() is not None, "listener"
    )
    first = poses_message([(3, image_of(standing())), (4, image_of(standing()))], 0)
    first.poses[1].state = TrackedPose.STATE_LOST
    second = poses_message([(5, image_of(standing()))], 1, camera="front", epoch=2)
    for message in (first, second):
        publisher.publish(message)

    def read():
        log.seek(0)
        return log.read()

    driver.until(lambda: "id 5" in read() or process.poll() is not None, "a line of the second")


def check(driver, command):
    code, text = logged(driver, command)
    lines = [line.partition("[pose_listener]: ")[2] for line in text.splitlines()]
    x, y, _ = image_of(standing())[0]
    where = f"nose at {x:.0f}, {y:.0f} px"
    assert lines == [f"camera epoch 0 id 3: {where}", f"front epoch 2 id 5: {where}"], text
    assert code == 0


def test_the_python_listener_logs_each_confirmed_person(driver):
    check(driver, [sys.executable, str(EXAMPLES / "pose_listener.py")])


@pytest.mark.slow
def test_the_cpp_listener_builds_and_logs_each_confirmed_person(driver, tmp_path):
    for program in ("c++", "cmake", "colcon"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    for package in BUILD_NEEDS:
        if reason := missing(package):
            pytest.skip(reason)
    shutil.copytree(EXAMPLES / "pose_listener_cpp", tmp_path / "src")
    command = ["colcon", "build", "--base-paths", "src", "--event-handlers", "console_direct+"]
    built = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    listener = next((tmp_path / "install").rglob("lib/pose_listener_cpp/pose_listener"))
    check(driver, [str(listener)])


def missing(package):
    """Return why the C++ example cannot be built; empty if it can."""
    try:
        prefix = Path(get_package_prefix(package))
    except PackageNotFoundError:
        return f"{package} is not installed"
    config = prefix / "share" / package / "cmake" / f"{package}Config.cmake"
    return "" if config.exists() else f"{package} is installed without {config.name}"
