"""Keypoint R-CNN, whoever provides the network: images to poses, all of it on the device."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.estimator import (
    DeviceLostError,
    EstimatorError,
    OutOfMemoryError,
    cpu_threads,
)
from poseflow_ros.estimation.heatmaps import decode
from poseflow_ros.estimation.torch_device import (
    choose_device,
    choose_precision,
    describe,
    first_line,
    free_memory,
    is_device_lost,
    is_out_of_memory,
    precision_name,
)
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeleton import COCO_17

# The first image takes many times as long; a camera's first must not.
_WARM_UP_SHAPE = (480, 640, 3)
_WARM_UP_BOX = (0.0, 0.0, 64.0, 128.0)

MAX_SIZES = 16
"""Sizes of images for which a network keeps what it made once; cameras have few."""

Size = tuple[int, int]
"""Height and width, pixels."""


class Network(Protocol):
    """What a library provides: its own network, its own steps, its own numbers."""

    name: str
    keypoint_offset: float
    """What is added to its keypoints, pixels, so that a pixel's centre has whole numbers."""

    def prepare(self, images: Tensor) -> tuple[Tensor, Size]:
        """Return the network's input for (B, 3, H, W) uint8 RGB, and the size of an image in it.

        The input is float32, scaled, normalised and padded at the right and at the bottom.
        """
        ...

    def extract(self, inputs: Tensor) -> Any:
        """Return the features of the images."""
        ...

    def find_people(self, features: Any, size: Size) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each image the boxes (N, 4), pixels of the input, and scores (N,) of people.

        The surest first, without duplicates and no more than `max_people`.
        """
        ...

    def heatmaps(self, features: Any, boxes: list[Tensor]) -> Tensor:
        """Return the logits (N, K, S, S) of the keypoints of all images' people, float32."""
        ...


def no_stage(name: str) -> None:
    """Take no notice of the end of a stage."""


