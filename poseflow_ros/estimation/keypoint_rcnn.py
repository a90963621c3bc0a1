"""Keypoint R-CNN with the network of either library: images to poses, on the device."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.boxes import Size
from poseflow_ros.estimation.cpu_threads import cpu_threads
from poseflow_ros.estimation.cuda_graphs import Passes
from poseflow_ros.estimation.device_errors import is_device_lost, is_out_of_memory
from poseflow_ros.estimation.errors import (
    DeviceLostError,
    EstimatorError,
    OutOfMemoryError,
    first_line,
)
from poseflow_ros.estimation.heatmaps import decode
from poseflow_ros.estimation.network_pass import Found, Network
from poseflow_ros.estimation.padded_people import PADDED, PaddedPeople, padded
from poseflow_ros.estimation.torch_device import (
    choose_device,
    choose_precision,
    describe,
    free_memory,
    ieee_float32,
    precision_name,
)
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeletons.coco17 import COCO_17

# The first image takes many times as long, so one of this shape goes first.
_WARM_UP_SHAPE = (480, 640, 3)
_WARM_UP_BOX = (0.0, 0.0, 64.0, 128.0)


def no_stage(name: str) -> None:
    """Ignore the end of a stage."""


class KeypointRCNN:
    """Pose estimator of Keypoint R-CNN, COCO keypoints.

    The score of a person is the softmax of the box head, that of a keypoint the probability of its
    position (`heatmaps.decode`), both in [0, 1]. Boxes and keypoints are those of the library,
    with the keypoints moved by less than half a pixel to the maximum between the pixels.
    """

    skeleton = COCO_17

    def __init__(
        self,
        config: EstimatorConfig,
        load: Callable[[torch.device, torch.dtype], Network],
    ) -> None:
        """Load the network and run it once.

        Args:
            config: the settings.
            load: returns the network on a device, in a precision.

        Raises:
            EstimatorError: a parameter, the device, the library or the weights cannot be used.
        """
        self.device = choose_device(config.device)
        self.batches = self._on_gpu = self.device.type != "cpu"
        precision = choose_precision(config.precision, self.device)
        torch.set_num_threads(cpu_threads(config))
        self.on_stage: Callable[[str], None] = no_stage
        """Called at the end of copy in, network, decode and copy out, for benchmarks."""
        self.max_batch: int | None = None
        """Images in a batch; None for any number, until memory is exhausted."""
        self.fallbacks = 0
        """Batches whose people the library's own way had to find: suppression did not settle."""
        self._max_aspect, self._max_people = config.image_max_side, config.max_people
        self._context = ieee_float32 if precision == torch.float32 else nullcontext
        self._captures, self._compiles = _captures(config, self.device), config.compile
        try:
            self.network = load(self.device, precision)
            self._warm_up()
        except Exception as error:
            self.close()
            if isinstance(error, EstimatorError):
                raise
            advice = "; estimator.compile is true, try false" if config.compile else ""
            raise EstimatorError(
                f"estimator {config.name} does not run on {describe(self.device)}: "
                f"{first_line(error)}{advice}"
            ) from error
        self.description = (
            f"{self.network.name}, sides {config.image_min_side} to {config.image_max_side} px, "
            f"{describe(self.device)}, {precision_name(precision)}"
        )

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) uint8 RGB image.

        Raises:
            OutOfMemoryError: the device had no memory; it may have enough for the next image.
            DeviceLostError: the device failed.
        """
        return self.estimate_batch([image])[0]

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each image; images of equal size go through the network together.

        Images of different sizes never share a pass: padding would change the result.

        Raises:
            OutOfMemoryError: the device had no memory; the next batches have half the size.
            DeviceLostError: the device failed.
        """
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, image in enumerate(images):
            groups[image.shape].append(i)
        results: dict[int, Poses] = {}
        for group in groups.values():
            step = self.max_batch or len(group)
            for start in range(0, len(group), step):
                part = group[start : start + step]
                results.update(zip(part, self._estimate([images[i] for i in part]), strict=True))
        return [results[i] for i in range(len(images))]

    @property
    def network(self) -> Network:
        """The network; setting another one discards what was captured of this one."""
        return self._passes.network

    @network.setter
    def network(self, network: Network) -> None:
        self._passes = Passes(network, captures=self._captures)

    @property
    def device_bytes(self) -> int:
        """Bytes that torch has reserved on the GPU, without CUDA's own context; 0 on a CPU."""
        if self.device.type != "cuda":
            return 0
        return int(torch.cuda.memory_reserved(self.device))

    def values(self) -> dict[str, str]:
        """Return the values for diagnostics."""
        graphs = "on" if self._captures else "off"
        return {
            "CUDA graphs": self._passes.problem or graphs,
            "batches with the library's own suppression": str(self.fallbacks),
        }

    def close(self) -> None:
        """Release the network's memory; a second call does nothing."""
        self.network = None  # type: ignore[assignment]
        free_memory(self.device)

    def _estimate(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in images of equal size; raise the errors of the device."""
        short, long = sorted(images[0].shape[:2])
        if long >= self._max_aspect * short:
            # Scaled to the maximum of the longer side, such an image would have no row left.
            return [Poses.empty(self.skeleton.n_keypoints) for _ in images]
        try:
            with torch.inference_mode(), self._context():
                return self._infer(images)
        except (RuntimeError, MemoryError) as error:
            reason = first_line(error)
            if is_out_of_memory(error):
                self.max_batch = max(1, len(images) // 2)
            elif is_device_lost(error):
                raise DeviceLostError(f"{describe(self.device)} failed: {reason}") from error
            else:
                raise
        # Outside the except clause, where the error would still refer to the memory.
        self._passes.clear()
        free_memory(self.device)
        height, width = images[0].shape[:2]
        raise OutOfMemoryError(
            f"out of memory with a batch of {len(images)}, {width} x {height} pixels, on "
            f"{describe(self.device)} ({reason}); the next batches have at most {self.max_batch}"
        )

    def _infer(self, images: Sequence[Image]) -> list[Poses]:
        batch = self._copy_in(images)
        self.on_stage("copy in")
        run = self._passes.take(batch)
        found = run.find(batch)
        counts, lengths, settled = found.read()  # waits for the device, as does copying out
        if not settled:
            self.fallbacks += 1
            run = self._passes.eager
            found = run.find_exactly(found)
            counts, lengths, _ = found.read()
        if not sum(counts):
            return [Poses.empty(self.skeleton.n_keypoints) for _ in images]
        regions, scores, heatmaps = run.heads(found, self._padded(found.people, sum(counts)))
        self.on_stage("network")
        image_size = batch.shape[2:]
        rows = self._decode(regions, scores, heatmaps, lengths, found.size, image_size)
        self.on_stage("decode")
        result = rows.cpu().numpy()
        self.on_stage("copy out")
        # From pixels of the network's input to those of the image, (x, y).
        scale = np.array([image_size[i] / found.size[i] for i in (1, 0)], np.float32)
        parts = np.split(result, np.cumsum(counts)[:-1])
        return [self._poses(part, scale) for part in parts]

    def _padded(self, people: PaddedPeople, n: int) -> int:
        """Return the number of people for which the keypoint head runs where n were found."""
        # A CPU plans nothing, and would only compute more.
        return min(padded(n), people.scores.numel()) if self._on_gpu else n

    def _decode(
        self,
        regions: Tensor,
        scores: Tensor,
        heatmaps: Tensor,
        lengths: Sequence[Sequence[int]],
        size: Size,
        image_size: Size,
    ) -> Tensor:
        """Return a row of each person: box, score, keypoint scores, keypoints."""
        n = len(lengths)
        boxes = regions[:n, 1:]
        # The result differs from the library's by less than half a pixel of the image.
        limits = [boxes.new_full((), 0.49 * size[i] / image_size[i]) for i in (1, 0)]
        keypoints, keypoint_scores = decode(heatmaps[:n], boxes, torch.stack(limits), lengths)
        return torch.cat([boxes, scores[:n, None], keypoint_scores, keypoints.flatten(1)], dim=1)

    def _copy_in(self, images: Sequence[Image]) -> Tensor:
        """Return the images on the device, (B, 3, H, W) uint8."""
        # torch caches pinned memory, and does not reuse it before the copy has ended.
        staging = torch.empty(
            (len(images), *images[0].shape), dtype=torch.uint8, pin_memory=self._on_gpu
        )
        np.stack(images, out=staging.numpy())
        return staging.to(self.device, non_blocking=self._on_gpu).permute(0, 3, 1, 2)

    def _poses(self, rows: Any, scale: Any) -> Poses:
        k = self.skeleton.n_keypoints
        keypoints = rows[:, 5 + k :].reshape(-1, k, 2)
        return Poses(
            keypoints=keypoints * scale + np.float32(self.network.keypoint_offset),
            keypoint_scores=rows[:, 5 : 5 + k],
            boxes=rows[:, :4] * np.tile(scale, 2),
            scores=rows[:, 4],
        )

    def _warm_up(self) -> None:
        """Run every part once: a device plans each shape at its first pass.

        Raises:
            EstimatorError: the network's output is not finite.
        """
        image = np.random.default_rng(0).integers(0, 256, _WARM_UP_SHAPE, np.uint8)
        run, finite = self._passes.eager, True
        with torch.inference_mode(), self._context():
            found = run.find(self._copy_in([image]))
            for n in self._warm_up_numbers():
                placed = self._placed(found, n)
                regions, scores, heatmaps = run.heads(placed, n)
                _, lengths, _ = placed.read()
                self._decode(regions, scores, heatmaps, lengths, found.size, found.size)
                finite = finite and bool(heatmaps.isfinite().all())
        if not finite:
            raise EstimatorError(
                "the network's output is not finite: its precision cannot represent it, or the "
                "weights are not finite; try precision bfloat16 or float32"
            )
        self.estimate(image)
        if self._compiles and self.batches:
            self.estimate_batch([image] * 2)  # one image is compiled for itself, more together

    def _warm_up_numbers(self) -> Sequence[int]:
        """Return the numbers of people for which the keypoint head is run once."""
        return sorted({min(n, self._max_people) for n in PADDED}) if self._on_gpu else (1,)

    def _placed(self, found: Found, n: int) -> Found:
        """Return the same features with n people placed."""
        boxes = torch.tensor(_WARM_UP_BOX, device=self.device).expand(1, n, 4)
        people = PaddedPeople(boxes, boxes.new_ones(1, n), boxes.new_ones((), dtype=torch.bool))
        return Found(found.features, people, people.summary(), found.size)


def _captures(config: EstimatorConfig, device: torch.device) -> bool:
    """Return whether CUDA graphs are captured.

    Raises:
        EstimatorError: they are required, on a CPU.
    """
    if config.cuda_graphs == "true" and device.type == "cpu":
        raise EstimatorError("estimator.cuda_graphs is true, but the device is a CPU; try auto")
    return config.cuda_graphs != "false" and device.type != "cpu"
