"""A recorded sequence with detections and ground truth, unchanged or made harder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.metrics import Frames, read_mot
from poseflow_ros.bench.observation import Observation
from poseflow_ros.config import Config
from poseflow_ros.estimation.recorded import RecordedPoses
from poseflow_ros.imaging.appearance_factory import make_appearance_model
from poseflow_ros.imaging.video import open_source
from poseflow_ros.pipeline import Pipeline
from poseflow_ros.poses import FloatArray, Image, IntArray, Poses, TrackedPoses
from poseflow_ros.tracking.delayed_output import DelayedOutput
from poseflow_ros.tracking.tracker import PoseFlowTracker

_MAX_EVERY = 1000
_REACH_PX = 60  # maximum shift of the image to any side
_NO_IMAGE = np.zeros((1, 1, 3), np.uint8)
_NOBODY = (np.zeros(0, int), np.zeros((0, 4)))

Outcome = tuple[IntArray, FloatArray, TrackedPoses]
"""True ids (T,) and boxes (T, 4) of a frame, and the tracker's output."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The sequence and how it is replayed.

    Attributes:
        video: an input of `open_source`; empty: no images.
        detections: an archive of recorded poses.
        gt: MOTChallenge ground truth.
        every: only every N-th frame is used.
        shake_px: maximum shift of the image between two used frames.
        with_images: False: the tracker runs alone, without correspondences.
        fps: frames per second, above 0 without a video; 0: the rate of the video.
        partial: whether only some of the people are labelled in `gt`.
        name: used in reports.

    Raises:
        BenchError: a number is out of its range.
    """

    video: str
    detections: Path
    gt: Path
    every: int = 1
    shake_px: float = 0.0
    with_images: bool = True
    fps: float = 0.0
    partial: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.every <= _MAX_EVERY:
            raise BenchError(f"every is {self.every}, must be from 1 to {_MAX_EVERY}")
        if not 0 <= self.shake_px <= _REACH_PX:
            raise BenchError(f"shake is {self.shake_px:g} px, must be from 0 to {_REACH_PX}")
        if self.shake_px and not self.video:
            raise BenchError(f"shake is {self.shake_px:g} px, must be 0 for {self.name}: it has "
                             "no video")  # fmt: skip

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return *([Path(self.video)] if self.video else []), self.detections, self.gt

    @property
    def rate_hz(self) -> float:
        """Frames per second of the recording, of which one in `every` is used."""
        return self.fps or open_source(self.video).rate_hz

    def replay(
        self, config: Config, add_time: Callable[[float], None] = lambda _: None
    ) -> Iterator[Outcome]:
        """Yield the truth and the tracks of each used frame.

        Args:
            config: of the pipeline.
            add_time: called once for each frame with the seconds spent on matching and tracking.

        Raises:
            BenchError: the truth is invalid, or has more frames than the detections.
            EstimatorError, VideoError, OSError: a file cannot be read.
        """
        recorded, truth = self._load()
        shifts = shake_px(len(recorded), self.shake_px)
        with_images = self.with_images and self.video
        steps = self._pipeline_steps if with_images else self._tracker_steps
        for index, tracked in steps(config, recorded, shifts, add_time):
            yield *self._truth_of(index, truth, shifts), tracked

    def observations(self) -> Iterator[Observation]:
        """Yield the truth and the detections of each used frame.

        If the video is shorter than the detections, `replay` yields fewer frames.

        Raises:
            BenchError, EstimatorError, OSError: as `replay`.
        """
        recorded, truth = self._load()
        shifts = shake_px(len(recorded), self.shake_px)
        shown = _shown_poses(recorded, self.every, shifts)
        for index, poses in zip(range(0, len(recorded), self.every), shown, strict=True):
            ids, boxes = self._truth_of(index, truth, shifts)
            yield Observation(ids, boxes, poses.boxes, poses.scores)

    def _load(self) -> tuple[RecordedPoses, Frames]:
        recorded, truth = RecordedPoses(self.detections), read_mot(self.gt)
        if max(truth) >= len(recorded):
            raise BenchError(f"{self.gt} has frames to {max(truth) + 1}, {self.detections} has "
                             f"{len(recorded)}")  # fmt: skip
        return recorded, truth

    def _truth_of(
        self, index: int, truth: Frames, shifts: IntArray
    ) -> tuple[IntArray, FloatArray]:
        ids, boxes = truth.get(index, _NOBODY)
        return ids, boxes + np.tile(shifts[index // self.every], 2)

    def _pipeline_steps(
        self,
        config: Config,
        recorded: RecordedPoses,
        shifts: IntArray,
        add_time: Callable[[float], None],
    ) -> Iterator[tuple[int, TrackedPoses]]:
        """Yield the index and the tracks of each used frame, with images."""
        poses = _shown_poses(recorded, self.every, shifts)
        appearance = make_appearance_model(config.tracker, recorded.skeleton)
        pipeline: Pipeline[int] = Pipeline(config, recorded.skeleton, appearance.likelihood)
        for index, (image, stamp_s) in enumerate(open_source(self.video, self.fps)):
            if index < len(recorded) and index % self.every == 0:
                shown, found = shifted(image, shifts[index // self.every]), next(poses)
                start = perf_counter()
                (appearances,) = appearance.describe([shown], [found])
                frames = pipeline.track(shown, found, appearances, stamp_s, index)
                add_time(perf_counter() - start)
                yield from ((frame.payload, frame.tracked) for frame in frames)
        yield from ((frame.payload, frame.tracked) for frame in pipeline.flush())

    def _tracker_steps(
        self,
        config: Config,
        recorded: RecordedPoses,
        shifts: IntArray,
        add_time: Callable[[float], None],
    ) -> Iterator[tuple[int, TrackedPoses]]:
        """Yield the index and the tracks of each used frame, without images."""
        shown = _shown_poses(recorded, self.every, shifts)
        tracker = PoseFlowTracker(config.tracker, recorded.skeleton, config.classic)
        output: DelayedOutput[int] = DelayedOutput(tracker)
        rate_hz = self.rate_hz
        for index, poses in zip(range(0, len(recorded), self.every), shown, strict=True):
            start = perf_counter()
            ready = output.push(tracker.update(poses, None, index / rate_hz), index)
            add_time(perf_counter() - start)
            yield from ((i, tracked) for tracked, i in ready)
        yield from ((i, tracked) for tracked, i in output.flush())


def _shown_poses(recorded: RecordedPoses, every: int, shifts: IntArray) -> Iterator[Poses]:
    """Yield the recorded poses of every n-th frame, shifted with its image."""
    for index in range(len(recorded)):
        poses = recorded.estimate(_NO_IMAGE)
        if index % every == 0:
            shift = shifts[index // every]
            boxes = poses.boxes + np.tile(shift, 2)
            yield Poses(poses.keypoints + shift, poses.keypoint_scores, boxes, poses.scores)


def shake_px(n: int, limit_px: float) -> IntArray:
    """Return (n, 2) whole pixels by which the images are shifted, with a fixed seed.

    A random walk with jitter. Steps are limited to `limit_px`, the distance from the centre to 60
    px.
    """
    rng = np.random.default_rng(0)
    walk, jitter = rng.normal(0, limit_px / 3, (2, n, 2))
    shifts, drift = np.zeros((n, 2), int), np.zeros(2)
    for i in range(1, n):
        drift = np.clip(drift + walk[i], -_REACH_PX, _REACH_PX)
        step = np.clip(drift + jitter[i], -_REACH_PX, _REACH_PX) - shifts[i - 1]
        step *= min(1.0, limit_px / max(float(np.hypot(*step)), 1e-9))
        shifts[i] = shifts[i - 1] + np.trunc(step).astype(int)
    return shifts


def shifted(image: Image, shift: IntArray) -> Image:
    """Return the (H, W, 3) image moved by (x, y) pixels, its border repeated."""
    if not shift.any():
        return image
    height, width = image.shape[:2]
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], float)
    moved: Image = cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return moved
