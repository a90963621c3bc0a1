"""The lifecycle node: wiring of images in, tracked poses out."""

import functools
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from poseflow_msgs.msg import SkeletonDefinition, TrackedPoseArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from poseflow_ros.config import Config, ConfigError, NodeConfig
from poseflow_ros.estimation.estimator import (
    DeviceLostError,
    EstimatorError,
    OutOfMemoryError,
    make_estimator,
)
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.pipeline import Frame, Pipeline
from poseflow_ros.poses import TrackState
from poseflow_ros.ros import parameters
from poseflow_ros.ros.conversions import (
    put_into_space,
    seconds,
    skeleton_message,
    tracked_pose_messages,
)
from poseflow_ros.ros.depth import Lifter
from poseflow_ros.ros.diagnostics import SILENCE_S, FrameStatistics, Stages, status
from poseflow_ros.ros.images import ImageError, to_message, to_rgb
from poseflow_ros.ros.markers import MarkerMaker, Pinhole
from poseflow_ros.ros.spin import spin
from poseflow_ros.ros.subscription import AdaptiveSubscription
from poseflow_ros.ros.worker import NewestWorker

_SAY_AGAIN_S = 5.0
_LOOK_PERIOD_S = 1.0
# So many images in a row without an answer, and the node goes through its error transition.
_MAX_FAILURES = 10
# A transition answers within 100 ms; a network that takes longer is given back when it ends.
_RELEASE_WAIT_S = 0.08
_EXIT_WAIT_S = 2.0

_IMAGE_TYPES = {"raw": Image, "compressed": CompressedImage}
_RELIABLE = QoSProfile(depth=10)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

Transition = Callable[["PoseFlowNode", LifecycleState], TransitionCallbackReturn]


