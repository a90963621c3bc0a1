"""The path of an image after tracking, in a thread of each camera."""

import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter

from poseflow_ros.config import Config
from poseflow_ros.imaging.rotation import Rotation
from poseflow_ros.pipeline import Frame, as_received
from poseflow_ros.ros.diagnostics import FrameStatistics
from poseflow_ros.ros.image_job import DroppedImageError, FrameJob, PendingOutput
from poseflow_ros.ros.outputs.camera_outputs import CameraOutputs
from poseflow_ros.ros_data.depth import DepthContext, DepthProjector

_REPLAY_WAIT_S = 2.0
# After so many images in a row that waited for nothing, none waits until something arrives.
_MAX_VAIN_WAITS = 10
# The network may be this many images ahead of publishing; more of them while the
# thread waits for an input: two seconds at 30 Hz.
_MAX_AHEAD, _MAX_AHEAD_WAITING = 2, 64


class FrameLoop:
    """Locates and publishes the people of one camera's images, in order.

    An image waits for its depth image and its transform, up to `depth.wait_s` since it arrived,
    while the following images are processed. `put` is called by the inference loop,
    everything else by the executor's thread.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        projector: DepthProjector,
        outputs: CameraOutputs,
        statistics: FrameStatistics,
        rotation: Rotation,
        *,
        check: Callable[[int], None],
        awaits: Callable[[float], bool],
        on_error: Callable[[Exception], None],
    ) -> None:
        """Start the thread.

        Args:
            name: of the camera.
            config: all parameters.
            projector: locates the people.
            outputs: publishes them.
            statistics: counts the images.
            rotation: of the images.
            check: called with the generation of an image; raises where that has ended.
            awaits: given a stamp in seconds, returns whether an input of that time is expected.
            on_error: called with what fails; the image is then dropped.
        """
        self._config = config
        self._projector = projector
        self._outputs = outputs
        self._statistics = statistics
        self._rotation = rotation
        self._check = check
        self._awaits = awaits
        self._on_error = on_error
        self._changed = threading.Condition()
        self._jobs: deque[FrameJob] = deque()
        # Of images whose output is delayed.
        self._contexts: dict[PendingOutput, DepthContext | None] = {}
        self._waits = self._closed = False
        self._vain_waits, self._n_received = 0, -1
        self._thread = threading.Thread(
            target=self._run, name=f"poseflow_frames_{name}", daemon=True
        )
        self._thread.start()

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        self._config = config

    def put(self, job: FrameJob) -> None:
        """Add an image; wait only if publishing is slower than the network."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room())
            if self._closed:
                self._check(job.pending.generation)
            self._jobs.append(job)
            self._changed.notify_all()

    def close(self, timeout_s: float) -> None:
        """End the thread; the generation of its images must have ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._projector.notify()
        self._thread.join(timeout_s)

    def _has_room(self) -> bool:
        return len(self._jobs) < (_MAX_AHEAD_WAITING if self._waits else _MAX_AHEAD)

    # In the thread

    def _run(self) -> None:
        while (job := self._take()) is not None:
            try:
                self._process(job)
            except Exception as error:
                self._on_error(error)
            del job  # images must not be kept while waiting for the next

    def _take(self) -> FrameJob | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._jobs)
            job = self._jobs.popleft() if self._jobs else None
            self._changed.notify_all()
            return job

    def _process(self, job: FrameJob) -> None:
        generation = job.pending.generation
        self._check(generation)
        self._contexts = {p: c for p, c in self._contexts.items() if p.generation == generation}
        self._contexts[job.pending] = self._context(job)
        job.timer.finish("depth")
        n_dropped = self._statistics.take_dropped() if job.frames else 0
        for frame in job.frames:
            self._publish(frame, n_dropped)
            n_dropped = 0
        self._outputs.end_epochs_before(job.epoch, generation, self._check)
        job.timer.finish("publish")
        self._statistics.add_times(job.timer.stages(job.estimate_s))

    def _publish(self, frame: Frame[PendingOutput], n_dropped: int) -> None:
        """Publish the people of an image, which reports so many dropped ones before it."""
        try:
            frame = as_received(frame, self._rotation)
            score = self._config.markers.min_keypoint_score
            tracked = self._outputs.select(frame.tracked)
            context = self._contexts.pop(frame.payload)
            people = self._projector.locate(tracked, context, frame.epoch, score)
            self._outputs.publish(tracked, people, frame, n_dropped, self._check)
            self._statistics.count_published(int(frame.tracked.visible.sum()))
        except Exception as error:
            self._statistics.report_later(n_dropped)
            self._on_error(error)

    def _context(self, job: FrameJob) -> DepthContext | None:
        """Wait for what the 3D positions need, and return it."""
        config = self._config
        wait_s = _REPLAY_WAIT_S if config.cameras.replay else config.depth.wait_s
        deadline_s = job.job.received_s + wait_s
        self._set_waits(True)
        try:
            if wait_s > 0:
                self._wait(job, deadline_s)
            return self._projector.context(
                job.job.header,
                job.image_size,
                config.depth,
                deadline_s - perf_counter(),
                lambda: self._ended(job.pending.generation),
            )
        finally:
            self._set_waits(False)

    def _wait(self, job: FrameJob, deadline_s: float) -> None:
        """Wait until no input of this image is expected any more."""
        if self._projector.n_received != self._n_received:
            self._vain_waits = 0
        if self._vain_waits >= _MAX_VAIN_WAITS and not self._config.cameras.replay:
            return
        came = self._projector.wait(
            lambda: self._ended(job.pending.generation) or not self._awaits(job.job.stamp_s),
            deadline_s - perf_counter(),
        )
        self._n_received = self._projector.n_received
        self._vain_waits = 0 if came else self._vain_waits + 1
        self._check(job.pending.generation)

    def _ended(self, generation: int) -> bool:
        if self._closed:
            return True
        try:
            self._check(generation)
        except DroppedImageError:
            return True
        return False

    def _set_waits(self, waits: bool) -> None:
        with self._changed:
            self._waits = waits
            self._changed.notify_all()
