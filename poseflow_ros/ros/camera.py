"""One camera of the node: its images, who is known in them, and how it fares."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from poseflow_ros.config import Config
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.pipeline import Frame, Pipeline
from poseflow_ros.poses import Image as Pixels
from poseflow_ros.poses import Poses
from poseflow_ros.ros.calibration import Calibration
from poseflow_ros.ros.conversions import seconds
from poseflow_ros.ros.depth import Lifter, View
from poseflow_ros.ros.diagnostics import FrameStatistics, Stages, Worry, status, worry
from poseflow_ros.ros.images import ImageError, to_rgb
from poseflow_ros.ros.outputs import Outputs
from poseflow_ros.ros.subscription import AdaptiveSubscription
from poseflow_ros.ros.target_frame import TargetFrame
from poseflow_ros.ros.worker import Worker

_SAY_AGAIN_S = 5.0
# A transform comes a little later than the image. In a replay what an image needs is waited for.
_TRANSFORM_WAIT_S = 0.05
_REPLAY_WAIT_S = 2.0
_IMAGE_TYPES = {"raw": Image, "compressed": CompressedImage}


@dataclass(slots=True, eq=False)
class Arrival:
    """An image that came, and what is made of it on its way.

    Attributes:
        camera: whose it is.
        message: the image as it came, until it is converted.
        header: of the message.
        activation: in which it came.
        arrived_s: when it came, by `perf_counter`.
        started_s: when work on it began.
        behind_s: for how long other images were in work meanwhile, seconds.
        converted_s: when it was converted.
        image: (H, W, 3) RGB, once it is converted.
        view: what puts its people into space.
    """

    camera: "Camera"
    message: Image | CompressedImage | None
    header: Header
    activation: int
    arrived_s: float
    started_s: float = 0.0
    behind_s: float = 0.0
    converted_s: float = 0.0
    image: Pixels | None = None
    view: View | None = None


class Camera:
    """What the node has of each camera: inputs, pipeline, outputs and counts.

    The executor's thread takes messages, the worker's converts and answers images.
    """

    def __init__(
        self,
        node: LifecycleNode,
        name: str,
        config: Config,
        estimator: PoseEstimator,
        worker: Worker[Arrival],
        *,
        target: TargetFrame | None,
        epoch: int,
        sequence: int,
    ) -> None:
        """Create what it takes, but no subscription yet.

        Args:
            node: whose camera it is.
            name: part of its topics' names; may be empty.
            config: all parameters.
            estimator: the network, for all cameras.
            worker: takes the images to be worked on, of all cameras.
            target: the frame in which people are told in space.
            epoch: the first one of its people.
            sequence: the number of its first message.

        Raises:
            InvalidQosOverridesError: a parameter overrides a QoS with what cannot be.
        """
        self.name = name
        logger = node.get_logger()
        self._logger = logger.get_child(name) if name else logger
        self.pipeline = Pipeline(config, estimator, self._say_anew, epoch)
        self.lifter = Lifter(estimator.skeleton, target, keep_all=config.node.replay)
        self.statistics = FrameStatistics()
        self._node = node
        self._config = config
        self._worker = worker
        self._inputs: list[AdaptiveSubscription] = []
        self._in_line: deque[Arrival] = deque()
        self._activation = 0
        self._resets = 0
        self._active = False
        self._silent = False
        self.outputs = Outputs(node, name, estimator.skeleton, self.lifter, config.node, sequence)

    def configure(self, config: Config) -> None:
        """Take the live parameters from the next image on."""
        with self.pipeline.lock:
            self._config = config
            self.pipeline.configure(config)
            self.outputs.configure(config.node)

    def activate(self) -> None:
        """Begin to listen and to publish."""
        self.forget("deactivated")
        self.lifter.forget_depths()
        self.statistics.restart_silence()
        self._activation += 1
        self._active = True
        self._inputs = [
            self._listen(_IMAGE_TYPES[self._config.node.transports[self.name]], "image"),
            self._listen(CameraInfo, "camera_info"),
            self._listen(Image, "depth"),
        ]

    def deactivate(self) -> None:
        """Stop listening and say the last word; an image still in work is not told."""
        for subscription in self._inputs:
            subscription.destroy()
        self._inputs = []
        for _ in [*self._in_line, *self._worker.clear(self)]:
            self.statistics.drop("deactivated")
        self._in_line.clear()
        if self._active:
            with self.pipeline.lock:
                self._active = False
                if self._node.context.ok():  # not after SIGINT: then their lifetime ends them
                    self.outputs.clear()

    def forget(self, reason: str) -> None:
        """Begin anew with nobody; frames held back are dropped for this reason."""
        self._resets += 1
        for _ in range(self.pipeline.reset()):
            self.statistics.drop(reason)

    def reset(self) -> None:
        """Begin anew with nobody, while active."""
        self.forget("reset")
        with self.pipeline.lock:
            if self._active:
                self.outputs.clear()

    @property
    def topic(self) -> str:
        """The full name of the topic that it listens to."""
        return self._inputs[0].topic

    # An image's way, in the executor's thread

    def _listen(self, message_type: type[Any], topic: str) -> AdaptiveSubscription:
        callbacks: dict[str, Callable[[Any], None]] = {
            "image": self._on_image,
            "camera_info": self._on_camera_info,
            "depth": self._on_depth,
        }
        return AdaptiveSubscription(
            self._node,
            message_type,
            f"{self.name}/{topic}" if self.name else topic,
            self._config.node.image_reliability,
            callbacks[topic],
            keep_all=self._config.node.replay,
            on_lost=self.statistics.lose if topic == "image" else None,
        )

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.receive()
        self._in_line.append(
            Arrival(self, message, message.header, self._activation, perf_counter())
        )
        self._hand_over()

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self.lifter.calibration = Calibration.of(message) or self.lifter.calibration
        except ValueError as error:
            self._logger.warning(f"camera_info passed over: {error}", once=True)
        self._hand_over()

    def _on_depth(self, message: Image) -> None:
        self.lifter.add_depth(message)
        self._hand_over()

    def _hand_over(self) -> None:
        """Let images be worked on; in a replay in line, each when what belongs to it is here."""
        replay = self._config.node.replay
        while self._in_line and not (replay and self._waits(self._in_line[0])):
            if self._worker.submit(self, self._in_line.popleft()) is not None:
                self.statistics.drop("superseded by a newer image")

    def _waits(self, arrival: Arrival) -> bool:
        """Return whether more may come that belongs to this image."""
        if perf_counter() - arrival.arrived_s > _REPLAY_WAIT_S:
            return False
        _, info, depth = self._inputs
        if self.lifter.calibration is None and info.publishers:
            return True
        stamp_s = seconds(arrival.header.stamp)
        return not self.lifter.has_depth_until(stamp_s) and depth.publishers > 0

    # An image's way, in the worker's thread

    def convert(self, arrival: Arrival) -> bool:
        """Make pixels of a message; return whether there are any, and worth the network's time."""
        assert arrival.message is not None
        if not self._active or arrival.activation != self._activation:
            self.statistics.drop("deactivated")
            return False
        limit_s = self._config.node.max_image_age_s
        if 0 < limit_s < self._now_s() - seconds(arrival.header.stamp):
            self.statistics.drop("too old")
            return False
        try:
            arrival.image = to_rgb(arrival.message)
        except ImageError as error:
            self.statistics.drop("malformed")
            self.say_dropped(str(error))
            return False
        arrival.message = None
        arrival.converted_s = perf_counter()
        return True

    def answer(self, arrival: Arrival, poses: Poses, estimate_s: float) -> None:
        """Tell who the people of an image are; with `flow_window_s` of an older one."""
        assert arrival.image is not None
        node = self._config.node
        wait_s = _REPLAY_WAIT_S if node.replay else _TRANSFORM_WAIT_S
        arrival.view = self.lifter.view(arrival.header, node.depth_slop_s, wait_s)
        stamp_s, resets = seconds(arrival.header.stamp), self._resets
        for frame in self.pipeline.track(arrival.image, poses, stamp_s, arrival, estimate_s):
            self._tell(frame, resets)

    def _tell(self, frame: Frame, resets: int) -> None:
        """Publish one frame, unless a transition or a reset came after so many."""
        arrival: Arrival = frame.tag
        tracked_s = perf_counter()
        with self.pipeline.lock:
            if not self._active or arrival.activation != self._activation:
                self.statistics.drop("deactivated")
                return
            if resets != self._resets:
                self.statistics.drop("reset")
                return
            dropped = self.statistics.take_dropped()
            self.outputs.tell(frame, arrival.header, arrival.view, dropped)
        stages = Stages(
            behind=arrival.behind_s,
            wait=arrival.started_s - arrival.arrived_s - arrival.behind_s,
            convert=arrival.converted_s - arrival.started_s,
            estimate=frame.estimate_s,
            track=frame.track_s,
            publish=perf_counter() - tracked_s,
        )
        self.statistics.process(stages, int(frame.tracked.visible.sum()))

    # How it fares

    def look(self) -> DiagnosticStatus:
        """Look after the inputs and return how it fares; once a second."""
        for subscription in self._inputs:
            subscription.refresh()
        self._hand_over()
        silence = self._silence()
        if silence and not self._silent:
            self._logger.warning(silence[0][1])
        self._silent = bool(silence)
        return status(
            f"{self._node.get_fully_qualified_name()}: camera {self.name}".rstrip(),
            self._inputs[0].topic if self._inputs else "",
            silence + self._worries() if self._active else [],
            {
                "active": str(self._active),
                "epoch": str(self.pipeline.epoch),
                "depth": self.lifter.trouble or "matched",
                "waiting": str(len(self._in_line) + self._worker.waiting(self)),
            }
            | self.statistics.values(),
        )

    def _silence(self) -> list[Worry]:
        node, silence_s = self._config.node, self.statistics.silence_s()
        if not self._active or silence_s < node.warn_silence_s:
            return []
        image = self._inputs[0]
        words = f"no image on {image.topic} for {silence_s:.0f} s: {image.why_silent()}"
        return worry(silence_s, node.warn_silence_s, node.error_silence_s, words)

    def _worries(self) -> list[Worry]:
        node = self._config.node
        share, reasons = self.statistics.missing_lately()
        why = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        words = f"{share:.0%} of the latest images missing: {why}"
        worries = worry(share, node.warn_dropped, node.error_dropped, words) if reasons else []
        latency_s = self.statistics.latency_s()
        words = f"an image in a hundred takes longer than {latency_s:.2f} s"
        worries += worry(latency_s, node.warn_latency_s, node.error_latency_s, words)
        if self.lifter.depth_came and self.lifter.trouble:
            worries.append((DiagnosticStatus.WARN, f"nobody in space: {self.lifter.trouble}"))
        return worries

    def _say_anew(self, words: str) -> None:
        self._logger.warning(words, throttle_duration_sec=_SAY_AGAIN_S)

    def say_dropped(self, reason: str) -> None:
        """Log why an image was dropped, now and then."""
        self._logger.warning(f"image dropped: {reason}", throttle_duration_sec=_SAY_AGAIN_S)

    def _now_s(self) -> float:
        return float(1e-9 * self._node.get_clock().now().nanoseconds)