def _spoken(transition: Transition) -> Transition:
    """Log what a transition raises: rclpy swallows it without a word."""

    @functools.wraps(transition)
    def wrapper(node: "PoseFlowNode", state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().error(f"{transition.__name__} failed:\n{traceback.format_exc()}")
            raise

    return wrapper


def _drawn(node: NodeConfig) -> tuple[float, float, float]:
    """Return what says how markers are drawn."""
    return node.min_keypoint_score, node.marker_depth_m, node.marker_lifetime_s


@dataclass(slots=True)
class _Arrival:
    """An image message, when it came, when work on it began, and in which activation."""

    message: Image | CompressedImage
    arrived_s: float
    activation: int
    started_s: float = 0.0
    converted_s: float = 0.0


class PoseFlowNode(LifecycleNode):
    """Images in; tracked poses, markers, an annotated image and diagnostics out.

    The executor's thread only takes messages and answers; images are worked on by one other
    thread, the newest first.
    """

    def __init__(self, node_name: str = "poseflow", **node_options: Any) -> None:
        super().__init__(node_name, **node_options)
        parameters.declare(self)
        self.add_on_set_parameters_callback(self._check_parameters)
        self._refuse_illegal_transitions()
        self._epoch = 0
        self._sequence = 0
        self._config: Config | None = None
        self._pipeline: Pipeline | None = None
        self._worker: NewestWorker[_Arrival] | None = None
        self._inputs: list[AdaptiveSubscription] = []
        self._outputs: list[Any] = []
        self._active = False
        self._activation = 0
        self._failures = 0
        self._given_up = False
        self._in_work: _Arrival | None = None
        self._silent = False

    # Transitions

    @_spoken
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and load the model; fail with a line where that cannot be."""
        try:
            config = parameters.read(self)
            self.get_logger().info(f"loading {config.estimator.estimator} ...")
            estimator = make_estimator(config.estimator, self.get_logger().info)
            self._config = config
            self._pipeline = Pipeline(config, estimator, self.get_logger().warning, self._epoch)
            self._create_outputs()
        except (ConfigError, EstimatorError, InvalidQosOverridesError) as error:
            self.get_logger().error(f"cannot configure: {error}")
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._worker = NewestWorker("poseflow_worker", self._process, self._pipeline.close)
        self.get_logger().info(f"configured: {estimator.description}")
        return super().on_configure(state)

    @_spoken
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to listen and publish."""
        assert self._config and self._pipeline
        self._forget("deactivated")
        result = super().on_activate(state)
        self._skeleton_publisher.publish(skeleton_message(self._pipeline.estimator.skeleton))
        self._statistics.restart_silence()
        self._active = True
        self._activation += 1
        self._failures = 0
        node = self._config.node
        image_type = _IMAGE_TYPES[node.image_transport]
        self._inputs = [
            AdaptiveSubscription(self, kind, topic, node.image_reliability, callback)
            for kind, topic, callback in (
                (image_type, "image", self._on_image),
                (CameraInfo, "camera_info", self._on_camera_info),
                (Image, "depth", self._on_depth),
            )
        ]
        self.get_logger().info(f"active: listening to {self._inputs[0].topic}")
        return result

    @_spoken
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening and publishing; the model stays loaded."""
        self._fall_silent()
        if self._given_up:
            return TransitionCallbackReturn.ERROR
        self.get_logger().info("inactive")
        return super().on_deactivate(state)

    @_spoken
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back."""
        self._release()
        self.get_logger().info("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    @_spoken
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, from any state."""
        self._release()
        self.get_logger().info("shut down")
        return TransitionCallbackReturn.SUCCESS

    @_spoken
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, so that the node can be configured again."""
        self._release()
        self._given_up = False
        self.get_logger().error("unconfigured after an error; configure to try again")
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Give everything back, whatever the state."""
        self._release(_EXIT_WAIT_S)
        super().destroy_node()

    def _create_outputs(self) -> None:
        assert self._config and self._pipeline
        node = self._config.node
        skeleton = self._pipeline.estimator.skeleton
        self._statistics = FrameStatistics()
        self._camera: Pinhole | None = None
        self._lifter = Lifter(skeleton)
        self._markers = MarkerMaker(skeleton, *_drawn(node))
        self._poses_publisher = self._publisher(TrackedPoseArray, "~/tracked_poses", _RELIABLE)
        self._marker_publisher = self._publisher(MarkerArray, "~/markers", _RELIABLE)
        self._annotated_publisher = self._publisher(Image, "~/annotated", qos_profile_sensor_data)
        self._skeleton_publisher = self._publisher(SkeletonDefinition, "~/skeleton", _LATCHED)
        diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", _RELIABLE)
        look = self.create_timer(_LOOK_PERIOD_S, lambda: self._look(diagnostics))
        reset = self.create_service(Trigger, "~/reset", self._on_reset)
        self._outputs += [
            lambda: self.destroy_timer(look),
            lambda: self.destroy_service(reset),
            lambda: self.destroy_publisher(diagnostics),
        ]

    def _publisher(self, message_type: type[Any], topic: str, qos: QoSProfile) -> Any:
        publisher = self.create_lifecycle_publisher(
            message_type,
            topic,
            qos,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._outputs.append(lambda: self.destroy_lifecycle_publisher(publisher))
        return publisher

    def _fall_silent(self) -> None:
        """Close the inputs and say the last word; a frame still in work is not published."""
        for subscription in self._inputs:
            subscription.destroy()
        self._inputs = []
        if self._worker is not None and self._worker.clear() is not None:
            self._statistics.drop("deactivated")
        if self._active and self._pipeline is not None:
            with self._pipeline.lock:
                self._active = False
                if self.context.ok():  # not after SIGINT: then their lifetime ends them
                    self._marker_publisher.publish(self._markers.clear())

    def _release(self, wait_s: float = _RELEASE_WAIT_S) -> None:
        """Give back all that configuring took; at whatever point it got to."""
        self._fall_silent()
        if self._pipeline is not None:
            self._epoch = self._pipeline.epoch
        if self._worker is not None:
            if not self._worker.stop(wait_s):
                self.get_logger().info("the network is still busy; it is given back when it ends")
        elif self._pipeline is not None:
            self._pipeline.close()
        while self._outputs:
            self._outputs.pop()()
        self._worker = self._pipeline = self._config = self._in_work = None

    def _forget(self, reason: str) -> None:
        """Reset the tracking; frames held back are dropped for this reason."""
        assert self._pipeline
        for _ in range(self._pipeline.reset()):
            self._statistics.drop(reason)

    # One frame

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._statistics.receive()
        assert self._worker
        if self._worker.submit(_Arrival(message, perf_counter(), self._activation)) is not None:
            self._statistics.drop("superseded by a newer image")

    def _process(self, arrival: _Arrival) -> None:
        """Answer one image; called by the worker's thread."""
        arrival.started_s = perf_counter()
        self._in_work = arrival
        try:
            self._answer(arrival)
        finally:
            # Unless the node gave up waiting, and another worker has an image by now.
            if self._in_work is arrival:
                self._in_work = None

    def _answer(self, arrival: _Arrival) -> None:
        # A cleanup does not wait for a slow network: these are the ones that the image came to.
        pipeline, statistics = self._pipeline, self._statistics
        try:
            config = self._config
            if pipeline is None or config is None:
                statistics.drop("deactivated")
                return
            stamp_s = seconds(arrival.message.header.stamp)
            if 0 < config.node.max_image_age_s < self._now_s() - stamp_s:
                statistics.drop("too old")
                return
            image = to_rgb(arrival.message)
            arrival.converted_s = perf_counter()
            for frame in pipeline.process(image, stamp_s, arrival):
                self._tell(frame, pipeline, statistics)
            self._failures = 0
        except ImageError as error:
            statistics.drop("malformed")
            self._say_dropped(str(error))
        except OutOfMemoryError as error:
            statistics.drop("out of memory")
            self.get_logger().warning(f"image dropped: {error}", once=True)
            self._fail(arrival, str(error))
        except DeviceLostError as error:
            statistics.drop("failed")
            self._fail(arrival, str(error), lost=True)
        except Exception as error:
            if not self.context.ok():  # a signal ended ROS under the publishers
                return
            statistics.drop("failed")
            self._say_dropped(traceback.format_exc())
            self._fail(arrival, repr(error))

    def _now_s(self) -> float:
        return float(1e-9 * self.get_clock().now().nanoseconds)

    def _fail(self, arrival: _Arrival, reason: str, lost: bool = False) -> None:
        """Count a failure; give up where the device is lost or nothing comes out any more."""
        self._failures += 1
        if (lost or self._failures >= _MAX_FAILURES) and self.executor is not None:
            reason = f"{self._failures} images failed in a row: {reason}"
            self.executor.create_task(self._give_up, arrival.activation, reason)

    def _watch_over_network(self) -> None:
        """Give up where the network has been busy with one image for too long."""
        assert self._config
        arrival, timeout_s = self._in_work, self._config.node.estimator_timeout_s
        if arrival is not None and 0 < timeout_s < perf_counter() - arrival.started_s:
            reason = f"the network has been busy with one image for more than {timeout_s:g} s"
            # An earlier activation's image holds up this one's too.
            self._give_up(self._activation, reason)

    def _give_up(self, activation: int, reason: str) -> None:
        """Go through the error transition to unconfigured; called by the executor's thread."""
        if self._active and activation == self._activation:
            self.get_logger().error(reason)
            self._given_up = True
            self.trigger_deactivate()

    def _tell(self, frame: Frame, pipeline: Pipeline, statistics: FrameStatistics) -> None:
        """Publish one frame, unless a transition or a reset came in between."""
        arrival: _Arrival = frame.tag
        tracked_s = perf_counter()
        with pipeline.lock:
            if not self._active or arrival.activation != self._activation:
                statistics.drop("deactivated")
                return
            if frame.epoch != pipeline.epoch:
                statistics.drop("reset")
                return
            self._publish(frame, arrival.message.header)
        stages = Stages(
            wait=arrival.started_s - arrival.arrived_s,
            convert=arrival.converted_s - arrival.started_s,
            estimate=frame.estimate_s,
            track=frame.track_s,
            publish=perf_counter() - tracked_s,
        )
        statistics.process(stages, int(frame.tracked.visible.sum()))

    def _publish(self, frame: Frame, header: Any) -> None:
        assert self._config and self._pipeline
        node, skeleton = self._config.node, self._pipeline.estimator.skeleton
        tracked, (height, width) = frame.tracked, frame.image.shape[:2]
        shown = np.ones(len(tracked), bool)
        if not node.publish_lost:
            shown &= tracked.states != TrackState.LOST
        if not node.publish_tentative:
            shown &= tracked.states != TrackState.TENTATIVE
        told = tracked[shown]
        people = tracked_pose_messages(told)
        space = self._lifter.lift(
            told,
            frame.stamp_s,
            (height, width),
            frame.epoch,
            slop_s=node.depth_slop_s,
            min_keypoint_score=node.min_keypoint_score,
        )
        if space is not None:
            put_into_space(people, space.points, space.velocities)
        self._poses_publisher.publish(
            TrackedPoseArray(
                header=header,
                skeleton=skeleton.name,
                frame_3d="" if space is None else header.frame_id,
                image_width=width,
                image_height=height,
                epoch=frame.epoch,
                sequence=self._sequence,
                dropped_since_last=self._statistics.take_dropped(),
                poses=people,
            )
        )
        self._sequence += 1
        if self._marker_publisher.get_subscription_count() > 0:
            camera = self._camera or Pinhole.assumed(width, height)
            self._marker_publisher.publish(self._markers.make(tracked, header, camera))
        if self._annotated_publisher.get_subscription_count() > 0:
            annotated = draw(frame.image, tracked, skeleton, node.min_keypoint_score)
            self._annotated_publisher.publish(to_message(annotated, header))

    def _say_dropped(self, reason: str) -> None:
        self.get_logger().warning(f"image dropped: {reason}", throttle_duration_sec=_SAY_AGAIN_S)

    # What else comes in

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera = Pinhole.from_camera_info(message) or self._camera
        try:
            self._lifter.add_camera(message)
        except ValueError as error:
            self.get_logger().warning(f"camera_info passed over: {error}", once=True)

    def _on_depth(self, message: Image) -> None:
        self._lifter.add_depth(message)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        assert self._pipeline
        self._forget("reset")
        with self._pipeline.lock:
            if self._active:
                self._marker_publisher.publish(self._markers.clear())
        response.success = True
        response.message = f"everybody forgotten; epoch {self._pipeline.epoch} begins"
        self.get_logger().info(response.message)
        return response

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        """Take what may change now; refuse all of it where something cannot be used."""
        ours = {p.name: p.value for p in changed if p.name in Config().as_parameters()}
        if self._config is not None and (fixed := parameters.fixed(ours)):
            reason = f"{', '.join(fixed)}: read when the node configures; clean up first"
            return SetParametersResult(successful=False, reason=reason)
        try:
            before = {} if self._config is None else self._config.as_parameters()
            config = Config.from_parameters(before | ours)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self._pipeline is not None and ours:
            with self._pipeline.lock:
                self._config = config
                self._pipeline.configure(config)
                self._markers.configure(*_drawn(config.node))
        return SetParametersResult(successful=True)

    def _look(self, publisher: Any) -> None:
        """Look at the inputs and the network, and publish diagnostics; once a second."""
        self._watch_over_network()
        if self._pipeline is None:  # given up
            return
        for subscription in self._inputs:
            subscription.refresh()
        warning = ""
        if self._active and self._statistics.silence_s() > SILENCE_S:
            image = self._inputs[0]
            warning = f"no image on {image.topic} for {SILENCE_S:g} s: {image.why_silent()}"
        if warning and not self._silent:
            self.get_logger().warning(warning)
        self._silent = bool(warning)
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = [
            status(
                f"{self.get_fully_qualified_name()}: camera",
                self._pipeline.estimator.description,
                warning,
                {
                    "active": str(self._active),
                    "epoch": str(self._pipeline.epoch),
                    "depth": self._lifter.trouble or "matched",
                }
                | self._statistics.values(),
            )
        ]
        publisher.publish(message)

    def _refuse_illegal_transitions(self) -> None:
        """Answer an impossible transition with a refusal.

        rclpy of Humble and Jazzy raises instead, out of the executor, which would end the node.
        """
        service = self._service_change_state
        change_state = service.callback

        def refusing(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except rclpy_implementation.RCLError:
                state = self._state_machine.current_state[1]
                wanted = request.transition.label or request.transition.id
                self.get_logger().error(f"transition {wanted} is not possible when {state}")
                response.success = False
                return response

        service.callback = refusing


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; return 0."""
    rclpy.init(args=args)
    node = PoseFlowNode()
    try:
        spin(node)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
