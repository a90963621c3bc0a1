"""What happens on robots: the node lives on, and every image is accounted for."""

from array import array

import numpy as np
import pytest
from poseflow_msgs.msg import TrackedPoseArray
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_driver import stamped
from sensor_msgs.msg import Image

BLANK = np.zeros((120, 160, 3), np.uint8)
POSES = "/poseflow/tracked_poses"
HOUR_S = 3600.0


class Camera:
    """Publishes images and waits for the answer to each."""

    def __init__(self, driver, stamp_s=10.0):
        self.driver, self.stamp_s = driver, stamp_s
        self.heard = driver.listen(TrackedPoseArray, POSES)
        self.publisher = driver.camera()

    def show(self, image=BLANK, encoding="rgb8"):
        """Publish one image a tenth of a second after the last; return its answer."""
        before = len(self.heard)
        self.stamp_s += 0.1
        if encoding == "mono8":
            message = stamped(image.repeat(3).reshape(*image.shape, 3), self.stamp_s)
            message.encoding, message.step = encoding, image.shape[1]
            message.data = array("B", image.tobytes())
        else:
            message = stamped(image, self.stamp_s, encoding)
        self.publisher.publish(message)
        self.driver.until(lambda: len(self.heard) > before, "an answer")
        return self.heard[-1]


def counted(driver, node):
    """Wait until nothing is on its way any more; return the counters."""
    values = {}

    def settled():
        values.update(
            {k: int(v) for k, v in node.cameras[""].statistics.values().items() if v.isdecimal()}
        )
        return values["received"] == values["processed"] + values["dropped"]

    driver.until(settled, "received = processed + dropped")
    return values


def test_camera_that_stops_and_returns_is_received_again(driver, active_node):
    node = active_node()
    first = Camera(driver)
    first.show()
    driver.node.destroy_publisher(first.publisher)
    driver.until(lambda: node.count_publishers("/image") == 0, "the camera's end")
    second = Camera(driver, stamp_s=20.0)
    assert second.show().epoch == first.heard[0].epoch  # a pause is no new beginning


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S], ids=["forward", "back"])
def test_stamps_can_jump_by_an_hour(jump_s, driver, active_node, pedestrians):
    active_node(movenet__input_size=512, tracker__association="classic")
    camera = Camera(driver, stamp_s=2 * HOUR_S)
    before = camera.show(pedestrians[0])
    camera.stamp_s += jump_s
    for image in pedestrians[1:4]:
        after = camera.show(image)
    assert after.poses
    assert after.epoch == before.epoch + (1 if jump_s < 0 else 0)
    assert all(np.isfinite(pose.velocity).all() for pose in after.poses)


def test_size_and_encoding_can_change_in_a_stream(driver, active_node, pedestrians):
    active_node(movenet__input_size=512, tracker__association="classic")
    camera = Camera(driver)
    colour = pedestrians[0]
    grey = colour.mean(axis=2).astype(np.uint8)
    seen = len(camera.show(colour).poses)
    assert len(camera.show(colour[:, :, ::-1].copy(), "bgr8").poses) == seen
    assert camera.show(grey, "mono8").poses
    smaller = camera.show(np.ascontiguousarray(colour[::2, ::2]))
    assert (smaller.image_width, smaller.image_height) == (384, 288)
    assert len(camera.show(colour).poses) == seen


def malformed(i):
    """Return an image message that is wrong in one of several ways."""
    message = stamped(BLANK, 5.0)
    match i % 5:
        case 0:
            message.encoding = "nonsense"
        case 1:
            message.width = 1_000_000
        case 2:
            message.data = message.data[:100]
        case 3:
            message.step = 1
        case 4:
            message.height = message.width = 0
    return message


def test_malformed_messages_do_not_affect_valid_ones(driver, active_node):
    node = active_node(movenet__input_size=64)
    camera = Camera(driver)
    for i in range(200):
        camera.publisher.publish(malformed(i))
        # Of two images that arrive together only the newer is looked at.
        driver.until(
            lambda n=i + 1: (
                node.cameras[""].statistics.values().get("dropped: malformed") == str(n)
            ),
            "the malformed image's end",
        )
        camera.show()
    assert len(camera.heard) == 200
    values = counted(driver, node)
    assert (values["received"], values["processed"], values["dropped"]) == (400, 200, 200)
    assert driver.state() == "active"


def test_subscriber_that_never_reads_does_not_block_the_node(driver, active_node):
    node = active_node(movenet__input_size=64)
    context = Context()
    context.init(domain_id=driver.domain_id)
    deaf = Node("deaf", context=context)
    for message_type, topic in ((TrackedPoseArray, POSES), (Image, "/poseflow/annotated")):
        deaf.create_subscription(message_type, topic, lambda _: None, 1)
    driver.until(lambda: node.count_subscribers(POSES) == 1, "the deaf subscriber")
    camera = Camera(driver)
    for _ in range(150):
        camera.show()
    assert counted(driver, node)["processed"] == 150
    deaf.destroy_node()
    context.shutdown()


def test_frequent_parameter_changes_during_inference(driver, active_node):
    node = active_node(movenet__input_size=64)
    camera = Camera(driver)
    client = driver.node.create_client(SetParameters, "/poseflow/set_parameters")
    driver.until(client.service_is_ready, "the service")
    driver.spin(0.3)
    answers = []
    for i in range(300):
        value = Parameter("tracker.min_pose_score", value=(i % 10) / 10).to_parameter_msg()
        future = client.call_async(SetParameters.Request(parameters=[value]))
        future.add_done_callback(lambda f: answers.append(f.result().results[0].successful))
        if i % 3 == 0:
            camera.show()
    driver.until(lambda: len(answers) == 300, "every answer")
    assert all(answers)
    assert counted(driver, node)["processed"] == 100
    assert node.config.tracker.min_pose_score == 0.9


def test_activated_and_deactivated_200_times_under_load(driver, active_node):
    node = active_node(movenet__input_size=64)
    publisher = driver.node.create_publisher(Image, "image", 1)
    timer_s = iter(range(10**6))
    driver.node.create_timer(
        0.01, lambda: publisher.publish(stamped(BLANK, 10 + 0.01 * next(timer_s)))
    )
    for _ in range(200):
        assert driver.change("deactivate")
        assert driver.change("activate")
    heard = driver.listen(TrackedPoseArray, POSES)
    driver.until(lambda: heard, "an answer after all that")
    epochs = [array.epoch for array in heard]
    assert min(epochs) >= 200
    assert driver.change("deactivate")
    values = counted(driver, node)
    assert values["processed"] > 0
