"""Depth and calibrations that arrive after their image: waited for, without holding up images."""

import threading
import time

import numpy as np
import pytest
from depth_rig import SIZE, Rig, calibration, located
from diagnostic_msgs.msg import DiagnosticStatus
from poseflow_msgs.msg import TrackedPoseArray
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from ros_driver import PATIENCE_S, depth_message, stamped
from std_srvs.srv import Trigger


@pytest.mark.parametrize("lag_s", [0.02, 0.08])
def test_depth_that_arrives_after_its_image_is_used(lag_s, driver, active_node, pedestrians):
    rig = Rig(driver, active_node, movenet__input_size=64, depth__wait_s=1.0)
    rig.calibrate()
    n_matched = 0
    for i in range(10):
        rig.publish(pedestrians[i % 4], 10 + 0.1 * i, lag_s=lag_s)
        rig.answers(i + 1)
        n_matched += rig.camera.projector.trouble == ""
    assert n_matched == 10
    assert [a.header.stamp.nanosec // 10**8 for a in rig.heard] == list(range(10))


def test_everybody_has_a_position_though_depth_is_late(driver, active_node, pedestrians):
    rig = Rig(driver, active_node, movenet__input_size=512, depth__wait_s=1.0)
    rig.calibrate()
    for i in range(4):
        rig.publish(pedestrians[i], 10 + 0.1 * i, depth_m=4.0 + 0.1 * i, lag_s=0.3)
        last = rig.answers(i + 1)[-1]
        assert len(located(last)) >= 3
        assert {round(p.position.z, 3) for p in located(last)} == {round(4.0 + 0.1 * i, 3)}


def test_the_nearest_depth_image_of_those_received_is_used(driver, active_node, pedestrians):
    rig = Rig(driver, active_node, movenet__input_size=512, depth__wait_s=2.0)
    rig.calibrate()
    rig.depth.publish(depth_message(np.full(SIZE, 2.0, np.float32), 9.985))
    driver.until(lambda: rig.camera.projector.depth_received, "the earlier depth image")
    rig.image.publish(stamped(pedestrians[0], 10.0))
    time.sleep(0.2)
    rig.depth.publish(depth_message(np.full(SIZE, 4.0, np.float32), 10.005))
    assert {round(p.position.z, 3) for p in located(rig.answers(1)[0])} == {4.0}


def test_zero_disables_the_wait(driver, active_node, pedestrians):
    rig = Rig(driver, active_node, movenet__input_size=64, depth__wait_s=0.0)
    rig.calibrate()
    rig.image.publish(stamped(pedestrians[0], 10.0))
    rig.answers(1)  # without depth, which has not been published yet
    assert rig.camera.projector.trouble == "no depth image received yet"


def test_a_camera_info_that_arrives_after_the_first_image_is_used(
    driver, active_node, pedestrians
):
    rig = Rig(driver, active_node, movenet__input_size=512, depth__wait_s=5.0)
    rig.publish(pedestrians[0], 10.0)
    driver.spin(0.5)
    assert not rig.heard
    rig.info.publish(calibration())
    assert len(located(rig.answers(1)[0])) >= 3


def test_waiting_holds_up_neither_the_network_nor_the_order(driver, active_node, pedestrians):
    rig = Rig(driver, active_node, movenet__input_size=64, depth__wait_s=2.0)
    rig.calibrate()
    estimated, estimate = [], rig.node.estimator.estimate_batch
    rig.node.estimator.estimate_batch = lambda images: estimated.append(1) or estimate(images)
    for i in range(5):
        rig.image.publish(stamped(pedestrians[i], 10 + 0.1 * i))
        driver.until(lambda n=i: len(estimated) == n + 1, f"image {i} in the network")
    assert not rig.heard  # all five wait for depth
    for i in range(5):
        rig.depth.publish(depth_message(np.full(SIZE, 4.0, np.float32), 10 + 0.1 * i))
    assert [a.header.stamp.nanosec // 10**8 for a in rig.answers(5)] == list(range(5))
    assert rig.camera.statistics.values()["dropped"] == "0"


def test_a_wait_does_not_add_up_over_images(driver, active_node):
    """Depth that never comes delays each image by the wait, not by that of those before it."""
    rig = Rig(driver, active_node, movenet__input_size=64, depth__wait_s=0.4)
    rig.calibrate()
    blank = np.zeros((*SIZE, 3), np.uint8)
    start_s = time.monotonic()
    for i in range(8):
        rig.image.publish(stamped(blank, 10 + 0.1 * i))
        driver.spin(0.1)
    rig.answers(8)
    assert time.monotonic() - start_s < 8 * 0.4


def test_depth_that_stopped_is_not_waited_for_forever(driver, active_node):
    rig = Rig(driver, active_node, movenet__input_size=64, depth__wait_s=0.3)
    rig.calibrate()
    blank = np.zeros((*SIZE, 3), np.uint8)
    for i in range(12):
        start_s = time.monotonic()
        rig.image.publish(stamped(blank, 10 + 0.1 * i))
        rig.answers(i + 1)
    assert time.monotonic() - start_s < 0.3


def test_a_camera_without_depth_does_not_wait_for_another(driver, active_node, pedestrians):
    rig = Rig(
        driver, active_node, "front/", cameras__names=["front", "rear"], movenet__input_size=64,
        depth__wait_s=10.0,
    )  # fmt: skip
    rig.calibrate()
    rear, heard = (
        driver.camera(topic="rear/image"),
        driver.listen(TrackedPoseArray, "/poseflow/rear/tracked_poses"),
    )
    rig.image.publish(stamped(pedestrians[0], 10.0))
    driver.until(lambda: rig.camera.frames._waits, "the wait of the front camera")
    rear.publish(stamped(pedestrians[0], 10.0))
    driver.until(lambda: heard, "the rear camera's answer")
    assert not rig.heard


@pytest.mark.parametrize("how", ["reset", "deactivate"])
def test_reset_and_deactivate_end_a_wait_at_once(how, driver, active_node, pedestrians):
    rig = Rig(driver, active_node, movenet__input_size=64, depth__wait_s=10.0)
    rig.calibrate()
    rig.image.publish(stamped(pedestrians[0], 10.0))
    driver.until(lambda: rig.camera.frames._waits, "the wait")
    start_s = time.monotonic()
    if how == "reset":
        assert driver.call(Trigger, "/poseflow/reset").success
    else:
        assert driver.change("deactivate")
    driver.until(lambda: not rig.camera.frames._waits, "the end of the wait")
    assert time.monotonic() - start_s < 5.0
    reason = {"reset": "reset", "deactivate": "deactivated"}[how]
    assert rig.camera.statistics.values()[f"dropped: {reason}"] == "1"
    assert not rig.heard


def test_cleanup_ends_the_thread_of_a_camera_that_waits(driver, active_node, pedestrians):
    rig = Rig(driver, active_node, movenet__input_size=64, depth__wait_s=10.0)
    rig.calibrate()
    rig.image.publish(stamped(pedestrians[0], 10.0))
    driver.until(lambda: rig.camera.frames._waits, "the wait")
    assert driver.change("deactivate") and driver.change("cleanup")

    def ended():
        names = [thread.name for thread in threading.enumerate()]
        return not any(name.startswith("poseflow_frames") for name in names)

    deadline_s = time.monotonic() + PATIENCE_S
    while not ended():
        assert time.monotonic() < deadline_s
        driver.spin(0.05)


def test_the_lag_and_the_recommended_wait_are_reported(driver, active_node):
    rig = Rig(driver, active_node, movenet__input_size=64, depth__wait_s=0.05)
    rig.calibrate()
    blank = np.zeros((*SIZE, 3), np.uint8)
    for i in range(10):
        rig.publish(blank, 10 + 0.1 * i, lag_s=0.15)
        driver.spin(0.05)
    level, message, values = rig.status()
    p99_s = float(values["depth lag p99 (ms)"]) / 1000
    assert 0.14 < float(values["depth lag p50 (ms)"]) / 1000 <= p99_s
    recommended_s = float(values["recommended depth.wait_s"])
    assert 1.2 * p99_s - 0.001 <= recommended_s <= 1.2 * p99_s + 0.011
    assert level == DiagnosticStatus.WARN
    assert "depth.wait_s is 0.05: set it to" in message
    # With the recommended setting, which is live, every image has its depth.
    name = "/poseflow/set_parameters_atomically"
    values = [Parameter("depth.wait_s", value=recommended_s + 1.0).to_parameter_msg()]
    assert driver.call(SetParametersAtomically, name, parameters=values).result.successful
    n = len(rig.heard)
    rig.publish(blank, 20.0, lag_s=0.15)
    rig.answers(n + 1)
    level, message, values = rig.status()
    assert (values["depth"], "depth.wait_s" in message) == ("matched", False)
