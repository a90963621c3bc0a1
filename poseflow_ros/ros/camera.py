"""One camera of the node: its subscriptions, pipeline, outputs and statistics."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from poseflow_ros.config import Config
from poseflow_ros.pipeline import Pipeline
from poseflow_ros.ros.calibration import Calibration
from poseflow_ros.ros.depth import DepthProjector
from poseflow_ros.ros.diagnostics import Alert, FrameStatistics, make_status, threshold_alerts
from poseflow_ros.ros.image_job import ImageJob, PendingOutput
from poseflow_ros.ros.job_queue import JobQueue
from poseflow_ros.ros.outputs import Outputs
from poseflow_ros.ros.subscription import AdaptiveSubscription
from poseflow_ros.ros.target_frame import TargetFrame
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.appearance_likelihood import AppearanceLikelihood

_LOG_PERIOD_S = 5.0
_IMAGE_TYPES = {"raw": Image, "compressed": CompressedImage}


@dataclass(frozen=True, slots=True)
class CameraCounters:
    """What continues when the node is configured again.

    Attributes:
        epoch: of the people; the next activation raises it.
        sequence: the number of the next message.
    """

    epoch: int = 0
    sequence: int = 0


class Camera:
    """Everything that the node has of each camera.

    Its own methods are called by the executor's thread; the inference loop uses its parts.
    """

    def __init__(
        self,
        node: LifecycleNode,
        name: str,
        config: Config,
        skeleton: Skeleton,
        queue: JobQueue,
        *,
        appearance: AppearanceLikelihood,
        target: TargetFrame | None,
        counters: CameraCounters,
    ) -> None:
        """Create the publishers, but no subscription yet.

        Args:
            node: whose camera it is.
            name: part of its topics' names; may be empty.
            config: all parameters.
            skeleton: of the people.
            queue: takes the images to be processed, of all cameras.
            appearance: the constants of the appearance model.
            target: the frame of 3D positions; None for the camera's own.
            counters: where those of the last camera of this name stopped.

        Raises:
            InvalidQosOverridesError: a parameter overrides a QoS with an impossible one.
        """
        self.name = name
        logger = node.get_logger()
        self._logger = logger.get_child(name) if name else logger
        self.pipeline: Pipeline[PendingOutput] = Pipeline(
            config, skeleton, appearance, self._log_reset, epoch=counters.epoch
        )
        self.projector = DepthProjector(skeleton, target, keep_all=config.cameras.replay)
        self.statistics = FrameStatistics()
        self._node = node
        self._config = config
        self._queue = queue
        self._inputs: list[AdaptiveSubscription] = []
        self._silent = False
        lens = self.projector.lens
        self.outputs = Outputs(node, name, skeleton, lens, self.statistics, config)
        self.outputs.sequence = counters.sequence

    @property
    def active(self) -> bool:
        """Whether it is subscribed."""
        return bool(self._inputs)

    @property
    def topic(self) -> str:
        """The full name of the image topic, while active."""
        return self._inputs[0].topic

    @property
    def counters(self) -> CameraCounters:
        """What a later camera of this name continues."""
        return CameraCounters(self.pipeline.epoch, self.outputs.sequence)

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        self._config = config
        self.pipeline.configure(config)
        self.outputs.configure(config)

    def activate(self) -> None:
        """Subscribe."""
        self._reset_tracking("deactivated")
        self.projector.clear_depth()
        self.statistics.restart_silence()
        image_type = _IMAGE_TYPES[self._config.cameras.of("image_transport", self.name)]
        self._inputs = [
            self._subscribe(image_type, "image"),
            self._subscribe(CameraInfo, "camera_info"),
            self._subscribe(Image, "depth"),
        ]

    def deactivate(self) -> None:
        """Unsubscribe and delete the markers; the queue's generation must have ended."""
        was_active, inputs, self._inputs = self.active, self._inputs, []
        for subscription in inputs:
            subscription.destroy()
        self.projector.notify()
        # After SIGINT nothing can be published, and the markers expire by their lifetime.
        if was_active and self._node.context.ok():
            self.outputs.clear()

    def reset(self) -> None:
        """Forget all tracks and delete the markers; the queue's generation must have ended."""
        self._reset_tracking("reset")
        if self.active:
            self.outputs.clear()

    def _reset_tracking(self, reason: str) -> None:
        for _ in range(self.pipeline.reset()):
            self.statistics.drop(reason)

    # Inputs

    def _subscribe(self, message_type: type[Any], topic: str) -> AdaptiveSubscription:
        callbacks: dict[str, Callable[[Any], None]] = {
            "image": self._on_image,
            "camera_info": self._on_camera_info,
            "depth": self.projector.add_depth,
        }
        return AdaptiveSubscription(
            self._node,
            message_type,
            f"{self.name}/{topic}" if self.name else topic,
            self._config.cameras.reliability,
            callbacks[topic],
            keep_all=self._config.cameras.replay,
            on_lost=self.statistics.count_lost if topic == "image" else None,
        )

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.receive()
        if self._queue.put(ImageJob(self.name, message, perf_counter())) is not None:
            self.statistics.drop("superseded by a newer image")

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self.projector.calibrate(Calibration.of(message))
        except ValueError as error:
            self._logger.warning(f"camera_info ignored: {error}", once=True)

    def wait_for_depth(self, job: ImageJob, timeout_s: float) -> None:
        """Wait for the calibration and the depth of an image, if their topics have publishers.

        Called by the inference loop.

        Args:
            job: the image.
            timeout_s: since the image was received, seconds.
        """
        remaining_s = job.received_s + timeout_s - perf_counter()
        self.projector.wait(lambda: not self._awaits_depth(job.stamp_s), remaining_s)

    def _awaits_depth(self, stamp_s: float) -> bool:
        if not (inputs := self._inputs):
            return False
        _, info, depth = inputs
        if self.projector.calibration is None and info.publishers:
            return True
        return not self.projector.has_depth_until(stamp_s) and depth.publishers > 0

    # Diagnostics

    def diagnose(self) -> DiagnosticStatus:
        """Adapt the subscriptions to their publishers and return the diagnostics."""
        for subscription in self._inputs:
            subscription.refresh()
        self.projector.notify()
        silence = self._silence_alerts() if self.active else []
        if silence and not self._silent:
            self._logger.warning(silence[0][1])
        self._silent = bool(silence)
        return make_status(
            f"{self._node.get_fully_qualified_name()}: camera {self.name}".rstrip(),
            self.topic if self.active else "",
            silence + self._alerts() if self.active else [],
            {
                "active": str(self.active),
                "epoch": str(self.pipeline.epoch),
                "depth": self.projector.trouble or "matched",
                "waiting": str(self._queue.waiting(self.name)),
            }
            | self.statistics.values(),
        )

    def _silence_alerts(self) -> list[Alert]:
        limits, silence_s = self._config.diagnostics, self.statistics.silence_s()
        if silence_s < limits.warn_silence_s:
            return []
        image = self._inputs[0]
        text = f"no image on {image.topic} for {silence_s:.0f} s: {image.why_silent()}"
        return threshold_alerts(silence_s, limits.warn_silence_s, limits.error_silence_s, text)

    def _alerts(self) -> list[Alert]:
        limits = self._config.diagnostics
        share, reasons = self.statistics.missing_lately()
        counts = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        text = f"{share:.0%} of the latest images missing: {counts}"
        alerts = (
            threshold_alerts(share, limits.warn_dropped, limits.error_dropped, text)
            if reasons
            else []
        )
        latency_s = self.statistics.latency_s()
        text = f"p99 latency exceeds {limits.warn_latency_s:g} s: {latency_s:.2f} s"
        alerts += threshold_alerts(latency_s, limits.warn_latency_s, limits.error_latency_s, text)
        if self.projector.depth_received and self.projector.trouble:
            alerts.append((DiagnosticStatus.WARN, f"no 3D positions: {self.projector.trouble}"))
        return alerts

    def _log_reset(self, text: str) -> None:
        self._logger.warning(text, throttle_duration_sec=_LOG_PERIOD_S)

    def log_dropped(self, reason: str) -> None:
        """Log why an image was dropped, throttled."""
        self._logger.warning(f"image dropped: {reason}", throttle_duration_sec=_LOG_PERIOD_S)
