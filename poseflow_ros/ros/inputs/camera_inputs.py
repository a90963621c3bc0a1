"""What one camera of the node subscribes to, and what is wrong with it."""

from time import perf_counter
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from poseflow_ros.config import Config
from poseflow_ros.imaging.image_order import ImageOrder
from poseflow_ros.ros.diagnostics import Alert, FrameStatistics
from poseflow_ros.ros.image_job import ImageJob
from poseflow_ros.ros.inputs.depth_lag import DepthLag
from poseflow_ros.ros.inputs.stamp_repair import StampRepair
from poseflow_ros.ros.inputs.subscription import AdaptiveSubscription
from poseflow_ros.ros.job_queue import JobQueue
from poseflow_ros.ros_data.depth import DepthProjector
from poseflow_ros.ros_data.header import seconds
from poseflow_ros.ros_data.input_checks import (
    clock_problem,
    is_rectified,
    publishers_problem,
    without_slash,
)

_TYPES = {"raw": Image, "compressed": CompressedImage}


class CameraInputs:
    """The subscriptions of one camera.

    `awaits` is called by the frame loop, everything else by the executor's thread.
    Every input is checked here when it arrives. What depends on two inputs, such as the frame of
    depth and image, is checked where they meet, by the same functions: see `input_checks`.
    """

    def __init__(
        self,
        node: LifecycleNode,
        name: str,
        config: Config,
        queue: JobQueue,
        projector: DepthProjector,
        statistics: FrameStatistics,
        logger: Any,
    ) -> None:
        """Subscribe.

        Args:
            node: whose camera it is.
            name: of the camera.
            config: all parameters.
            queue: takes the images.
            projector: takes calibrations and depth images.
            statistics: counts the images.
            logger: of the camera.

        Raises:
            InvalidQosOverridesError: a parameter overrides a QoS with an impossible one.
        """
        self._node = node
        self._name = name
        self._queue = queue
        self._projector = projector
        self._statistics = statistics
        self._logger = logger
        self.config = config
        """All parameters."""
        self.order = ImageOrder(lambda: self.image.publishers)
        """Which images are processed."""
        self._lag = DepthLag()
        self._image_stamps, self._depth_stamps = StampRepair("image"), StampRepair("depth")
        self._frame_id = "unknown"
        self._stamp_s = self._now_s = 0.0
        cameras, depth = config.cameras, config.depth
        self._subscriptions: list[AdaptiveSubscription] = []
        try:
            image_type = _TYPES[cameras.of(name, cameras.image_transport)]
            self.image = self._subscribe(image_type, "image", "cameras.image_transport")
            setting = cameras.of(name, cameras.rectified)
            self.rectified = is_rectified(setting, self.image.topic)
            """Whether the images are rectified."""
            projector.begin(self.rectified)
            self._camera_info = self._subscribe(CameraInfo, "camera_info")
            depth_type = _TYPES[cameras.of(name, depth.image_transport)]
            self._depth = self._subscribe(depth_type, "depth", "depth.image_transport")
        except Exception:
            self.destroy()
            raise

    def destroy(self) -> None:
        """Unsubscribe."""
        while self._subscriptions:
            self._subscriptions.pop().destroy()

    def refresh(self) -> None:
        """Adapt the subscriptions to their publishers."""
        for subscription in self._subscriptions:
            subscription.refresh()

    def awaits(self, stamp_s: float) -> bool:
        """Return whether a calibration, or a depth image of this time, is still expected."""
        projector, config = self._projector, self.config
        if not projector.calibrations.received and self._camera_info.publishers:
            return True
        if not self._depth.publishers:
            return False
        if config.cameras.replay:
            return not projector.has_depth_until(stamp_s)
        return not projector.has_nearest_depth(stamp_s, config.depth.slop_s)

    def _subscribe(
        self, message_type: type[Any], topic: str, parameter: str = ""
    ) -> AdaptiveSubscription:
        callbacks = {
            "image": self._on_image,
            "camera_info": self._on_camera_info,
            "depth": self._on_depth,
        }
        subscription = AdaptiveSubscription(
            self._node,
            message_type,
            f"{self._name}/{topic}" if self._name else topic,
            self.config.cameras.reliability,
            callbacks[topic],
            type_parameter=parameter,
            keep_all=self.config.cameras.replay,
            on_lost=self._statistics.count_lost if topic == "image" else None,
        )
        self._subscriptions.append(subscription)
        return subscription

    # Callbacks

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._statistics.receive()
        clock = self._node.get_clock()
        self._frame_id = message.header.frame_id
        self._normalize(message.header, self._image_stamps)
        job = ImageJob(self._name, message, perf_counter())
        self._stamp_s, self._now_s = job.stamp_s, 1e-9 * clock.now().nanoseconds
        self._lag.add_image(job.stamp_s, job.received_s, self.config.depth.slop_s)
        waiting, max_backward_s = (
            self._queue.newest(self._name),
            self.config.cameras.max_backward_s,
        )
        if waiting and (reason := self.order.inferior(job, waiting, max_backward_s)):
            self._statistics.drop(reason)
        elif self._queue.put(job) is not None:
            self._statistics.drop("superseded by a newer image")

    def _on_camera_info(self, message: CameraInfo) -> None:
        store = self._projector.calibrations
        if not store.received:
            self._log_rectified()
        before, message.header.frame_id = store.problem, without_slash(message.header.frame_id)
        self._projector.calibrate(message)
        if store.problem not in ("", before):
            self._logger.warning(store.problem)

    def _on_depth(self, message: Image | CompressedImage) -> None:
        self._normalize(message.header, self._depth_stamps)
        stamp_s = seconds(message.header.stamp)
        self._lag.add_depth(stamp_s, perf_counter(), self.config.depth.slop_s)
        self._projector.add_depth(message)

    def _log_rectified(self) -> None:
        are, used = ("are", "P") if self.rectified else ("are not", "K and D")
        setting = self.config.cameras.of(self._name, self.config.cameras.rectified)
        self._logger.info(
            f"images on {self.image.topic} {are} rectified (cameras.rectified is {setting}): "
            f"{used} of camera_info apply"
        )

    def _normalize(self, header: Header, stamps: StampRepair) -> None:
        header.frame_id = without_slash(header.frame_id)
        header.stamp = stamps.usable(header.stamp, self._node.get_clock())

    # Diagnostics

    def alerts(self) -> list[Alert]:
        """Return what is wrong with the inputs."""
        texts = [
            self._image_stamps.problem,
            self._depth_stamps.problem,
            self._frame_problem(),
            clock_problem(self._stamp_s, self._now_s, self.config.cameras.max_image_age_s),
            *(text for other in self._subscriptions[1:] for text in other.problems()),
            self._calibration_problem(),
            self._lag_problem(),
        ]
        errors = [(DiagnosticStatus.ERROR, text) for text in self._foreign_problems()]
        return errors + [(DiagnosticStatus.WARN, text) for text in texts if text]

    def values(self) -> dict[str, str]:
        """Return the choices made for the inputs, and measurements."""
        behind = self._now_s - self._stamp_s
        return {
            "rectified": str(self.rectified).lower(),
            "stamp behind the clock (s)": f"{behind:.3f}" if self._now_s else "",
        } | self._lag.values()

    def _foreign_problems(self) -> list[str]:
        """Return that images of several publishers, or of two sizes, come on one topic."""
        names, topic = self.image.publisher_names(), self.image.topic
        problems = [publishers_problem(topic, names)]
        if self.order.alternates and self.order.size and self.order.foreign_size:
            have, other = (f"{w} x {h}" for h, w in (self.order.size, self.order.foreign_size))
            problems.append(
                f"images of {have} and {other} pixels alternate on {topic}, published by "
                f"{', '.join(names)}: those of {other} are dropped"
            )
        return [problem for problem in problems if problem]

    def _frame_problem(self) -> str:
        if not self._frame_id:
            return "the frame_id of the images is empty"
        if self._frame_id.startswith("/"):
            plain = without_slash(self._frame_id)
            return f"the frame_id of the images is {self._frame_id!r}: {plain!r} is used, as in TF"
        return ""

    def _calibration_problem(self) -> str:
        """Return why the camera_info received is not used, unless it is the reason for no 3D."""
        projector = self._projector
        if not projector.calibrations.received:
            info, wanted = self._camera_info, projector.depth_received
            return f"no camera_info on {info.topic}: {info.why_silent()}" if wanted else ""
        problem = projector.calibration_problem or projector.calibrations.problem
        return "" if projector.depth_received and problem == projector.trouble else problem

    def _lag_problem(self) -> str:
        """Return that depth images come too late to be used."""
        wait_s, (_, p99) = self.config.depth.wait_s, self._lag.percentiles_s() or (0.0, 0.0)
        if p99 <= wait_s or (not wait_s and not self._projector.trouble):
            return ""
        return (
            f"depth images arrive {p99:.3f} s (p99) after their images, depth.wait_s is "
            f"{wait_s:g}: set it to {self._lag.recommended_wait_s():.2f}"
        )
