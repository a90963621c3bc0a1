"""A node that publishes a video file, a folder of images or a camera, for demos and tests."""

import math
import sys
import time
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from poseflow_ros.imaging.video import MAX_RATE_HZ, VideoError, open_source
from poseflow_ros.ros.diagnostics import make_status
from poseflow_ros.ros.images import to_message
from poseflow_ros.ros.rclpy_workarounds import spin

_RELIABILITIES = {
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
}
_ACK_TIMEOUT = Duration(seconds=5)
# The publisher discovers a subscriber before the subscriber discovers the publisher; images sent
# in between are lost.
_SETTLE_S = 0.5


class VideoPublisher(Node):
    """Publishes `image` and `camera_info` at the rate of the source, then exits.

    The camera of the source is unknown, so `camera_info` describes a pinhole camera with the
    field of view `horizontal_fov_deg`.
    """

    def __init__(self) -> None:
        """Open the source.

        Raises:
            VideoError: the source cannot be opened or a parameter is invalid.
        """
        super().__init__("video_publisher")
        self._video: str = self._parameter("video", "")
        rate_hz: float = self._parameter("rate_hz", 0.0)
        self._loop: bool = self._parameter("loop", False)
        self._frame_id: str = self._parameter("frame_id", "camera")
        self._fov_deg: float = self._parameter("horizontal_fov_deg", 60.0)
        self._subscribers: int = self._parameter("wait_for_subscribers", 1)
        reliability: str = self._parameter("reliability", "reliable")
        self._check(rate_hz, reliability)

        self._source = open_source(self._video, rate_hz)
        self._frames = iter(self._source)
        qos = QoSProfile(depth=5, reliability=_RELIABILITIES[reliability])
        self._images = self.create_publisher(Image, "image", qos)
        self._camera_infos = self.create_publisher(CameraInfo, "camera_info", qos)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1 / self._source.rate_hz, self._publish_next)
        self.create_timer(1.0, self._publish_diagnostics)
        self.published = 0
        self.done = False
        self._heard_since_s = math.inf
        self.get_logger().info(
            f"{self._source.name}: {self._source.n_frames or 'unknown number of'} frames at "
            f"{self._source.rate_hz:g} Hz on {self._images.topic_name}; "
            f"publishing starts when there are {self._subscribers} subscribers"
        )

    def _parameter(self, name: str, default: Any) -> Any:
        """Return the value of a parameter; rclpy would terminate the process on a wrong type."""
        value = self.declare_parameter(
            name, default, ParameterDescriptor(dynamic_typing=True)
        ).value
        kind = type(default)
        if type(value) is int and kind in (float, str):  # rate_hz:=5, a camera's video:=0
            value = kind(value)
        if type(value) is not kind:
            raise VideoError(f"parameter {name} is {value!r}, must be of type {kind.__name__}")
        return value

    def _check(self, rate_hz: float, reliability: str) -> None:
        if not self._video:
            raise VideoError("parameter video is empty, must be a file, a folder or a number")
        if not 0 <= rate_hz <= MAX_RATE_HZ:
            raise VideoError(
                f"parameter rate_hz is {rate_hz}, must be from 0 (own rate) to {MAX_RATE_HZ}"
            )
        if not 1 <= self._fov_deg <= 179:
            raise VideoError(f"parameter horizontal_fov_deg is {self._fov_deg}, must be 1 to 179")
        if reliability not in _RELIABILITIES:
            allowed = ", ".join(_RELIABILITIES)
            raise VideoError(f"parameter reliability is {reliability!r}, must be one of {allowed}")

    def finish(self) -> None:
        """Wait until all reliable subscribers have received all images; log their number."""
        self._publish_diagnostics()
        for publisher in (self._images, self._diagnostics):
            publisher.wait_for_all_acked(_ACK_TIMEOUT)
        self.get_logger().info(f"published {self.published} frames")

    def _publish_next(self) -> None:
        if self.done or not self._is_heard():
            return
        image, _ = next(self._frames, (None, 0.0))
        if image is None and self._loop:
            self._source = open_source(self._video, self._source.rate_hz)
            self._frames = iter(self._source)
            image, _ = next(self._frames)
        if image is None:
            self.done = True
            return
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        self._images.publish(to_message(image, header))
        self._camera_infos.publish(camera_info(header, image.shape[:2], self._fov_deg))
        self.published += 1

    def _is_heard(self) -> bool:
        """Return whether there have been enough subscribers for long enough."""
        if self._images.get_subscription_count() < self._subscribers:
            self._heard_since_s = math.inf
        else:
            self._heard_since_s = min(self._heard_since_s, time.monotonic())
        return time.monotonic() - self._heard_since_s >= _SETTLE_S

    def _publish_diagnostics(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        values = {
            "published": str(self.published),
            "frames": str(self._source.n_frames),
            "rate (Hz)": f"{self._source.rate_hz:g}",
        }
        name = f"{self.get_fully_qualified_name()}: video"
        message.status = [make_status(name, self._source.name, [], values)]
        self._diagnostics.publish(message)


def camera_info(header: Header, size: tuple[int, int], fov_deg: float) -> CameraInfo:
    """Return the calibration of a pinhole camera with the principal point at the image centre."""
    height, width = size
    f = width / 2 / math.tan(math.radians(fov_deg) / 2)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    return CameraInfo(
        header=header,
        width=width,
        height=height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def main(args: list[str] | None = None) -> int:
    """Publish until the end of the source; return 0, or 2 if the source cannot be read."""
    rclpy.init(args=args)
    node: Any = None
    try:
        node = VideoPublisher()
        spin(node, done=lambda: node.done)
        if node.done:
            node.finish()
    except VideoError as error:
        rclpy.logging.get_logger("video_publisher").error(str(error))
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
