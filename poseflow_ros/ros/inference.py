"""The inference loop: owner of the network, its thread, its failures and the frame path."""

import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode

from poseflow_ros.config import Config
from poseflow_ros.estimation.errors import DeviceLostError, OutOfMemoryError
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.guidance import Estimate, Hint, estimate_with_hints
from poseflow_ros.imaging.appearance import AppearanceModel
from poseflow_ros.poses import FloatArray, Image
from poseflow_ros.ros.camera import Camera
from poseflow_ros.ros.diagnostics import Alert, StageTimer, make_status
from poseflow_ros.ros.image_job import DroppedImageError, ImageJob, PendingOutput
from poseflow_ros.ros.images import ImageError, to_rgb
from poseflow_ros.ros.job_queue import JobQueue
from poseflow_ros.ros.memory import resident_bytes

# After this many failures in a row the loop gives up.
_MAX_FAILURES = 10
# A transform is published a little later than the image. A replay waits for what an image needs.
_TRANSFORM_WAIT_S = 0.05
_REPLAY_WAIT_S = 2.0
_MIB = 2**20

FramePath = Generator[tuple[Image, Hint], tuple[Estimate, FloatArray, float], None]
"""Yields a job's image and hint; is sent its people, their appearances, the seconds for both."""


class InferenceLoop:
    """Processes the images of all cameras in a thread of its own.

    The thread works until `stop` and then closes the estimator, even if `stop` did not wait for
    it. Everything public is called by the executor's thread.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: Config,
        estimator: PoseEstimator,
        appearance: AppearanceModel,
        cameras: Mapping[str, Camera],
        queue: JobQueue,
        on_failure: Callable[[int, str], None],
    ) -> None:
        """Start the thread.

        Args:
            node: whose loop it is.
            config: all parameters.
            estimator: used and closed by the thread only.
            appearance: describes the people of all cameras.
            cameras: by name.
            queue: filled by the cameras; closed by `stop`.
            on_failure: called by the thread with the generation and the reason when no image can
                be processed any more.
        """
        self._node = node
        self._config = config
        self._estimator = estimator
        self._appearance = appearance
        self._cameras = cameras
        self._queue = queue
        self._on_failure = on_failure
        self._failures = 0
        self._error: Exception | None = None
        self._busy_since_s: float | None = None
        self._idle_since_s = perf_counter()
        self._thread = threading.Thread(target=self._run, name="poseflow_inference", daemon=True)
        self._thread.start()

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        self._config = config

    @property
    def generation(self) -> int:
        """The present generation; `invalidate` and `clear` start a new one."""
        return self._queue.generation

    def reset_failures(self) -> None:
        """Count failures from zero."""
        self._failures = 0

    def invalidate(self, reason: str) -> None:
        """Drop the images in progress, for this reason; those that wait are kept."""
        self._queue.invalidate(reason)

    def clear(self, reason: str) -> None:
        """Drop the images in progress and those that wait, for this reason."""
        for job in self._queue.clear(reason):
            self._cameras[job.camera].statistics.drop(reason)

    def stop(self, timeout_s: float) -> bool:
        """End the thread after the images in progress; return whether it ended in time."""
        self._queue.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def watchdog(self) -> str:
        """Return that the network exceeds `estimator.timeout_s`; empty if it does not."""
        limit_s = self._config.estimator.timeout_s
        if not 0 < limit_s < self._busy_s():
            return ""
        return f"the network has been busy with one image for more than {limit_s:g} s"

    def status(self) -> DiagnosticStatus:
        """Return the diagnostics of the network."""
        alerts: list[Alert] = []
        if self._failures:
            text = f"{self._failures} of {_MAX_FAILURES} images failed in a row"
            alerts.append((DiagnosticStatus.WARN, text))
        description = self._estimator.description
        values = {
            "network": description,
            "failures in a row": str(self._failures),
            "busy with one image for (s)": f"{self._busy_s():.1f}",
            "memory of the process (MiB)": f"{resident_bytes() / _MIB:.0f}",
            "memory on the device (MiB)": f"{self._estimator.device_bytes / _MIB:.0f}",
        }
        name = f"{self._node.get_fully_qualified_name()}: estimator"
        return make_status(name, description, alerts, values)

    def _busy_s(self) -> float:
        """Return for how long the same images have been in progress."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else perf_counter() - since_s

    # In the thread

    def _run(self) -> None:
        try:
            while batch := self._queue.take():
                self._process(*batch)
                del batch  # images must not be kept while waiting for the next
        finally:
            self._estimator.close()

    def _process(self, generation: int, jobs: Sequence[ImageJob]) -> None:
        """Process one image of each of these cameras; the network takes them together."""
        for job in jobs if self._config.cameras.replay else ():
            self._cameras[job.camera].wait_for_depth(job, _REPLAY_WAIT_S)
        self._busy_since_s, self._error = perf_counter(), None
        timers = [StageTimer(job.received_s, self._idle_since_s) for job in jobs]
        paths = [self._frame_path(generation, *each) for each in zip(jobs, timers, strict=True)]
        images = [(path, *item) for path in paths if (item := next(path, None)) is not None]
        if images:
            self._estimate(images)
        if images or self._error:
            self._count_failure(generation)
        self._busy_since_s, self._idle_since_s = None, perf_counter()

    def _frame_path(self, generation: int, job: ImageJob, timer: StageTimer) -> FramePath:
        """Take an image from its message to the messages about the people in it.

        A generator, because the network takes the images of several cameras together.
        """
        camera, config = self._cameras[job.camera], self._config
        with self._drop_on_error(camera):
            self._check(generation)
            self._check_age(job)
            image = to_rgb(job.message)
            timer.finish("convert")
            hint = Hint(job.camera, job.stamp_s, camera.pipeline.predict(image, job.stamp_s))
            estimate, appearances, estimate_s = yield image, hint
            self._check(generation)
            camera.statistics.count_left_out(estimate)
            wait_s = _REPLAY_WAIT_S if config.cameras.replay else _TRANSFORM_WAIT_S
            depth = camera.projector.context(
                job.header, image.shape[:2], config.depth.slop_s, wait_s
            )
            timer.start()
            pending = PendingOutput(job.header, generation, depth)
            poses, unscanned_ids = estimate.poses, estimate.unscanned_ids
            frames = camera.pipeline.track(
                image, poses, appearances, job.stamp_s, pending, unscanned_ids
            )
            timer.finish("track")
            for frame in frames:
                with self._drop_on_error(camera):
                    tracked = camera.outputs.select(frame.tracked)
                    people = camera.projector.locate(
                        tracked,
                        frame.payload.depth,
                        frame.epoch,
                        config.markers.min_keypoint_score,
                    )
                    camera.outputs.publish(tracked, people, frame, self._check)
                    camera.statistics.count_published(int(frame.tracked.visible.sum()))
            timer.finish("publish")
            camera.statistics.add_times(timer.stages(estimate_s))

    def _estimate(self, images: Sequence[tuple[FramePath, Image, Hint]]) -> None:
        """Send each path the people in its image, or the error where the network fails."""
        start_s = perf_counter()
        try:
            paths, batch, hints = zip(*images, strict=True)
            estimates = estimate_with_hints(self._estimator, batch, hints)
            appearances = self._appearance.describe(batch, [each.poses for each in estimates])
            answers = list(zip(paths, estimates, appearances, strict=True))
        except Exception as error:
            for path, *_ in images:
                with suppress(StopIteration):
                    path.throw(error)
            return
        estimate_s = perf_counter() - start_s
        for path, found, described in answers:
            with suppress(StopIteration):
                path.send((found, described, estimate_s))

    def _check(self, generation: int) -> None:
        """Raise DroppedImageError if this generation has ended."""
        if generation != self._queue.generation:
            raise DroppedImageError(self._queue.reason)

    def _check_age(self, job: ImageJob) -> None:
        """Raise DroppedImageError if an image exceeds `cameras.max_image_age_s`."""
        now_s = 1e-9 * self._node.get_clock().now().nanoseconds
        if 0 < self._config.cameras.max_image_age_s < now_s - job.stamp_s:
            raise DroppedImageError("too old")

    @contextmanager
    def _drop_on_error(self, camera: Camera) -> Iterator[None]:
        """Drop an image, with the reason, if anything in this context fails."""
        try:
            yield
        except DroppedImageError as error:
            camera.statistics.drop(str(error))
        except ImageError as error:
            camera.statistics.drop("malformed")
            camera.log_dropped(str(error))
        except Exception as error:
            if self._node.context.ok():  # otherwise a signal shut ROS down under the publishers
                self._fail(camera, error)

    def _fail(self, camera: Camera, error: Exception) -> None:
        self._error = error
        if isinstance(error, OutOfMemoryError):
            camera.statistics.drop("out of memory")
            self._node.get_logger().warning(f"image dropped: {error}", once=True)
            return
        camera.statistics.drop("failed")
        if not isinstance(error, DeviceLostError):
            camera.log_dropped("".join(traceback.format_exception(error)))

    def _count_failure(self, generation: int) -> None:
        """Count a failure of these images; give up after too many, or without a device."""
        error = self._error
        self._failures = 0 if error is None else self._failures + 1
        if isinstance(error, DeviceLostError):
            self._on_failure(generation, str(error))
        elif self._failures >= _MAX_FAILURES:
            text = str(error) if isinstance(error, OutOfMemoryError) else repr(error)
            self._on_failure(generation, f"{self._failures} images failed in a row: {text}")
