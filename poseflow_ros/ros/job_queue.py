"""The queue of images to be processed, with a generation counter for their results."""

import math
import threading
from collections import deque

from poseflow_ros.ros.image_job import DroppedImageError, ImageJob

# The interval between a camera's images is the mean of the latest.
_N_ARRIVALS = 30
_MIN_ARRIVALS = 3


class JobQueue:
    """Queue of the newest image of each camera, or of all images; cameras take turns.

    Reset, deactivation and cleanup start a new generation. Results of images that were taken from
    the queue in an earlier generation must not be published. Thread-safe.
    """

    def __init__(self, *, batches: bool = False, keep_all: bool = False) -> None:
        """Make an empty queue.

        Args:
            batches: `take` returns one image of every camera that has one, otherwise one image.
            keep_all: keep all images; otherwise a newer image replaces the waiting one.
        """
        self._batches = batches
        self._keep_all = keep_all
        self._condition = threading.Condition()
        # By camera, in the order of their turns.
        self._waiting: dict[str, deque[ImageJob]] = {}
        self._arrivals_s: dict[str, deque[float]] = {}
        self._closed = False
        self._generation = 0
        self.reason = ""
        """Why the last generation ended."""

    @property
    def generation(self) -> int:
        """The current generation."""
        return self._generation

    def check(self, generation: int) -> None:
        """Raise DroppedImageError if this generation has ended."""
        if generation != self._generation:
            raise DroppedImageError(self.reason)

    def put(self, job: ImageJob) -> ImageJob | None:
        """Add an image; return the one that it replaces, if any."""
        with self._condition:
            line = self._waiting.setdefault(job.camera, deque())
            replaced = line.popleft() if line and not self._keep_all else None
            line.append(job)
            arrivals_s = self._arrivals_s.setdefault(job.camera, deque(maxlen=_N_ARRIVALS))
            arrivals_s.append(job.received_s)
            self._condition.notify()
        return replaced

    def take(self) -> tuple[int, list[ImageJob]] | None:
        """Wait for images; return them and their generation, None once the queue is closed.

        The images are of different cameras, in the order of their turns.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            cameras = list(self._waiting)[: None if self._batches else 1]
            return self._generation, [self._take(camera) for camera in cameras]

    def invalidate(self, reason: str) -> None:
        """Start a new generation; it includes the waiting images."""
        with self._condition:
            self._generation += 1
            self.reason = reason

    def clear(self, reason: str) -> list[ImageJob]:
        """Start a new generation, remove the waiting images and return them."""
        with self._condition:
            self.invalidate(reason)
            jobs = [job for line in self._waiting.values() for job in line]
            self._waiting.clear()
            self._arrivals_s.clear()
        return jobs

    def newest(self, camera: str) -> ImageJob | None:
        """Return the image of a camera that would be replaced; None if none waits."""
        with self._condition:
            line = self._waiting.get(camera)
            return line[-1] if line and not self._keep_all else None

    def budget_s(self, job: ImageJob, now_s: float) -> float:
        """Return how long an image may take so that no image is dropped; inf: no limit.

        It is due when the next image of its camera is expected, and shares the time until then
        with the other cameras' waiting images.

        Args:
            job: taken from the queue.
            now_s: the present time, by `perf_counter`.
        """
        with self._condition:
            arrivals_s = self._arrivals_s.get(job.camera)
            if self._keep_all or not arrivals_s or len(arrivals_s) < _MIN_ARRIVALS:
                return math.inf
            interval_s = (arrivals_s[-1] - arrivals_s[0]) / (len(arrivals_s) - 1)
            n_others = len(self._waiting.keys() - {job.camera})
            return max(0.0, job.received_s + interval_s - now_s) / (1 + n_others)

    def waiting(self, camera: str) -> int:
        """Return the number of waiting images of a camera."""
        with self._condition:
            return len(self._waiting.get(camera, ()))

    def close(self) -> None:
        """Close the queue; `take` then returns None."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def _take(self, camera: str) -> ImageJob:
        """Take the first image of a camera and move the camera to the end of the turns."""
        line = self._waiting.pop(camera)
        job = line.popleft()
        if line:
            self._waiting[camera] = line
        return job
