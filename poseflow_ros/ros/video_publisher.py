"""A video, images, a camera or a stream as image topic: for the demo, tests and trials."""

import math
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from poseflow_ros import poses
from poseflow_ros.imaging.video import (
    DEFAULT_TIMEOUT_S,
    MAX_RATE_HZ,
    IncompleteVideoError,
    Source,
    VideoError,
    open_source,
)
from poseflow_ros.parameter_files import unmatched_files
from poseflow_ros.ros.diagnostics import make_status
from poseflow_ros.ros.inputs.images import to_message
from poseflow_ros.ros.parameters import unknown
from poseflow_ros.ros.playback import PlaybackClock
from poseflow_ros.ros.process_exit import exit_now
from poseflow_ros.ros.rclpy_workarounds import init, spin

_RELIABILITIES = {
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
}
_STAMPS = ("auto", "names")
_ACK_TIMEOUT = Duration(seconds=5)
# The publisher discovers a subscriber before the subscriber discovers the publisher; images sent
# in between are lost.
_SETTLE_S = 0.5
_POLL_S = 0.02
_RECONNECT_S = 1.0
_JOIN_S = 1.0


class VideoPublisher(Node):
    """Publishes `image` and `camera_info` at the times of the source, then ends.

    A thread reads the source and publishes. A camera or a stream that fails is opened again. The
    camera is not known, so `camera_info` is that of a pinhole with the field of view
    `horizontal_fov_deg`.
    """

    def __init__(self) -> None:
        """Open the source.

        Raises:
            VideoError: the source cannot be opened or a parameter is invalid.
        """
        super().__init__("video_publisher")
        self._names: list[str] = []
        self._video: str = self._parameter("video", "")
        self._rate_hz: float = self._parameter("rate_hz", 0.0)
        self._stamps: str = self._parameter("stamps", "auto")
        self._timeout_s: float = self._parameter("timeout_s", DEFAULT_TIMEOUT_S)
        self._loop: bool = self._parameter("loop", False)
        self._frame_id: str = self._parameter("frame_id", "camera")
        self._fov_deg: float = self._parameter("horizontal_fov_deg", 60.0)
        self._subscribers: int = self._parameter("wait_for_subscribers", 1)
        reliability: str = self._parameter("reliability", "reliable")
        self._log_unused()
        self._check(reliability)

        self._source = self._open()
        qos = QoSProfile(depth=5, reliability=_RELIABILITIES[reliability])
        self._images = self.create_publisher(Image, "image", qos)
        self._camera_infos = self.create_publisher(CameraInfo, "camera_info", qos)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics)
        self.published = 0
        self.failure: VideoError | None = None
        """Why not all images of the source were published."""
        self._heard_since_s = math.inf
        self._stopped = threading.Event()
        self._playback = PlaybackClock(self._stopped)
        self.get_logger().info(
            f"{self._source.name}: {self._source.n_frames or 'unknown number of'} frames at "
            f"{self._source.rate_hz:g} Hz on {self._images.topic_name}; "
            f"publishing starts when there are {self._subscribers} subscribers"
        )
        if self._source.hint:
            self.get_logger().warning(self._source.hint.replace("--stamps names", "stamps:=names"))
        self._thread = threading.Thread(target=self._play, name="video", daemon=True)
        self._thread.start()

    def _parameter(self, name: str, default: Any) -> Any:
        """Return a parameter's value; rclpy itself would end the process over a wrong type."""
        self._names.append(name)
        value = self.declare_parameter(
            name, default, ParameterDescriptor(dynamic_typing=True)
        ).value
        kind = type(default)
        if type(value) is int and kind in (float, str):  # rate_hz:=5, a camera's video:=0
            value = kind(value)
        if type(value) is not kind:
            raise VideoError(f"parameter {name} is {value!r}, must be of type {kind.__name__}")
        return value

    def _log_unused(self) -> None:
        """Log parameters that do not exist, and files and assignments for another node."""
        lines = unknown(self, self._names)
        lines += unmatched_files(sys.argv, self.get_fully_qualified_name())
        for line in lines:
            self.get_logger().warning(line)

    def _check(self, reliability: str) -> None:
        if not self._video:
            raise VideoError(
                "parameter video is empty, must be a file, folder of images, pattern such as "
                "img_%04d.png, camera number or device, or URL of a stream"
            )
        if not 0 <= self._rate_hz <= MAX_RATE_HZ:
            raise VideoError(
                f"parameter rate_hz is {self._rate_hz}, must be from 0 (its own) to {MAX_RATE_HZ}"
            )
        if self._stamps not in _STAMPS:
            allowed = ", ".join(_STAMPS)
            raise VideoError(f"parameter stamps is {self._stamps!r}, must be one of {allowed}")
        if not 1 <= self._fov_deg <= 179:
            raise VideoError(f"parameter horizontal_fov_deg is {self._fov_deg}, must be 1 to 179")
        if reliability not in _RELIABILITIES:
            allowed = ", ".join(_RELIABILITIES)
            raise VideoError(f"parameter reliability is {reliability!r}, must be one of {allowed}")

    def _open(self) -> Source:
        return open_source(
            self._video,
            self._rate_hz,
            stamps_from_names=self._stamps == "names",
            timeout_s=self._timeout_s,
        )

    @property
    def done(self) -> bool:
        """Whether the source has ended."""
        return not self._thread.is_alive()

    @property
    def exit_code(self) -> int:
        """0, 2 if the source could not be read, or 3 if not all of it."""
        if not self.failure:
            return 0
        incomplete = self.published or isinstance(self.failure, IncompleteVideoError)
        return 3 if incomplete else 2

    def finish(self) -> None:
        """Wait until every reliable subscriber has every image, and log how many there were."""
        self._publish_diagnostics()
        for publisher in (self._images, self._diagnostics):
            publisher.wait_for_all_acked(_ACK_TIMEOUT)
        self.get_logger().info(f"published {self.published} frames")
        if self.failure:
            self.get_logger().error(_text(self.failure))

    def stop(self) -> bool:
        """End the thread; return False if it still waits for a stream."""
        self._stopped.set()
        self._thread.join(_JOIN_S)
        return self.done

    # In the thread

    def _play(self) -> None:
        """Publish everything that the source yields."""
        try:
            for source in self._sources():
                self._playback.start_pass(1 / source.rate_hz)
                for image, stamp_s in source:
                    if not (self._skips(source) or self._stopped.is_set()):
                        self._publish(
                            image, 0.0 if source.is_live else self._playback.wait(stamp_s)
                        )
                    if self._stopped.is_set():
                        return
        except VideoError as error:
            self.failure = error

    def _sources(self) -> Iterator[Source]:
        """Yield the source, again and again where it loops or is live.

        Raises:
            VideoError: of a source that is not live.
        """
        source: Source | None = self._source
        while source and not self._stopped.is_set():
            if not source.is_live:
                yield source
                source = self._open() if self._loop else None
                continue
            yield from self._until_lost(source)
            source = self._reconnect()

    def _until_lost(self, source: Source) -> Iterator[Source]:
        """Yield a live source whose end is a warning."""
        reason = f"{source.name} ended"

        def frames() -> Iterator[tuple[poses.Image, float]]:
            nonlocal reason
            try:
                yield from source
            except VideoError as error:
                reason = str(error)

        yield Source(source.name, source.rate_hz, 0, frames(), is_live=True)
        self.get_logger().warning(f"{reason}; reconnecting")

    def _reconnect(self) -> Source | None:
        """Return the live source as soon as it can be opened; None when stopped."""
        while not self._stopped.wait(_RECONNECT_S):
            try:
                source = self._open()
            except VideoError as error:
                self.get_logger().warning(str(error), throttle_duration_sec=30.0)
            else:
                self.get_logger().info(f"{source.name}: reconnected")
                return source
        return None

    def _skips(self, source: Source) -> bool:
        """Return whether to skip an image; a file waits until there are enough subscribers."""
        while not self._is_heard():
            if source.is_live or self._stopped.wait(_POLL_S):
                return True
        return False

    def _publish(self, image: poses.Image, age_s: float) -> None:
        """Publish an image that was due `age_s` seconds ago."""
        stamp = self.get_clock().now() - Duration(nanoseconds=round(1e9 * age_s))
        header = Header(stamp=stamp.to_msg(), frame_id=self._frame_id)
        self._images.publish(to_message(image, header))
        self._camera_infos.publish(camera_info(header, image.shape[:2], self._fov_deg))
        self.published += 1

    def _is_heard(self) -> bool:
        """Return whether there are enough subscribers, and for long enough."""
        if self._images.get_subscription_count() < self._subscribers:
            self._heard_since_s = math.inf
        else:
            self._heard_since_s = min(self._heard_since_s, time.monotonic())
        return time.monotonic() - self._heard_since_s >= _SETTLE_S

    # In the executor

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


def _text(error: VideoError) -> str:
    """Return the error as UTF-8; names of files may have other bytes."""
    return str(error).encode(errors="backslashreplace").decode()


def main(args: list[str] | None = None) -> int:
    """Publish until the end; return 0, 2 if the source cannot be read, or 3 if not all of it."""
    init(args)
    try:
        node = VideoPublisher()
    except VideoError as error:
        rclpy.logging.get_logger("video_publisher").error(_text(error))
        rclpy.try_shutdown()
        return 2
    try:
        spin(node, done=lambda: node.done)
        if node.done:
            node.finish()
    finally:
        stopped = node.stop()
        node.destroy_node()
        rclpy.try_shutdown()
    exit_code = node.exit_code
    if not stopped:
        exit_now(exit_code)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
