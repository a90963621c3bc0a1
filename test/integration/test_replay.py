"""Replay of bags: every image in order at any rate, and reproducible messages."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.qos import QoSProfile
from ros_driver import depth_message, stamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from poseflow_ros.ros.video_publisher import camera_info

BLANK = np.zeros((120, 160, 3), np.uint8)
POSES = "/poseflow/tracked_poses"
# Nothing of a burst may be lost on its way to the node.
BURST = QoSProfile(depth=1000)


def bag(driver, message_type, topic):
    """Return a publisher as of a player of bags."""
    return driver.camera(message_type, topic, BURST)


def test_images_in_a_burst_are_all_processed_in_order(driver, active_node):
    node = active_node(cameras__replay=True, movenet__input_size=64)
    heard = driver.listen(TrackedPoseArray, POSES, 1000)
    publisher = bag(driver, Image, "image")
    for i in range(200):
        publisher.publish(stamped(BLANK, 1 + 0.1 * i))
    driver.until(lambda: len(heard) == 200, "every answer")
    assert [array.sequence for array in heard] == list(range(200))
    stamps = [a.header.stamp.sec + 1e-9 * a.header.stamp.nanosec for a in heard]
    assert stamps == sorted(stamps)
    assert node.cameras[""].statistics.values()["dropped"] == "0"


def test_burst_is_not_fully_processed_without_replay(driver, active_node):
    active_node(movenet__input_size=512)
    heard = driver.listen(TrackedPoseArray, POSES, 1000)
    publisher = bag(driver, Image, "image")
    for i in range(200):
        publisher.publish(stamped(BLANK, 1 + 0.1 * i))
    driver.until(lambda: heard and heard[-1].header.stamp.sec == 20, "the last answer")
    assert len(heard) < 200


def play(driver, name, images, order):
    """Play colour, depth and calibration in some order to a node; return its messages."""
    assert driver.change("configure", name) and driver.change("activate", name)
    heard = driver.listen(TrackedPoseArray, f"{name}/tracked_poses", 1000)
    publishers = {
        "image": bag(driver, Image, "image"),
        "depth": bag(driver, Image, "depth"),
        "info": bag(driver, CameraInfo, "camera_info"),
    }
    for topic, i in order:
        image = stamped(images[i], 1 + 0.1 * i)
        messages = {
            "image": image,
            # A wall that comes nearer.
            "depth": depth_message(np.full((576, 768), 5 - 0.1 * i, np.float32), 1 + 0.1 * i),
            "info": camera_info(image.header, (576, 768), 60.0),
        }
        publishers[topic].publish(messages[topic])
        driver.spin(0.02)
    driver.until(lambda: len(heard) == 8, "every answer")
    assert driver.change("deactivate", name)
    for publisher in publishers.values():
        driver.node.destroy_publisher(publisher)
    return heard


ORDERS = {
    "depth_first": [(t, i) for t in ("info", "depth", "image") for i in range(8)],
    "images_first": [(t, i) for t in ("image", "depth", "info") for i in range(8)],
    "by_turns": [(t, i) for i in range(8) for t in ("image", "info", "depth")],
}


@pytest.mark.slow
def test_messages_do_not_depend_on_the_order_of_topics(driver, start_node, pedestrians):
    runs = []
    for name, order in ORDERS.items():
        start_node(
            name, cameras__replay=True, movenet__tiles="auto", tracker__association="classic"
        )
        heard = play(driver, f"/{name}", pedestrians[:8], order)
        runs.append([repr(array) for array in heard])  # in which NaN equals NaN
    positions = [pose.position for pose in heard[-1].poses]
    assert any(position.z == pytest.approx(4.3, abs=1e-3) for position in positions)
    assert runs[0] == runs[1] == runs[2]


def test_wait_for_missing_depth_is_limited(driver, active_node):
    active_node(cameras__replay=True, movenet__input_size=64)
    heard = driver.listen(TrackedPoseArray, POSES)
    bag(driver, Image, "depth")
    bag(driver, Image, "image").publish(stamped(BLANK, 1.0))
    driver.until(lambda: heard, "an answer without depth")


def test_replay_uses_the_clock_of_the_bag(driver, active_node):
    node = active_node(cameras__replay=True, movenet__input_size=64)
    heard = driver.listen(DiagnosticArray, "/diagnostics")
    clock = driver.camera(Clock, "/clock")
    message = Clock()
    message.clock.sec = 1234
    clock.publish(message)
    driver.until(lambda: any(array.header.stamp.sec == 1234 for array in heard), "the bag's time")
    assert node.get_parameter("use_sim_time").value is True


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            {"cameras.max_image_age_s": 1.0},
            "cameras.max_image_age_s is 1, must be 0 if cameras.replay is true",
        ),
        (
            {"cameras.reliability": "best_effort"},
            "must be auto or reliable if cameras.replay is true",
        ),
    ],
)
def test_parameters_that_drop_images_are_rejected_with_replay(
    parameters, said, driver, start_node, capfd
):
    start_node(cameras__replay=True, **parameters)
    assert not driver.change("configure")
    assert said in capfd.readouterr().err
