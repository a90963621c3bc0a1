"""One camera of the node: its inputs, pipeline, outputs and statistics."""

import traceback
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode

from poseflow_ros.config import Config
from poseflow_ros.estimation.errors import DeviceLostError, OutOfMemoryError
from poseflow_ros.imaging.gray_range import GrayRange
from poseflow_ros.imaging.ros_image import ImageError
from poseflow_ros.imaging.rotation import Rotation
from poseflow_ros.pipeline import Pipeline
from poseflow_ros.ros.diagnostics import (
    Alert,
    FrameStatistics,
    ResetLog,
    make_status,
    threshold_alerts,
)
from poseflow_ros.ros.frame_loop import FrameLoop
from poseflow_ros.ros.image_job import DroppedImageError, PendingOutput
from poseflow_ros.ros.inputs.camera_inputs import CameraInputs
from poseflow_ros.ros.job_queue import JobQueue
from poseflow_ros.ros.outputs.camera_outputs import CameraOutputs
from poseflow_ros.ros_data.depth import DepthProjector
from poseflow_ros.ros_data.frames import TargetFrame
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.appearance_likelihood import AppearanceLikelihood

_LOG_PERIOD_S = 5.0


@dataclass(frozen=True, slots=True)
class CameraCounters:
    """Counters that continue when the node is configured again.

    Attributes:
        epoch: of the tracking; the next activation increments it.
        sequence: number of the next message.
    """

    epoch: int = 0
    sequence: int = 0


