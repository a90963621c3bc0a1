"""One frame's path from an image to tracked people: the same for node and command."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from poseflow_ros.config import Config
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.imaging.matcher import ImageMatcher
from poseflow_ros.poses import Image, TrackedPoses
from poseflow_ros.tracking.tracker import PoseFlowTracker


@dataclass(frozen=True, slots=True)
class Frame:
    """What became of one image.

    Attributes:
        tracked: who is where.
        epoch: grows at each reset: people of different epochs are different people.
        estimate_s: seconds that the estimator took.
        track_s: seconds that correspondences and association took.
    """

    tracked: TrackedPoses
    epoch: int
    estimate_s: float
    track_s: float


class Pipeline:
    """Estimator, matcher and tracker of one camera.

    `process` is called by one thread; `reset` and `close` by any.
    """

    def __init__(
        self,
        config: Config,
        estimator: PoseEstimator,
        say: Callable[[str], None] = lambda _: None,
        epoch: int = 0,
    ) -> None:
        """Make a pipeline.

        Args:
            config: how to match and track.
            estimator: finds the people; closed by `close`.
            say: told in one line why the pipeline reset itself.
            epoch: the one to begin with.
        """
        self.estimator = estimator
        self._matcher = ImageMatcher(config)
        self._tracker = PoseFlowTracker(config.tracker)
        self._say = say
        self.lock = threading.Lock()
        """Held while the tracker works, not while the estimator does: a reset is quick."""
        self.epoch = epoch
        """Grows at each reset: people of different epochs are different people."""
        self._forget()

    def process(self, image: Image, stamp_s: float) -> Frame:
        """Return who is where in an (H, W, 3) RGB image taken at `stamp_s` seconds.

        A stamp before the last one (a bag that loops, a clock set back) and another size of image
        reset the tracking.
        """
        start = perf_counter()
        poses = self.estimator.estimate(image)
        estimated = perf_counter()
        with self.lock:
            self._reset_where_broken(image.shape[:2], stamp_s)
            matches, appearances = self._matcher.match(image, poses)
            tracked = self._tracker.update(poses, matches, stamp_s, appearances)
            epoch = self.epoch
        return Frame(tracked, epoch, estimated - start, perf_counter() - estimated)

    def reset(self) -> None:
        """Forget everybody; an image that is being estimated counts as the first of the new."""
        with self.lock:
            self.epoch += 1
            self._forget()

    def close(self) -> None:
        """Give back what the estimator holds."""
        self.estimator.close()

    def _forget(self) -> None:
        self._matcher.reset()
        self._tracker.reset()
        self._shape: tuple[int, ...] | None = None
        self._stamp_s = float("-inf")

    def _reset_where_broken(self, shape: tuple[int, ...], stamp_s: float) -> None:
        reason = ""
        if stamp_s < self._stamp_s:
            reason = f"the stamp went back from {self._stamp_s:.3f} to {stamp_s:.3f} s"
        elif self._shape not in (None, shape):
            reason = f"the image size changed from {self._shape} to {shape} (height, width)"
        if reason:
            self.epoch += 1
            self._forget()
            self._say(f"tracking starts anew: {reason}")
        self._shape, self._stamp_s = shape, stamp_s
