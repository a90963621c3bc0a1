"""One frame's path from an image to tracked people: the same for node and command."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from poseflow_ros.config import Config
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.imaging.appearance import AppearanceModel
from poseflow_ros.imaging.appearance_factory import make_appearance_model
from poseflow_ros.imaging.matcher import ImageMatcher
from poseflow_ros.poses import Image, Poses, TrackedPoses
from poseflow_ros.tracking.tracker import PoseFlowTracker


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What became of one image.

    Attributes:
        image: (H, W, 3) RGB, as it was given.
        stamp_s: when it was taken, seconds.
        tag: whatever the caller gave with it.
        tracked: who is where.
        epoch: grows at each reset: people of different epochs are different people.
        estimate_s: seconds that the estimator took.
        track_s: seconds that correspondences and association took.
    """

    image: Image
    stamp_s: float
    tag: Any
    tracked: TrackedPoses
    epoch: int
    estimate_s: float
    track_s: float


class Pipeline:
    """Estimator, matcher and tracker of one camera.

    `process` and `track` are called by one thread; `reset` and `close` by any. Cameras that share
    an estimator call it for all of them at once, then each its own `track`.
    """

    def __init__(
        self,
        config: Config,
        estimator: PoseEstimator,
        say: Callable[[str], None] = lambda _: None,
        epoch: int = 0,
        appearance: AppearanceModel | None = None,
    ) -> None:
        """Make a pipeline.

        Args:
            config: how to match and track.
            estimator: finds the people; closed by `close`.
            say: told in one line why the pipeline reset itself.
            epoch: the one to begin with.
            appearance: describes the people; None: the model that the configuration asks for.
        """
        self.estimator = estimator
        self._matcher = ImageMatcher(config)
        self._appearance = appearance or make_appearance_model(config.tracker)
        self._tracker = PoseFlowTracker(config.tracker, self._appearance.likelihood)
        self._say = say
        self.lock = threading.Lock()
        """Held while the tracker works, not while the estimator does: a reset is quick."""
        self.epoch = epoch
        """Grows at each reset: people of different epochs are different people."""
        self._held: deque[Frame] = deque()
        self._forget()

    def process(self, image: Image, stamp_s: float, tag: Any = None) -> list[Frame]:
        """Find the people in an image and tell who they are; returns what `track` does.

        Args:
            image: (H, W, 3) RGB.
            stamp_s: when it was taken, seconds.
            tag: comes back in `Frame.tag`.
        """
        start = perf_counter()
        poses = self.estimator.estimate(image)
        return self.track(image, poses, stamp_s, tag, perf_counter() - start)

    def track(
        self, image: Image, poses: Poses, stamp_s: float, tag: Any = None, estimate_s: float = 0.0
    ) -> list[Frame]:
        """Return the frames whose people are known now, oldest first.

        Without `flow_window_s` that is the one given, with it those that are so many seconds old.
        A stamp before the last one (a bag that loops, a clock set back) and another size of image
        reset the tracking.

        Args:
            image: (H, W, 3) RGB.
            poses: the people in it.
            stamp_s: when it was taken, seconds.
            tag: comes back in `Frame.tag`.
            estimate_s: seconds that the estimator took, for `Frame.estimate_s`.
        """
        estimated = perf_counter()
        (appearances,) = self._appearance.describe([image], [poses])
        with self.lock:
            before = self._reset_where_broken(image.shape[:2], stamp_s)
            cues = self._matcher.match(image, poses, appearances)
            tracked = self._tracker.update(poses, cues, stamp_s)
            ready = self._tracker.hold_back(tracked)
            track_s = perf_counter() - estimated
            self._held.append(Frame(image, stamp_s, tag, tracked, self.epoch, estimate_s, track_s))
            return before + self._release(ready)

    def flush(self) -> list[Frame]:
        """Return the frames still held back, oldest first: no more will come."""
        with self.lock:
            return self._release(self._tracker.flush())

    def configure(self, config: Config) -> None:
        """Take the live parameters from the next image on; called with `lock` held."""
        self._tracker.configure(config.tracker)

    def reset(self) -> int:
        """Forget everybody; return how many frames were held back, which are not told any more.

        An image that is being estimated counts as the first of the new.
        """
        with self.lock:
            self.epoch += 1
            return self._forget()

    def close(self) -> None:
        """Give back what the estimator holds."""
        self.estimator.close()

    def _release(self, ready: list[TrackedPoses]) -> list[Frame]:
        return [replace(self._held.popleft(), tracked=tracked) for tracked in ready]

    def _forget(self) -> int:
        held, self._held = len(self._held), deque[Frame]()
        self._matcher.reset()
        self._tracker.reset()
        self._shape: tuple[int, ...] | None = None
        self._stamp_s = float("-inf")
        return held

    def _reset_where_broken(self, shape: tuple[int, ...], stamp_s: float) -> list[Frame]:
        """Return the frames held back until then, where a reset ends the wait."""
        reason = ""
        if stamp_s < self._stamp_s:
            reason = f"the stamp went back from {self._stamp_s:.3f} to {stamp_s:.3f} s"
        elif self._shape not in (None, shape):
            reason = f"the image size changed from {self._shape} to {shape} (height, width)"
        told: list[Frame] = []
        if reason:
            told = self._release(self._tracker.flush())
            self.epoch += 1
            self._forget()
            self._say(f"tracking starts anew: {reason}")
        self._shape, self._stamp_s = shape, stamp_s
        return told
