"""The lifecycle node that estimates and tracks poses: wiring of cameras and inference."""

import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from poseflow_msgs.msg import SkeletonDefinition
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import Trigger

from poseflow_ros.config import Config
from poseflow_ros.estimation.errors import DeviceLostError, EstimatorError
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.imaging.appearance_factory import make_appearance_model
from poseflow_ros.ros import device_loss
from poseflow_ros.ros.allocation import keep_freed_memory
from poseflow_ros.ros.camera import Camera, CameraCounters
from poseflow_ros.ros.inference import InferenceLoop
from poseflow_ros.ros.inputs.target_frame import make_target_frame
from poseflow_ros.ros.job_queue import JobQueue
from poseflow_ros.ros.managed_node import ManagedNode, run
from poseflow_ros.ros.outputs.pose_messages import skeleton_message
from poseflow_ros.ros.process_exit import exit_now
from poseflow_ros.ros.worker import Worker

# A network that is not hung is done with its image by then.
_PREVIOUS_WAIT_S = 5.0

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class BusyError(RuntimeError):
    """The thread of the previous network has not ended."""


class PoseFlowNode(ManagedNode[Config]):
    """Subscribes to images; publishes tracked poses, markers, annotated images and diagnostics.

    The executor's thread runs all callbacks; the inference loop processes images in its thread.
    """

    config_class = Config
    setup_errors = (BusyError, EstimatorError)

    def __init__(self, node_name: str = "poseflow", **node_options: Any) -> None:
        super().__init__(node_name, **node_options)
        self.estimator: PoseEstimator | None = None
        """The network, while the node is configured; the inference loop uses and closes it."""
        self.cameras: dict[str, Camera] = {}
        """The cameras by their names, while the node is configured."""
        self._counters: dict[str, CameraCounters] = {}
        self._loop: InferenceLoop | None = None
        self._worker: Worker | None = None

    def set_up(self, config: Config) -> str:
        """Load the network; create cameras, inference loop, publisher and service."""
        self.get_logger().info(f"loading {config.estimator.name} ...")
        self.estimator = self._make_estimator(config)
        self._create_cameras(config, self.estimator)
        self._skeleton_publisher = self.publisher(SkeletonDefinition, "~/skeleton", _LATCHED)
        reset = self.create_service(Trigger, "~/reset", self._on_reset)
        self.resources.callback(self.destroy_service, reset)
        return self.estimator.description

    def start(self) -> list[str]:
        """Subscribe to the images of all cameras."""
        assert self.estimator and self._loop
        self._skeleton_publisher.publish(skeleton_message(self.estimator.skeleton))
        self._loop.reset_failures()
        for camera in self.cameras.values():
            camera.activate()
        return [camera.topic for camera in self.cameras.values()]

    def stop(self) -> None:
        """Unsubscribe and drop images that are waiting or in progress."""
        if self._loop is not None:
            self._loop.clear("deactivated")
        for camera in self.cameras.values():
            camera.deactivate()

    def tear_down(self, wait_s: float) -> None:
        """Close the network and the cameras; keep the cameras' counters."""
        for name, camera in self.cameras.items():
            self._counters[name] = camera.counters
        if self._loop is not None:
            if not self._loop.stop(wait_s):
                self.get_logger().info("the network is still busy; it is closed afterwards")
        elif self._worker is not None:
            if self.estimator is not None:
                self._worker.start(self.estimator.close)
            self._worker.stop(wait_s)
        for camera in self.cameras.values():
            camera.close(wait_s)
        self.cameras = {}
        self._loop = self.estimator = None

    def apply(self, config: Config) -> None:
        """Use changed live parameters from the next image on."""
        for camera in self.cameras.values():
            camera.configure(config)
        if self._loop:
            self._loop.configure(config)

    def statuses(self) -> list[DiagnosticStatus]:
        """Check the network's watchdog; return the diagnostics of all cameras and the network."""
        if self._loop and (reason := self._loop.watchdog()):
            self._give_up(self._loop.generation, TimeoutError(reason))
        if not self._loop:  # gave up
            return []
        return [*(camera.diagnose() for camera in self.cameras.values()), self._loop.status()]

    def _make_estimator(self, config: Config) -> PoseEstimator:
        """Return the network, made in the thread that uses it.

        Raises:
            BusyError: the thread of the previous network has not ended.
            EstimatorError: the network cannot be made.
        """
        if self._worker is not None and not self._worker.stop(_PREVIOUS_WAIT_S):
            raise BusyError(
                "the previous network is still busy with an image; try again, or restart the node "
                "if it hangs"
            )
        self._worker = Worker("poseflow_inference")
        log = self.get_logger().info
        return self._worker.call(lambda: make_estimator(config, log))

    def _create_cameras(self, config: Config, estimator: PoseEstimator) -> None:
        """Create the cameras and the inference loop that processes their images."""
        cameras, target = config.cameras, make_target_frame(self, config.depth.target_frame)
        if target is not None:
            self.resources.callback(target.destroy)
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
            self.resources.callback(camera.outputs.destroy)
        assert self._worker is not None
        self._loop = InferenceLoop(
            self, config, estimator, appearance, self.cameras, queue, self._on_failure,
            self._worker,
            device_loss.alerts(
                self.get_fully_qualified_name(), estimator, config.estimator.device
            ),
        )  # fmt: skip

    # Callbacks

    def _on_failure(self, generation: int, error: Exception) -> None:
        """Schedule the error transition; called by the inference loop."""
        if self.executor is not None:
            self.executor.create_task(self._give_up, generation, error)

    def _give_up(self, generation: int, error: Exception) -> None:
        """Go through the error transition to unconfigured, unless the generation has ended.

        The process ends after the loss of a device.
        """
        active = any(camera.active for camera in self.cameras.values())
        if active and self._loop and generation == self._loop.generation:
            self.get_logger().error(str(error))
            self.gave_up = True
            if isinstance(error, DeviceLostError):
                device_loss.record(self.get_fully_qualified_name(), str(error))
                self.exit_code = device_loss.EXIT_CODE
            self.trigger_deactivate()

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


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; return 0, or the code of a lost device."""
    keep_freed_memory()
    exit_code = run(PoseFlowNode, args)
    if exit_code:
        exit_now(exit_code)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
