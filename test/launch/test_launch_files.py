"""The launch files with the real launch, wherever it imports."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="launch_ros does not import: no apt ROS 2 installation")

import cv2
import numpy as np
import rclpy
from lifecycle_msgs.srv import GetState
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.executors import SingleThreadedExecutor
from ros_domains import reserved_domain
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from poseflow_ros.ros.inputs.images import to_message

PATIENCE_S = 60
RUN = "import sys; from ros2cli.cli import main; sys.exit(main())"


@pytest.fixture
def domain_id():
    with reserved_domain() as domain_id:
        yield domain_id


@pytest.fixture
def observer(domain_id):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = rclpy.create_node("observer", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def launch(tmp_path, domain_id):
    processes = []

    def start(file, *arguments):
        where = [file] if Path(file).is_absolute() else ["poseflow_ros", file]
        environment = {"ROS_DOMAIN_ID": str(domain_id), "ROS_LOG_DIR": str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "launch", *where, *arguments],
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
    output, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, output


def wait_for_state(observer, name, wanted):
    node, executor = observer
    client = node.create_client(GetState, f"{name}/get_state")
    assert client.wait_for_service(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
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
    assert "active: subscribed to /camera/image_raw" in output
    assert "process has finished cleanly" in output


def test_the_action_node_becomes_active(launch, observer):
    process = launch("actions.launch.py", "namespace:=robot", "poses_topic:=/front/poses")
    wait_for_state(observer, "/robot/actions", "active")
    code, output = interrupt(process)
    assert code == 0
    assert "active: subscribed to /front/poses" in output


def test_the_bridge_node_becomes_active(launch, observer, tmp_path):
    params = tmp_path / "bridge.yaml"
    params.write_text("/**:\n  ros__parameters:\n    outputs: {formats: [image_marker]}\n")
    process = launch("bridge.launch.py", "poses_topic:=/front/poses", f"params_file:={params}")
    wait_for_state(observer, "/bridge", "active")
    code, output = interrupt(process)
    assert code == 0
    assert "active: subscribed to /front/poses" in output


def test_without_autostart_the_node_waits(launch, observer):
    process = launch("poseflow.launch.py", "autostart:=false")
    wait_for_state(observer, "/poseflow", "unconfigured")
    code, output = interrupt(process)
    assert code == 0
    assert "loading" not in output


def test_invalid_params_file_is_reported(launch, observer, tmp_path):
    params = tmp_path / "bad.yaml"
    params.write_text("/**:\n  ros__parameters:\n    movenet: {input_size: 100}\n")
    process = launch("poseflow.launch.py", f"params_file:={params}")
    wait_for_state(observer, "/poseflow", "unconfigured")
    for _ in range(50):
        observer[1].spin_once(timeout_sec=0.1)
    code, output = interrupt(process)
    assert code == 0
    assert "movenet.input_size is 100, must be from 64 to 1280 in steps of 32" in output
    assert "could not be configured" in output


def test_all_cameras_of_a_file_are_subscribed(launch, observer, tmp_path):
    node, executor = observer
    cameras = tmp_path / "cameras.yaml"
    cameras.write_text("""
cameras:
  - {name: front, image: /front_camera/image_raw}
  - {name: rear, image: rear_camera/compressed, image_transport: compressed}
""")
    small, large = (np.zeros((height, 64, 3), np.uint8) for height in (48, 64))
    jpeg = CompressedImage(format="jpeg", data=cv2.imencode(".jpg", large)[1].tobytes())
    front = node.create_publisher(Image, "/front_camera/image_raw", 10)
    rear = node.create_publisher(CompressedImage, "/robot/rear_camera/compressed", 10)
    heights = {}
    for name in ("front", "rear"):
        node.create_subscription(
            TrackedPoseArray, f"/robot/poseflow/{name}/tracked_poses",
            lambda array, name=name: heights.update({name: array.image_height}), 10,
        )  # fmt: skip
    process = launch("cameras.launch.py", f"cameras_file:={cameras}", "namespace:=robot")
    wait_for_state(observer, "/robot/poseflow", "active")
    deadline = time.monotonic() + PATIENCE_S
    while len(heights) < 2 and time.monotonic() < deadline:
        stamp = node.get_clock().now().to_msg()
        jpeg.header.stamp = stamp
        rear.publish(jpeg)
        front.publish(to_message(small, Header(stamp=stamp)))
        executor.spin_once(timeout_sec=0.1)
    assert heights == {"front": 48, "rear": 64}
    code, output = interrupt(process)
    assert code == 0
    assert "process has finished cleanly" in output


TWO_ROBOTS = """
<launch>
  <group>
    <push_ros_namespace namespace="robot1"/>
    <include file="$(find-pkg-share poseflow_ros)/launch/poseflow.launch.py"/>
  </group>
  <group>
    <push_ros_namespace namespace="robot2"/>
    <include file="$(find-pkg-share poseflow_ros)/launch/cameras.launch.py">
      <arg name="cameras_file" value="$(find-pkg-share poseflow_ros)/config/cameras.yaml"/>
    </include>
  </group>
</launch>
"""


def test_launch_groups_set_the_namespaces_of_robots(launch, observer, tmp_path):
    node, _ = observer
    path = tmp_path / "robots.launch.xml"
    path.write_text(TWO_ROBOTS)
    process = launch(str(path))
    wait_for_state(observer, "/robot1/poseflow", "active")
    wait_for_state(observer, "/robot2/poseflow", "active")
    assert node.count_subscribers("/robot1/image") == 1
    assert node.count_subscribers("/robot2/front_camera/image_raw") == 1
    assert interrupt(process)[0] == 0


@pytest.mark.parametrize(
    ("cameras", "said"),
    [
        ("[{name: front}]", "cameras.yaml, camera front has no image"),
        ("[{name: a, image: b, depht: c}]", "camera a: unknown key 'depht'; known: name, image"),
    ],
)
def test_invalid_cameras_file_ends_the_launch_with_one_line(launch, tmp_path, cameras, said):
    path = tmp_path / "cameras.yaml"
    path.write_text(f"cameras: {cameras}")
    process = launch("cameras.launch.py", f"cameras_file:={path}")
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert said in output
    assert "Traceback" not in output


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
