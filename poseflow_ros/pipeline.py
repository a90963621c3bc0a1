"""From the poses of an image to tracked people: the same for node, command and benchmark."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from poseflow_ros.config import Config
from poseflow_ros.imaging.matcher import ImageMatcher
from poseflow_ros.poses import FloatArray, Image, IntArray, Poses, TrackedPoses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.appearance_likelihood import AppearanceLikelihood
from poseflow_ros.tracking.delayed_output import DelayedOutput
from poseflow_ros.tracking.predictions import NO_IDS, Predictions
from poseflow_ros.tracking.tracker import PoseFlowTracker

Payload = TypeVar("Payload")


@dataclass(frozen=True, slots=True, eq=False)
class Frame(Generic[Payload]):
    """One image and the people tracked in it.

    Attributes:
        image: (H, W, 3) RGB, as given.
        stamp_s: when it was taken, seconds.
        epoch: raised by each reset: people of different epochs are different people.
        tracked: the tracks.
        payload: as given.
    """

    image: Image
    stamp_s: float
    epoch: int
    tracked: TrackedPoses
    payload: Payload


class Pipeline(Generic[Payload]):
    """Matcher and tracker of one camera.

    `track` and `flush` are called by one thread, everything else by any.
    """

    def __init__(
        self,
        config: Config,
        skeleton: Skeleton,
        appearance: AppearanceLikelihood,
        log: Callable[[str], None] = lambda _: None,
        epoch: int = 0,
    ) -> None:
        """Make a pipeline.

        Args:
            config: how to match and track.
            skeleton: of the poses.
            appearance: the constants of the model that makes the appearances.
            log: called with one line each time the pipeline resets itself.
            epoch: the first one.
        """
        self._matcher = ImageMatcher(config)
        self._tracker = PoseFlowTracker(config.tracker, skeleton, config.classic, appearance)
        self._output: DelayedOutput[Frame[Payload]] = DelayedOutput(self._tracker)
        self._log = log
        # Held while the tracker works, not while images are matched: a reset does not wait long.
        self._lock = threading.Lock()
        self._epoch = self._matched_epoch = epoch
        self._shape: tuple[int, ...] | None = None
        self._stamp_s = float("-inf")

    @property
    def epoch(self) -> int:
        """The present epoch; raised by each reset."""
        return self._epoch

    @property
    def n_delayed(self) -> int:
        """How many frames are delayed at present."""
        return len(self._output)

    def predict(self, image: Image, stamp_s: float) -> Predictions:
        """Return where people are expected in the image that `track` gets next.

        Args:
            image: (H, W, 3).
            stamp_s: when it was taken, seconds.
        """
        with self._lock:
            if self._discontinuity(image.shape[:2], stamp_s):
                return Predictions.none()
            return self._tracker.predict(stamp_s)

    def track(
        self,
        image: Image,
        poses: Poses,
        appearances: FloatArray,
        stamp_s: float,
        payload: Payload,
        unscanned_ids: IntArray = NO_IDS,
    ) -> list[Frame[Payload]]:
        """Track the people in an image; return the frames that are ready, oldest first.

        Without `flow_window_s` that is this one, with it those that are so many seconds old.
        A stamp before the last one (a bag that loops, a clock set back) and another image size
        reset the tracking.

        Args:
            image: (H, W, 3) RGB.
            poses: the people in it.
            appearances: (N, D) of them, from the appearance model.
            stamp_s: when it was taken, seconds.
            payload: returned in `Frame.payload`.
            unscanned_ids: tracks that were predicted but not looked for.
        """
        shape = image.shape[:2]
        flushed = self._reset_if_discontinuous(shape, stamp_s)
        if self._matched_epoch != self._epoch:
            self._matcher.reset()
        self._matched_epoch = self._epoch
        cues = self._matcher.match(image, poses, appearances)
        with self._lock:
            self._shape, self._stamp_s = shape, stamp_s
            tracked = self._tracker.update(poses, cues, stamp_s, unscanned_ids)
            frame = Frame(image, stamp_s, self._epoch, tracked, payload)
            return flushed + _ready(self._output.push(tracked, frame))

    def flush(self) -> list[Frame[Payload]]:
        """Return the frames still delayed, oldest first: no more will come."""
        with self._lock:
            return _ready(self._output.flush())

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        with self._lock:
            self._tracker.configure(config.tracker, config.classic)

    def reset(self) -> int:
        """Forget all tracks; return how many delayed frames were discarded."""
        with self._lock:
            n_delayed = len(self._output)
            self._start_epoch()
            return n_delayed

    def _start_epoch(self) -> None:
        self._epoch += 1
        self._tracker.reset()
        self._output.reset()
        self._shape = None
        self._stamp_s = float("-inf")

    def _reset_if_discontinuous(
        self, shape: tuple[int, ...], stamp_s: float
    ) -> list[Frame[Payload]]:
        """Return the frames that were delayed until this reset, if there is one."""
        with self._lock:
            reason = self._discontinuity(shape, stamp_s)
            if not reason:
                return []
            flushed = _ready(self._output.flush())
            self._start_epoch()
        self._log(f"tracking reset: {reason}")
        return flushed

    def _discontinuity(self, shape: tuple[int, ...], stamp_s: float) -> str:
        """Return why such an image does not continue the last one; empty where it does."""
        if stamp_s < self._stamp_s:
            return f"the stamp went back from {self._stamp_s:.3f} to {stamp_s:.3f} s"
        if self._shape not in (None, shape):
            return f"the image size changed from {self._shape} to {shape} (height, width)"
        return ""


def _ready(frames: list[tuple[TrackedPoses, Frame[Payload]]]) -> list[Frame[Payload]]:
    """Return the frames with their improved tracks."""
    return [replace(frame, tracked=tracked) for tracked, frame in frames]
