"""Levels and messages of the diagnostics, with live thresholds."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from poseflow_msgs.msg import TrackedPoseArray
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from ros_driver import depth_message, stamped
from sensor_msgs.msg import CameraInfo, Image

from poseflow_ros.bench.image_stream import ImageStream
from poseflow_ros.ros.video_publisher import camera_info

BLANK = np.zeros((120, 160, 3), np.uint8)
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Watch:
    """A camera with an active node, and its diagnostics."""

    def __init__(self, driver, active_node, **parameters):
        self.driver, self.stamp_s = driver, 1.0
        self.node = active_node(movenet__input_size=64, **parameters)
        self.heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
        self.diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
        self.image = driver.camera()

    def show(self, encoding="rgb8"):
        self.stamp_s += 0.1
        message = stamped(BLANK, self.stamp_s)
        message.encoding = encoding
        self.image.publish(message)
        self.driver.spin(0.1)

    def said(self):
        """Return level and words of the newest status of the camera."""
        for array in self.diagnostics[-1:]:
            return array.status[0].level, array.status[0].message
        return OK, ""

    def until(self, level, words, show=lambda: None):
        def so():
            show()
            return self.said()[0] == level and words in self.said()[1]

        self.driver.until(so, f"{level} and {words!r}")


@pytest.mark.slow
def test_dropping_all_images_is_an_error_with_the_reason(driver, active_node):
    watch = Watch(driver, active_node)
    watch.until(OK, "running", watch.show)
    watch.until(ERROR, "100% of the latest images missing", lambda: watch.show("nonsense"))
    assert "malformed" in watch.said()[1]
    watch.until(OK, "running", watch.show)


def test_latency_above_the_threshold_is_a_warning(driver, active_node):
    watch = Watch(
        driver, active_node, diagnostics__warn_latency_s=0.0, diagnostics__error_latency_s=3000.0
    )
    watch.until(WARN, "p99 latency exceeds 0 s: ", watch.show)
    name = "/poseflow/set_parameters_atomically"
    values = [Parameter("diagnostics.warn_latency_s", value=2000.0).to_parameter_msg()]
    assert driver.call(SetParametersAtomically, name, parameters=values).result.successful
    watch.until(OK, "running", watch.show)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param(
            {"diagnostics.warn_silence_s": 20.0},
            "must not exceed diagnostics.error_silence_s, 10",
            id="one",
        ),
        pytest.param(
            {"diagnostics.warn_silence_s": 20.0, "diagnostics.error_silence_s": 15.0},
            "must not exceed",
            id="both, crossed",
        ),
    ],
)
def test_contradicting_thresholds_are_rejected_while_active(values, said, driver, active_node):
    node = active_node()
    name = "/poseflow/set_parameters_atomically"
    parameters = [Parameter(k, value=v).to_parameter_msg() for k, v in values.items()]
    before = node.get_parameters(list(values))
    result = driver.call(SetParametersAtomically, name, parameters=parameters).result
    assert not result.successful and said in result.reason
    assert node.get_parameters(list(values)) == before


def test_dependent_parameters_can_be_set_atomically(driver, start_node):
    node = start_node()
    name = "/poseflow/set_parameters_atomically"
    for values in (
        {"diagnostics.error_silence_s": 30.0}, {"diagnostics.warn_silence_s": 20.0},
        {"cameras.names": ["a", "b"], "cameras.image_transport": ["raw", "compressed"]},
    ):  # fmt: skip
        parameters = [Parameter(k, value=v).to_parameter_msg() for k, v in values.items()]
        result = driver.call(SetParametersAtomically, name, parameters=parameters).result
        assert result.successful, result.reason
    assert node.get_parameter("diagnostics.warn_silence_s").value == 20.0


def test_stale_depth_image_is_a_warning(driver, active_node):
    watch = Watch(driver, active_node)
    info = driver.camera(CameraInfo, "camera_info")
    depth = driver.camera(Image, "depth")
    info.publish(camera_info(stamped(BLANK, 1.0).header, (120, 160), 60.0))
    depth.publish(depth_message(np.full((120, 160), 3.0, np.float32), watch.stamp_s + 0.1))
    watch.until(WARN, "no 3D positions: the nearest depth image is", watch.show)


def test_calibration_for_another_size_is_a_warning(driver, active_node):
    watch = Watch(driver, active_node, depth__slop_s=1.0)
    info = driver.camera(CameraInfo, "camera_info")
    depth = driver.camera(Image, "depth")
    info.publish(camera_info(stamped(BLANK, 1.0).header, (480, 640), 60.0))

    def show():
        depth.publish(depth_message(np.full((120, 160), 3.0, np.float32), watch.stamp_s + 0.1))
        watch.show()

    watch.until(WARN, "camera_info is for images of 640 x 480 pixels, these are 160 x 120", show)


def test_images_lost_by_best_effort_are_counted(driver, active_node, monkeypatch):
    # With the transport's defaults, whose shared memory holds no such image.
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    node = active_node(movenet__input_size=64)
    stream = ImageStream(1280, 720, rate_hz=30.0, seconds=3.0, qos="best_effort")
    said = subprocess.check_output(
        [sys.executable, "-m", "poseflow_ros.bench.image_publisher",
         json.dumps(asdict(stream)), "1"],
        env=os.environ | {"ROS_DOMAIN_ID": str(driver.domain_id)},
    )  # fmt: skip
    values = node.cameras[""].statistics.values
    driver.until(lambda: values()["lost on the way"] != "0", "a loss")
    received, lost = int(values()["received"]), int(values()["lost on the way"])
    assert received + lost <= json.loads(said)[""]
