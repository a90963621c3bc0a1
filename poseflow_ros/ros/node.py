"""The lifecycle node: the network that all cameras share, and when it works for whom."""

import functools
import sys
import traceback
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from poseflow_msgs.msg import SkeletonDefinition
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import InvalidQosOverridesError
from std_srvs.srv import Trigger

from poseflow_ros.config import Config, ConfigError
from poseflow_ros.estimation.errors import DeviceLostError, EstimatorError, OutOfMemoryError
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.poses import Poses
from poseflow_ros.ros import parameters
from poseflow_ros.ros.allocation import keep_freed_memory
from poseflow_ros.ros.bond import ManagerBond
from poseflow_ros.ros.camera import Arrival, Camera
from poseflow_ros.ros.conversions import skeleton_message
from poseflow_ros.ros.diagnostics import Worry, status
from poseflow_ros.ros.memory import resident_bytes
from poseflow_ros.ros.outputs import RELIABLE, create_publisher
from poseflow_ros.ros.spin import spin
from poseflow_ros.ros.target_frame import FrameError, TargetFrame
from poseflow_ros.ros.worker import Worker

_LOOK_PERIOD_S = 1.0
# So many images in a row without an answer, and the node goes through its error transition.
_MAX_FAILURES = 10
# A transition answers within 100 ms; a network that takes longer is given back when it ends.
_RELEASE_WAIT_S = 0.08
_EXIT_WAIT_S = 0.5
_MIB = 2**20

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


