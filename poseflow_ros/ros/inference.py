"""The inference loop: network, thread, failure handling and the path of a frame."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode

from poseflow_ros.config import Config
from poseflow_ros.estimation.errors import DeviceLostError, OutOfMemoryError
from poseflow_ros.estimation.estimator import PoseEstimator, ReportsValues
from poseflow_ros.estimation.guidance import Estimate, Hint, estimate_with_hints
from poseflow_ros.imaging.appearance import AppearanceModel
from poseflow_ros.imaging.ros_image import ImageError, to_rgb
from poseflow_ros.poses import FloatArray, Image
from poseflow_ros.ros.camera import Camera
from poseflow_ros.ros.diagnostics import Alert, StageTimer, make_status
from poseflow_ros.ros.image_job import DroppedImageError, FrameJob, ImageJob, PendingOutput
from poseflow_ros.ros.job_queue import JobQueue
from poseflow_ros.ros.memory import resident_bytes
from poseflow_ros.ros.worker import Worker

# The loop reports a failure to the node after this many consecutive failures.
_MAX_FAILURES = 10
_MIB = 2**20
# Weight of an image in the mean time of tracking.
_TIME_GAIN = 0.2

FramePath = Generator[tuple[Image, Hint], tuple[Estimate, FloatArray, float], None]
"""Yields the image and hint of a job; receives its people, their appearances, and the seconds for
both."""


class InferenceLoop:
    """Processes the images of all cameras in its own thread.

    The thread runs until `stop` and then closes the estimator, even if `stop` times out. All
    public methods are called by the executor's thread.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: Config,
        estimator: PoseEstimator,
        appearance: AppearanceModel,
        cameras: Mapping[str, Camera],
        queue: JobQueue,
        on_failure: Callable[[int, Exception], None],
        worker: Worker,
        alerts: Sequence[Alert] = (),
    ) -> None:
        """Start the loop in the worker's thread.

        Args:
            node: owner of the loop.
            config: all parameters.
            estimator: made in the worker's thread; used and closed there only.
            appearance: describes the people of all cameras.
            cameras: by name.
            queue: filled by the cameras; closed by `stop`.
            on_failure: called by the thread with the generation and the error when images can no
                longer be processed.
            worker: whose thread the loop takes until `stop`.
            alerts: part of the network's diagnostics as long as the loop runs.
        """
        self._node = node
        self._config = config
        self._estimator = estimator
        self._appearance = appearance
        self._cameras = cameras
        self._queue = queue
        self._on_failure = on_failure
        self._standing = alerts
        self._failures = 0
        self._error: Exception | None = None
        self._busy_since_s: float | None = None
        self._idle_since_s = perf_counter()
        self._track_s = 0.0  # mean of the latest images
        self._worker = worker
        worker.start(self._run)

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        self._config = config

    @property
    def generation(self) -> int:
        """The current generation; `invalidate` and `clear` start a new one."""
        return self._queue.generation

    def reset_failures(self) -> None:
        """Reset the count of failures."""
        self._failures = 0

    def invalidate(self, reason: str) -> None:
        """Drop the images in progress for this reason; waiting images are kept."""
        self._queue.invalidate(reason)

    def clear(self, reason: str) -> None:
        """Drop the images in progress and the waiting images for this reason."""
        for job in self._queue.clear(reason):
            self._cameras[job.camera].statistics.drop(reason)

    def stop(self, timeout_s: float) -> bool:
        """Stop the thread after the images in progress; return False if it times out."""
        self._queue.close()
        return self._worker.stop(timeout_s)

    def watchdog(self) -> str:
        """Return an error text if the network exceeds `estimator.timeout_s`, otherwise ""."""
        limit_s = self._config.estimator.timeout_s
        if not 0 < limit_s < self._busy_s():
            return ""
        return f"the network has been busy with one image for more than {limit_s:g} s"

    def status(self) -> DiagnosticStatus:
        """Return the diagnostics of the network."""
        alerts: list[Alert] = list(self._standing)
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
        if isinstance(self._estimator, ReportsValues):
            values |= self._estimator.values()
        name = f"{self._node.get_fully_qualified_name()}: estimator"
        return make_status(name, description, alerts, values)

    def _busy_s(self) -> float:
        """Return how long the present images have been in progress, seconds."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else perf_counter() - since_s

    # Called by the thread

    def _run(self) -> None:
        try:
            while batch := self._queue.take():
                self._process(*batch)
                del batch  # images must not be kept while waiting for the next
        finally:
            self._estimator.close()

    def _process(self, generation: int, jobs: Sequence[ImageJob]) -> None:
        """Process one image of each of these cameras; the network takes them together."""
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
        """Take an image from its message to the tracked people in it.

        A generator, because the network takes the images of several cameras together. The
        camera's `FrameLoop` waits for depth, locates the people and publishes them.
        """
        camera = self._cameras[job.camera]
        with self._drop_on_error(camera):
            self._queue.check(generation)
            self._check_age(job)
            image = self._convert(camera, job, generation)
            timer.finish("convert")
            predictions = camera.pipeline.predict(image, job.stamp_s)
            budget_s = self._queue.budget_s(job, perf_counter()) - self._track_s
            hint = Hint(job.camera, job.stamp_s, predictions, budget_s)
            estimate, appearances, estimate_s = yield image, hint
            self._queue.check(generation)
            camera.statistics.count_left_out(estimate)
            timer.start()
            pending = PendingOutput(job.header, generation)
            frames = camera.pipeline.track(
                image,
                estimate.poses,
                appearances,
                job.stamp_s,
                pending,
                estimate.unscanned_ids,
            )
            track_s = timer.finish("track")
            self._track_s += _TIME_GAIN * (track_s - self._track_s)
            size, epoch = camera.rotation.received(image).shape[:2], camera.pipeline.epoch
            camera.frames.put(FrameJob(job, pending, size, epoch, frames, timer, estimate_s))

    def _convert(self, camera: Camera, job: ImageJob, generation: int) -> Image:
        """Return an upright image.

        Raises:
            ImageError: the message is malformed.
            DroppedImageError: it is not of the camera's stream.
        """
        image = to_rgb(job.message, lambda values: camera.gray_range(values, job.stamp_s))
        time_s = job.stamp_s if self._config.cameras.replay else job.received_s
        camera.check_order(generation, job.stamp_s, image.shape[:2], time_s)
        return camera.rotation.upright(image)

    def _estimate(self, images: Sequence[tuple[FramePath, Image, Hint]]) -> None:
        """Send each frame path the poses in its image, or throw the error of the network."""
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

    def _check_age(self, job: ImageJob) -> None:
        """Raise DroppedImageError if an image exceeds `cameras.max_image_age_s`."""
        now_s = 1e-9 * self._node.get_clock().now().nanoseconds
        if 0 < self._config.cameras.max_image_age_s < now_s - job.stamp_s:
            raise DroppedImageError("too old")

    @contextmanager
    def _drop_on_error(self, camera: Camera) -> Iterator[None]:
        """Drop an image and count the reason if anything in this context fails."""
        try:
            yield
        except Exception as error:
            camera.drop(error)
            if not isinstance(error, DroppedImageError | ImageError):
                self._error = error

    def _count_failure(self, generation: int) -> None:
        """Count consecutive failures; report a lost device or too many failures."""
        error = self._error
        self._failures = 0 if error is None else self._failures + 1
        if isinstance(error, DeviceLostError):
            self._on_failure(generation, error)
        elif self._failures >= _MAX_FAILURES:
            text = str(error) if isinstance(error, OutOfMemoryError) else repr(error)
            reason = f"{self._failures} images failed in a row: {text}"
            self._on_failure(generation, RuntimeError(reason))
