"""The lifecycle node: its transitions, and how its parts are wired."""

import sys
from contextlib import ExitStack
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from poseflow_msgs.msg import SkeletonDefinition
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import InvalidQosOverridesError
from std_srvs.srv import Trigger

from poseflow_ros.config import Config, ConfigError
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.imaging.appearance_factory import make_appearance_model
from poseflow_ros.parameter_files import unmatched_files
from poseflow_ros.ros import parameters
from poseflow_ros.ros.allocation import keep_freed_memory
from poseflow_ros.ros.bond import ManagerBond
from poseflow_ros.ros.camera import Camera, CameraCounters
from poseflow_ros.ros.conversions import skeleton_message
from poseflow_ros.ros.inference import InferenceLoop
from poseflow_ros.ros.job_queue import JobQueue
from poseflow_ros.ros.outputs import RELIABLE, create_publisher
from poseflow_ros.ros.rclpy_workarounds import (
    init,
    log_exceptions,
    refuse_illegal_transitions,
    spin,
)
from poseflow_ros.ros.target_frame import make_target_frame

_DIAGNOSTICS_PERIOD_S = 1.0
# A transition answers within 100 ms; a network that takes longer is closed when it is done.
_RELEASE_WAIT_S = 0.08
_EXIT_WAIT_S = 0.5

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class PoseFlowNode(LifecycleNode):
    """Images in; tracked poses, markers, annotated images and diagnostics out.

    The executor's thread receives messages and calls; the inference loop processes images.
    """

    def __init__(self, node_name: str = "poseflow", **node_options: Any) -> None:
        super().__init__(node_name, **node_options)
        parameters.declare(self)
        for line in parameters.unknown(self):
            self.get_logger().warning(line)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        refuse_illegal_transitions(self)
        self._bond = ManagerBond(self)
        self.config: Config | None = None
        """All parameters, while the node is configured."""
        self.estimator: PoseEstimator | None = None
        """The network, while the node is configured; the inference loop uses and closes it."""
        self.cameras: dict[str, Camera] = {}
        """The cameras by their names, while the node is configured."""
        self._counters: dict[str, CameraCounters] = {}
        self._loop: InferenceLoop | None = None
        self._resources = ExitStack()
        self._gave_up = False

    # Transitions

    @log_exceptions
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and load the model; fail with one line that says why."""
        try:
            self.config = config = parameters.read(self)
            self.get_logger().info(f"loading {config.estimator.name} ...")
            self.estimator = make_estimator(config, self.get_logger().info)
            self._create_cameras(config, self.estimator)
            self._create_outputs()
        except (ConfigError, EstimatorError, InvalidQosOverridesError) as error:
            self.get_logger().error(f"cannot configure: {error}")
            self._release()
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f"configured: {self.estimator.description}")
        return super().on_configure(state)

    @log_exceptions
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and publish."""
        assert self.estimator and self._loop
        result = super().on_activate(state)
        self._skeleton_publisher.publish(skeleton_message(self.estimator.skeleton))
        self._loop.reset_failures()
        for camera in self.cameras.values():
            camera.activate()
        self._bond.start()
        topics = ", ".join(camera.topic for camera in self.cameras.values())
        self.get_logger().info(f"active: subscribed to {topics}")
        return result

    @log_exceptions
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop publishing; the model stays loaded."""
        self._stop()
        if self._gave_up:
            return TransitionCallbackReturn.ERROR
        self.get_logger().info("inactive")
        return super().on_deactivate(state)

    @log_exceptions
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self._release()
        self.get_logger().info("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    @log_exceptions
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything, from any state."""
        self._release()
        self.get_logger().info("shut down")
        return TransitionCallbackReturn.SUCCESS

    @log_exceptions
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything, so that the node can be configured again."""
        self._release()
        self._gave_up = False
        self.get_logger().error("unconfigured after an error; configure to try again")
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Release everything, whatever the state."""
        self._release(_EXIT_WAIT_S)
        super().destroy_node()

    # Wiring

    def _create_cameras(self, config: Config, estimator: PoseEstimator) -> None:
        """Create the cameras and the inference loop that processes their images."""
        cameras, target = config.cameras, make_target_frame(self, config.depth.target_frame)
        if target is not None:
            self._resources.callback(target.destroy)
        if cameras.replay:
            self.set_parameters([Parameter("use_sim_time", value=True)])
        queue = JobQueue(batches=estimator.batches, keep_all=cameras.replay)
        appearance = make_appearance_model(config.tracker, estimator.skeleton)
        for name in cameras.names:
            counters = self._counters.get(name, CameraCounters())
            self.cameras[name] = camera = Camera(
                self, name, config, estimator.skeleton, queue,
                appearance=appearance.likelihood, target=target, counters=counters,
            )  # fmt: skip
            self._resources.callback(camera.outputs.destroy)
        self._loop = InferenceLoop(
            self, config, estimator, appearance, self.cameras, queue, self._on_failure
        )

    def _create_outputs(self) -> None:
        """Create what belongs to no camera."""
        skeleton = create_publisher(self, SkeletonDefinition, "~/skeleton", _LATCHED)
        self._resources.callback(self.destroy_lifecycle_publisher, skeleton)
        self._skeleton_publisher = skeleton
        diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RELIABLE)
        self._resources.callback(self.destroy_publisher, diagnostics)
        self._diagnostics_publisher = diagnostics
        # The clock of a bag may stand still.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(_DIAGNOSTICS_PERIOD_S, self._on_timer, clock=clock)
        self._resources.callback(self.destroy_timer, timer)
        reset = self.create_service(Trigger, "~/reset", self._on_reset)
        self._resources.callback(self.destroy_service, reset)

    def _stop(self) -> None:
        """Unsubscribe; images that wait or are in progress are dropped."""
        self._bond.stop()
        if self._loop is not None:
            self._loop.clear("deactivated")
        for camera in self.cameras.values():
            camera.deactivate()

    def _release(self, wait_s: float = _RELEASE_WAIT_S) -> None:
        """Release all that `on_configure` created, however far it got."""
        self._stop()
        for name, camera in self.cameras.items():
            self._counters[name] = camera.counters
        if self._loop is not None:
            if not self._loop.stop(wait_s):
                self.get_logger().info("the network is still busy; it is closed when it is done")
        elif self.estimator is not None:
            self.estimator.close()
        self._resources.close()
        self.cameras = {}
        self._loop = self.estimator = self.config = None

    # Callbacks

    def _on_failure(self, generation: int, reason: str) -> None:
        """Give up; called by the inference loop."""
        if self.executor is not None:
            self.executor.create_task(self._give_up, generation, reason)

    def _give_up(self, generation: int, reason: str) -> None:
        """Go through the error transition to unconfigured, unless this is out of date."""
        active = any(camera.active for camera in self.cameras.values())
        if active and self._loop and generation == self._loop.generation:
            self.get_logger().error(reason)
            self._gave_up = True
            self.trigger_deactivate()

    def _on_timer(self) -> None:
        """Check the network's watchdog and publish diagnostics."""
        if self._loop and (reason := self._loop.watchdog()):
            self._give_up(self._loop.generation, reason)
        if not self._loop:  # gave up
            return
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        cameras = [camera.diagnose() for camera in self.cameras.values()]
        message.status = [*cameras, self._loop.status()]
        self._diagnostics_publisher.publish(message)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._loop:
            self._loop.invalidate("reset")
        for camera in self.cameras.values():
            camera.reset()
        epochs = ", ".join(str(camera.pipeline.epoch) for camera in self.cameras.values())
        response.success = True
        response.message = f"tracking reset; epoch {epochs}"
        self.get_logger().info(response.message)
        return response

    def _on_set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        """Use the changed parameters, or refuse all of them."""
        try:
            config = parameters.changed(self, self.config, changes)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self.config is not None:
            self.config = config
            for camera in self.cameras.values():
                camera.configure(config)
        if self._loop:
            self._loop.configure(config)
        return SetParametersResult(successful=True)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; return 0."""
    keep_freed_memory()
    init(args)
    node = PoseFlowNode()
    for line in unmatched_files(sys.argv, node.get_fully_qualified_name()):
        node.get_logger().warning(line)
    try:
        spin(node)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