class Camera:
    """One camera of the node.

    Its methods are called by the executor's thread; the inference loop uses its attributes.
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
            node: owner of the subscriptions and publishers.
            name: part of its topics' names; may be empty.
            config: all parameters.
            skeleton: of the people.
            queue: receives the images of all cameras.
            appearance: the constants of the appearance model.
            target: the frame of 3D positions; None for the camera's own.
            counters: final counters of the previous camera of this name.

        Raises:
            InvalidQosOverridesError: a parameter overrides a QoS with an invalid one.
        """
        self.name = name
        logger = node.get_logger()
        self._logger = logger.get_child(name) if name else logger
        self.pipeline: Pipeline[PendingOutput] = Pipeline(
            config, skeleton, appearance, self._log_reset, epoch=counters.epoch
        )
        self.rotation = Rotation(config.cameras.of(name, config.cameras.rotate))
        self._gray_range = GrayRange(config.cameras.mono16_range)
        up = self.rotation.up_optical
        self.projector = DepthProjector(skeleton, target, keep_all=config.cameras.replay, up=up)
        self.statistics = FrameStatistics()
        self._resets = ResetLog()
        self._node = node
        self._config = config
        self._queue = queue
        self._inputs: CameraInputs | None = None
        self._silent = False
        self.outputs = CameraOutputs(node, name, skeleton, self.projector.lens, up, config)
        self.outputs.sequence = counters.sequence
        self.frames = FrameLoop(
            name,
            config,
            self.projector,
            self.outputs,
            self.statistics,
            self.rotation,
            check=queue.check,
            awaits=self._awaits,
            on_error=self.drop,
        )

    @property
    def active(self) -> bool:
        """Whether it is subscribed."""
        return self._inputs is not None

    @property
    def topic(self) -> str:
        """The full name of the image topic, while active."""
        return self._inputs.image.topic if self._inputs else ""

    @property
    def counters(self) -> CameraCounters:
        """The counters, for the next camera of this name."""
        return CameraCounters(self.pipeline.epoch, self.outputs.sequence)

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        self._config = config
        self.pipeline.configure(config)
        self.outputs.configure(config)
        self.frames.configure(config)
        if self._inputs:
            self._inputs.config = config

    def activate(self) -> None:
        """Subscribe.

        Raises:
            InvalidQosOverridesError: a parameter overrides a QoS with an impossible one.
        """
        self._reset_tracking("deactivated")
        self._gray_range.reset()
        self.statistics.restart_silence()
        self._inputs = CameraInputs(
            self._node,
            self.name,
            self._config,
            self._queue,
            self.projector,
            self.statistics,
            self._logger,
        )

    def deactivate(self) -> None:
        """Unsubscribe and delete the markers; the queue's generation must have ended."""
        inputs, self._inputs = self._inputs, None
        self.projector.notify()
        if inputs:
            inputs.destroy()
            self.outputs.clear(removed=False)

    def reset(self) -> None:
        """Remove all tracks and delete the markers; call after a new generation was started."""
        self._reset_tracking("reset")
        self._resets.add("tracking reset: requested by ~/reset")
        self.projector.notify()
        if self.active:
            self.outputs.clear(removed=True)

    def close(self, timeout_s: float) -> None:
        """End the thread; the queue's generation must have ended."""
        self.frames.close(timeout_s)

    def _reset_tracking(self, reason: str) -> None:
        for _ in range(self.pipeline.reset()):
            self.statistics.drop(reason)

    def _awaits(self, stamp_s: float) -> bool:
        """Return whether an input for an image of this time is expected."""
        inputs = self._inputs
        return inputs is not None and inputs.awaits(stamp_s)

    # Called by any thread

    def check_order(
        self, generation: int, stamp_s: float, size: tuple[int, int], time_s: float
    ) -> None:
        """Accept the next image of the stream; see `ImageOrder.check`.

        Raises:
            DroppedImageError: it is not part of the stream, or the camera is not active.
        """
        if (inputs := self._inputs) is None:
            raise DroppedImageError("deactivated")
        max_backward_s = self._config.cameras.max_backward_s
        if reason := inputs.order.check(generation, stamp_s, size, time_s, max_backward_s):
            raise DroppedImageError(reason)

    def gray_range(self, values: NDArray[np.uint16], stamp_s: float) -> tuple[float, float]:
        """Return which of the (H, W) values of a 16-bit image become black and white."""
        chosen = self._gray_range.update(values, stamp_s)
        self._logger.info(f"16-bit images: black and white are {self._gray_range}", once=True)
        return chosen

    def drop(self, error: Exception) -> None:
        """Drop an image for the reason that an exception gives."""
        if isinstance(error, DroppedImageError):
            self.statistics.drop(str(error))
        elif isinstance(error, ImageError):
            self.statistics.drop("malformed")
            self._log_dropped(str(error))
        elif isinstance(error, OutOfMemoryError):
            self.statistics.drop("out of memory")
            self._logger.warning(f"image dropped: {error}", once=True)
        else:
            self.statistics.drop("failed")
            if not isinstance(error, DeviceLostError):
                self._log_dropped("".join(traceback.format_exception(error)))

    # Diagnostics

    def diagnose(self) -> DiagnosticStatus:
        """Adapt the subscriptions to their publishers and return the diagnostics."""
        inputs = self._inputs
        if inputs:
            inputs.refresh()
        self.projector.notify()
        silence = self._silence_alerts(inputs) if inputs else []
        if silence and not self._silent:
            self._logger.warning(silence[0][1])
        self._silent = bool(silence)
        return make_status(
            f"{self._node.get_fully_qualified_name()}: camera {self.name}".rstrip(),
            self.topic,
            silence + self._alerts() + inputs.alerts() if inputs else [],
            {
                "active": str(self.active),
                "epoch": str(self.pipeline.epoch),
                "resets": str(self._resets.count),
                "depth": self.projector.trouble or "matched",
                "waiting": str(self._queue.waiting(self.name)),
                "16-bit range": str(self._gray_range),
            }
            | (inputs.values() if inputs else {})
            | self.statistics.values(),
        )

    def _silence_alerts(self, inputs: CameraInputs) -> list[Alert]:
        limits, silence_s = self._config.diagnostics, self.statistics.silence_s()
        if silence_s < limits.warn_silence_s:
            return []
        image = inputs.image
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
        return alerts + self._resets.alerts()

    def _log_reset(self, text: str) -> None:
        self._resets.add(text)
        self._logger.warning(text, throttle_duration_sec=_LOG_PERIOD_S)

    def _log_dropped(self, reason: str) -> None:
        self._logger.warning(f"image dropped: {reason}", throttle_duration_sec=_LOG_PERIOD_S)