class PoseFlowNode(LifecycleNode):
    """Images in; tracked poses, markers, annotated images and diagnostics out.

    The executor's thread only takes messages and answers; images are worked on by one other
    thread, the newest of each camera first.
    """

    def __init__(self, node_name: str = "poseflow", **node_options: Any) -> None:
        super().__init__(node_name, **node_options)
        parameters.declare(self)
        self.add_on_set_parameters_callback(self._check_parameters)
        self._refuse_illegal_transitions()
        self._bond = ManagerBond(self)
        self.cameras: dict[str, Camera] = {}
        """The cameras by their names, while the node is configured."""
        # What goes on where a camera of this name left off.
        self._epochs: dict[str, int] = {}
        self._sequences: dict[str, int] = {}
        self._config: Config | None = None
        self._estimator: PoseEstimator | None = None
        self._worker: Worker[Arrival] | None = None
        self._outputs: list[Callable[[], Any]] = []
        self._active = False
        self._activation = 0
        self._failures = 0
        self._given_up = False
        self._in_work: Sequence[Arrival] = ()
        self._free_s = 0.0

    # Transitions

    @_spoken
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and load the model; fail with a line where that cannot be."""
        try:
            self._config = config = parameters.read(self)
            self.get_logger().info(f"loading {config.estimator.estimator} ...")
            self._estimator = make_estimator(config.estimator, self.get_logger().info)
            self._create_cameras(config, self._estimator)
            self._create_outputs()
        except (ConfigError, EstimatorError, InvalidQosOverridesError) as error:
            self.get_logger().error(f"cannot configure: {error}")
            self._release()
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f"configured: {self._estimator.description}")
        return super().on_configure(state)

    @_spoken
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to listen and publish."""
        assert self._estimator
        result = super().on_activate(state)
        self._skeleton_publisher.publish(skeleton_message(self._estimator.skeleton))
        self._active = True
        self._activation += 1
        self._failures = 0
        for camera in self.cameras.values():
            camera.activate()
        self._bond.start()
        topics = ", ".join(camera.topic for camera in self.cameras.values())
        self.get_logger().info(f"active: listening to {topics}")
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

    def _create_cameras(self, config: Config, estimator: PoseEstimator) -> None:
        """Create the worker and the cameras that it works for."""
        node, target = config.node, self._target_frame(config.node.target_frame)
        if node.replay:
            self.set_parameters([Parameter("use_sim_time", value=True)])
        self._worker = Worker(
            "poseflow_worker",
            self._process,
            estimator.close,
            together=estimator.batches,
            keep_all=node.replay,
        )
        for name in node.cameras:
            self.cameras[name] = camera = Camera(
                self,
                name,
                config,
                estimator,
                self._worker,
                target=target,
                epoch=self._epochs.get(name, 0),
                sequence=self._sequences.get(name, 0),
            )
            self._outputs.append(camera.outputs.destroy)

    def _target_frame(self, name: str) -> TargetFrame | None:
        """Return the frame in which people are told, None for their camera's own."""
        if not name:
            return None
        try:
            target = TargetFrame(self, name)
        except FrameError as error:
            self.get_logger().warning(f"{error}: people are told in their camera's optical frame")
            return None
        self._outputs.append(target.destroy)
        return target

    def _create_outputs(self) -> None:
        """Create what is the node's own."""
        skeleton = create_publisher(self, SkeletonDefinition, "~/skeleton", _LATCHED)
        self._skeleton_publisher = skeleton
        diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RELIABLE)
        # The clock of a bag may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        look = self.create_timer(_LOOK_PERIOD_S, lambda: self._look(diagnostics), clock=steady)
        reset = self.create_service(Trigger, "~/reset", self._on_reset)
        self._outputs += [
            lambda: self.destroy_lifecycle_publisher(skeleton),
            lambda: self.destroy_timer(look),
            lambda: self.destroy_service(reset),
            lambda: self.destroy_publisher(diagnostics),
        ]

    def _fall_silent(self) -> None:
        """Close the inputs and say the last word; an image still in work is not told."""
        self._active = False
        self._bond.stop()
        for camera in self.cameras.values():
            camera.deactivate()

    def _release(self, wait_s: float = _RELEASE_WAIT_S) -> None:
        """Give back all that configuring took; at whatever point it got to."""
        self._fall_silent()
        for name, camera in self.cameras.items():
            self._epochs[name] = camera.pipeline.epoch
            self._sequences[name] = camera.outputs.sequence
        if self._worker is not None:
            if not self._worker.stop(wait_s):
                self.get_logger().info("the network is still busy; it is given back when it ends")
        elif self._estimator is not None:
            self._estimator.close()
        while self._outputs:
            self._outputs.pop()()
        self.cameras = {}
        self._worker = self._estimator = self._config = None
        self._in_work = ()

    # Images, in the worker's thread

    def _process(self, arrivals: Sequence[Arrival]) -> None:
        """Answer images, one of a camera at most."""
        now_s = perf_counter()
        for arrival in arrivals:
            arrival.started_s = now_s
            arrival.behind_s = max(0.0, self._free_s - arrival.arrived_s)
        self._in_work = arrivals
        try:
            self._answer([arrival for arrival in arrivals if self._convert(arrival)])
        finally:
            # Unless the node gave up waiting, and another worker has images by now.
            if self._in_work is arrivals:
                self._in_work = ()
                self._free_s = perf_counter()

    def _convert(self, arrival: Arrival) -> bool:
        """Make pixels of a message; return whether there are any to work on."""
        try:
            return arrival.camera.convert(arrival)
        except Exception as error:  # memory may be short of a picture's size
            self._fail([arrival], error)
            return False

    def _answer(self, arrivals: Sequence[Arrival]) -> None:
        if not arrivals:
            return
        begin_s = perf_counter()
        try:
            # Not the node's own: a cleanup does not wait for a slow network.
            estimator = arrivals[0].camera.pipeline.estimator
            found = estimator.estimate_batch([a.image for a in arrivals if a.image is not None])
        except Exception as error:
            self._fail(arrivals, error)
            return
        estimate_s = perf_counter() - begin_s
        answered = [
            self._track(arrival, poses, estimate_s)
            for arrival, poses in zip(arrivals, found, strict=True)
        ]
        if all(answered):
            self._failures = 0

    def _track(self, arrival: Arrival, poses: Poses, estimate_s: float) -> bool:
        """Tell who the people of an image are; return whether that worked."""
        try:
            arrival.camera.answer(arrival, poses, estimate_s)
        except Exception as error:
            self._fail([arrival], error)
            return False
        return True

    def _fail(self, arrivals: Sequence[Arrival], error: Exception) -> None:
        """Drop images; give up where the device is lost or nothing comes out any more."""
        if not self.context.ok():  # a signal ended ROS under the publishers
            return
        reason, words = "failed", str(error)
        if isinstance(error, OutOfMemoryError):
            reason = "out of memory"
            self.get_logger().warning(f"image dropped: {error}", once=True)
        elif not isinstance(error, DeviceLostError):
            words = repr(error)
            arrivals[0].camera.say_dropped("".join(traceback.format_exception(error)))
        for arrival in arrivals:
            arrival.camera.statistics.drop(reason)
        self._failures += 1
        lost = isinstance(error, DeviceLostError)
        if not lost:
            words = f"{self._failures} images failed in a row: {words}"
        if (lost or self._failures >= _MAX_FAILURES) and self.executor is not None:
            activation = arrivals[0].activation
            self.executor.create_task(self._give_up, activation, words)

    # Looking after it

    def _give_up(self, activation: int, reason: str) -> None:
        """Go through the error transition to unconfigured; called by the executor's thread."""
        if self._active and activation == self._activation:
            self.get_logger().error(reason)
            self._given_up = True
            self.trigger_deactivate()

    def _busy_s(self) -> float:
        """Return for how long the network has been busy with the same images."""
        in_work = self._in_work
        return perf_counter() - in_work[0].started_s if in_work else 0.0

    def _watch_over_network(self) -> None:
        """Give up where the network has been busy with one image for too long."""
        assert self._config
        timeout_s = self._config.node.estimator_timeout_s
        if 0 < timeout_s < self._busy_s():
            reason = f"the network has been busy with one image for more than {timeout_s:g} s"
            # An earlier activation's image holds up this one's too.
            self._give_up(self._activation, reason)

    def _look(self, publisher: Any) -> None:
        """Look at the network and the cameras, and publish diagnostics; once a second."""
        self._watch_over_network()
        if self._estimator is None:  # given up
            return
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        cameras = [camera.look() for camera in self.cameras.values()]
        message.status = [*cameras, self._estimator_status(self._estimator)]
        publisher.publish(message)

    def _estimator_status(self, estimator: PoseEstimator) -> DiagnosticStatus:
        worries: list[Worry] = []
        if self._failures:
            words = f"{self._failures} of {_MAX_FAILURES} images failed in a row"
            worries.append((DiagnosticStatus.WARN, words))
        values = {
            "network": estimator.description,
            "failures in a row": str(self._failures),
            "busy with one image for (s)": f"{self._busy_s():.1f}",
            "memory of the process (MiB)": f"{resident_bytes() / _MIB:.0f}",
            "memory on the device (MiB)": f"{estimator.device_bytes / _MIB:.0f}",
        }
        name = f"{self.get_fully_qualified_name()}: estimator"
        return status(name, estimator.description, worries, values)

    # What else is asked

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        for camera in self.cameras.values():
            camera.reset()
        epochs = ", ".join(str(camera.pipeline.epoch) for camera in self.cameras.values())
        response.success = True
        response.message = f"everybody forgotten; epoch {epochs} begins"
        self.get_logger().info(response.message)
        return response

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        """Take what may change now; refuse all of it where something cannot be used."""
        ours = {p.name: p.value for p in changed if p.name in Config().as_parameters()}
        if self._config is not None and (fixed := parameters.fixed(ours)):
            reason = f"{', '.join(fixed)}: read when the node configures; clean up first"
            return SetParametersResult(successful=False, reason=reason)
        try:
            config = Config.from_parameters(self._parameters_now() | ours)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self._config is not None and ours:
            self._config = config
            for camera in self.cameras.values():
                camera.configure(config)
        return SetParametersResult(successful=True)

    def _parameters_now(self) -> dict[str, Any]:
        """Return every parameter's value, none where they cannot be used as they are."""
        try:
            return (self._config or parameters.read(self)).as_parameters()
        except ConfigError:
            return {}

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
    keep_freed_memory()
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
