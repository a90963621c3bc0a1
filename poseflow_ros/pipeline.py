"""Matching and tracking of one camera's images, shared by node, commands and benchmarks."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import Config, TrackerConfig
from poseflow_ros.imaging.matcher import ImageMatcher
from poseflow_ros.imaging.rotation import Rotation
from poseflow_ros.poses import FloatArray, Image, IntArray, Poses, TrackedPoses, TrackState
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
        image: (H, W, 3) RGB, the input.
        stamp_s: of the image, seconds.
        epoch: incremented by each reset; track ids of different epochs are unrelated.
        tracked: the tracks.
        payload: the input.
    """

    image: Image
    stamp_s: float
    epoch: int
    tracked: TrackedPoses
    payload: Payload


def as_received(frame: Frame[Payload], rotation: Rotation) -> Frame[Payload]:
    """Return an upright image and the people in it in the orientation in which it was received."""
    return replace(
        frame,
        image=rotation.received(frame.image),
        tracked=rotation.received_people(frame.tracked, frame.image.shape[:2]),
    )


def published(tracked: TrackedPoses, config: TrackerConfig, lost: bool) -> NDArray[np.bool_]:
    """Return (N,), true for the tracks that are in a message; with `lost`, all lost ones too."""
    chosen = np.ones(len(tracked), bool)
    if not (config.publish_lost or lost):
        chosen &= tracked.states != TrackState.LOST
    if not config.publish_tentative:
        chosen &= tracked.states != TrackState.TENTATIVE
    return chosen


class Pipeline(Generic[Payload]):
    """Matcher and tracker of one camera.

    `track` and `flush` must be called by one thread; all other methods by any thread.
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
            config: of matching and tracking.
            skeleton: of the poses.
            appearance: the constants of the model that makes the appearances.
            log: called with one line each time the pipeline resets itself.
            epoch: the first one.
        """
        self._matcher = ImageMatcher(config)
        self._tracker = PoseFlowTracker(config.tracker, skeleton, config.classic, appearance)
        self._output: DelayedOutput[Frame[Payload]] = DelayedOutput(self._tracker)
        self._log = log
        # Not held while images are matched, so that a reset does not wait for long.
        self._lock = threading.Lock()
        self._epoch = self._matched_epoch = epoch
        self._shape: tuple[int, ...] | None = None
        self._stamp_s = float("-inf")

    @property
    def epoch(self) -> int:
        """The current epoch; incremented by each reset."""
        return self._epoch

    @property
    def n_delayed(self) -> int:
        """Number of delayed frames."""
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

        Without `flow_window_s` this is the present frame, otherwise the frames that are at least
        `flow_window_s` old. A stamp before the last one (a looping bag, a clock set back) or a
        new image size resets the tracking.

        Args:
            image: (H, W, 3) RGB.
            poses: the people in it.
            appearances: (N, D) of these people, from the appearance model.
            stamp_s: of the image, seconds.
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
        """Return all delayed frames, oldest first, at the end of the input."""
        with self._lock:
            return _ready(self._output.flush())

    def configure(self, config: Config) -> None:
        """Use the live parameters from the next image on."""
        with self._lock:
            self._tracker.configure(config.tracker, config.classic)

    def reset(self) -> int:
        """Remove all tracks; return the number of discarded delayed frames."""
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
        """Reset the tracking if necessary; return the frames that were delayed."""
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