class KeypointRCNN:
    """Pose estimator of Keypoint R-CNN, COCO keypoints.

    A person's score is the softmax of the box head, a keypoint's the probability of lying where
    it is said to (`heatmaps.decode`), both in [0, 1]. Boxes and keypoints are those of the
    library, the keypoints moved by less than half a pixel, to the maximum between the pixels.
    """

    skeleton = COCO_17

    def __init__(
        self,
        config: EstimatorConfig,
        make_network: Callable[[EstimatorConfig, torch.device, torch.dtype], Network],
    ) -> None:
        """Load the network and run it once.

        Raises:
            EstimatorError: a parameter, the device, the library or the weights cannot be used.
        """
        self.device = choose_device(config.device)
        self.batches = self.device.type == "cuda"
        precision = choose_precision(config.precision, self.device)
        torch.set_num_threads(cpu_threads(config))
        self.on_stage: Callable[[str], None] = no_stage
        """Called at the end of copy in, network, decode and copy out, for benchmarks."""
        self._max_batch: int | None = None
        self._max_aspect = config.image_max_side
        try:
            self.network = make_network(config, self.device, precision)
            self._warm_up()
        except Exception as error:
            self.close()
            if isinstance(error, EstimatorError):
                raise
            advice = "; compile is true, try false" if config.compile else ""
            raise EstimatorError(
                f"estimator {config.estimator} does not run on {describe(self.device)}: "
                f"{first_line(error)}{advice}"
            ) from error
        self.description = (
            f"{self.network.name}, sides {config.image_min_side} to {config.image_max_side} px, "
            f"{describe(self.device)}, {precision_name(precision)}"
        )

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) RGB image.

        Raises:
            OutOfMemoryError: the device had no memory; the next image may find some.
            DeviceLostError: the device failed.
        """
        return self.estimate_batch([image])[0]

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each image; images of one size go through the network together.

        Images of different size never share a pass: padding would change what is found in them.

        Raises:
            OutOfMemoryError: the device had no memory; the next batches are halved.
            DeviceLostError: the device failed.
        """
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, image in enumerate(images):
            groups[image.shape].append(i)
        answers: dict[int, Poses] = {}
        for group in groups.values():
            step = self._max_batch or len(group)
            for start in range(0, len(group), step):
                part = group[start : start + step]
                answers.update(zip(part, self._answer([images[i] for i in part]), strict=True))
        return [answers[i] for i in range(len(images))]

    @property
    def device_bytes(self) -> int:
        """Memory that torch has taken on the GPU; 0 on a CPU."""
        if self.device.type != "cuda":
            return 0
        return int(torch.cuda.memory_allocated(self.device))

    def close(self) -> None:
        """Give back the network's memory."""
        self.network = None  # type: ignore[assignment]
        free_memory(self.device)

    def _answer(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in images of one size, or say what became of the device."""
        short, long = sorted(images[0].shape[:2])
        if long >= self._max_aspect * short:
            # Scaled to the longest side allowed, no row of such a line is left.
            return [Poses.empty(len(self.skeleton.keypoint_names)) for _ in images]
        try:
            with torch.inference_mode():
                return self._infer(images)
        except (RuntimeError, MemoryError) as error:
            reason = first_line(error)
            if is_out_of_memory(error):
                self._max_batch = max(1, len(images) // 2)
            elif is_device_lost(error):
                raise DeviceLostError(f"{describe(self.device)} failed: {reason}") from error
            else:
                raise
        # Outside the except clause: what is freed must not be held by the error any more.
        free_memory(self.device)
        height, width = images[0].shape[:2]
        raise OutOfMemoryError(
            f"out of memory with a batch of {len(images)}, {width} x {height} pixels, on "
            f"{describe(self.device)} ({reason}); from now on at most {self._max_batch} at a time"
        )

    def _infer(self, images: Sequence[Image]) -> list[Poses]:
        batch = self._copy_in(images)
        self.on_stage("copy in")
        inputs, size = self.network.prepare(batch)
        features = self.network.extract(inputs)
        boxes, scores = self.network.find_people(features, size)
        heatmaps = self.network.heatmaps(features, boxes)
        del features
        self.on_stage("network")
        people = torch.cat(boxes)
        # From pixels of the network's input to those of the image, (x, y).
        scale = people.new_tensor([batch.shape[3] / size[1], batch.shape[2] / size[0]])
        # Half a pixel of the image is the most by which we differ from the library.
        keypoints, keypoint_scores = decode(heatmaps, people, 0.49 / scale)
        keypoints = keypoints * scale + self.network.keypoint_offset
        people = people * scale.repeat(2)
        self.on_stage("decode")
        rows = [people, torch.cat(scores)[:, None], keypoint_scores, keypoints.flatten(1)]
        answer = torch.cat(rows, dim=1).cpu().numpy()
        self.on_stage("copy out")
        ends = np.cumsum([len(part) for part in boxes])[:-1]
        return [self._poses(part) for part in np.split(answer, ends)]

    def _copy_in(self, images: Sequence[Image]) -> Tensor:
        """Return the images on the device, (B, 3, H, W) uint8."""
        on_gpu = self.device.type == "cuda"
        # Pinned memory comes out of a cache of torch's, which keeps it until the copy has ended.
        staging = torch.empty(
            (len(images), *images[0].shape), dtype=torch.uint8, pin_memory=on_gpu
        )
        np.stack(images, out=staging.numpy())
        return staging.to(self.device, non_blocking=on_gpu).permute(0, 3, 1, 2)

    def _poses(self, rows: Any) -> Poses:
        k = len(self.skeleton.keypoint_names)
        return Poses(
            keypoints=rows[:, 5 + k :].reshape(-1, k, 2),
            keypoint_scores=rows[:, 5 : 5 + k],
            boxes=rows[:, :4],
            scores=rows[:, 4],
        )

    def _warm_up(self) -> None:
        """Run every part once, the keypoint head too, though there is nobody yet.

        Raises:
            EstimatorError: half precision cannot hold the network's numbers.
        """
        image = np.random.default_rng(0).integers(0, 256, _WARM_UP_SHAPE, np.uint8)
        with torch.inference_mode():
            inputs, _ = self.network.prepare(self._copy_in([image]))
            features = self.network.extract(inputs)
            box = torch.tensor([_WARM_UP_BOX], device=self.device)
            heatmaps = self.network.heatmaps(features, [box])
            decode(heatmaps, box, box[0, :2] + 0.5)
        if not heatmaps.isfinite().all():
            raise EstimatorError(
                "the network's numbers do not fit into its precision, or its weights are no "
                "numbers; try precision bfloat16 or float32"
            )
        self.estimate(image)
