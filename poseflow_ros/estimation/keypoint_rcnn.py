"""Keypoint R-CNN with the network of either library: images to poses, on the device."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.cpu_threads import cpu_threads
from poseflow_ros.estimation.errors import (
    DeviceLostError,
    EstimatorError,
    OutOfMemoryError,
    first_line,
)
from poseflow_ros.estimation.heatmaps import decode
from poseflow_ros.estimation.torch_device import (
    choose_device,
    choose_precision,
    describe,
    free_memory,
    is_device_lost,
    is_out_of_memory,
    precision_name,
)
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeletons.coco17 import COCO_17

# The first image takes many times as long, so one of this shape goes first.
_WARM_UP_SHAPE = (480, 640, 3)
_WARM_UP_BOX = (0.0, 0.0, 64.0, 128.0)

MAX_SIZES = 16
"""Number of input sizes for which a network caches its anchors."""

Size = tuple[int, int]
"""Height and width, pixels."""


class Network(Protocol):
    """The network of a library, in the steps of the library."""

    name: str
    keypoint_offset: float
    """Added to its keypoints, pixels, so that a pixel's centre has integer coordinates."""

    def prepare(self, images: Tensor) -> tuple[Tensor, Size]:
        """Return the network's input for (B, 3, H, W) uint8 RGB, and the size of an image in it.

        The input is float32, scaled, normalised, and padded at the right and the bottom.
        """
        ...

    def extract(self, inputs: Tensor) -> Any:
        """Return the features of the images."""
        ...

    def find_people(self, features: Any, size: Size) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each image the boxes (N, 4), pixels of the input, and scores (N,) of people.

        They are in descending order of score, without duplicates, and at most `max_people`.
        """
        ...

    def heatmaps(self, features: Any, boxes: list[Tensor]) -> Tensor:
        """Return the logits (N, K, S, S) of the keypoints of all images' people, float32."""
        ...


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
        self.batches = self.device.type == "cuda"
        precision = choose_precision(config.precision, self.device)
        torch.set_num_threads(cpu_threads(config))
        self.on_stage: Callable[[str], None] = no_stage
        """Called at the end of copy in, network, decode and copy out, for benchmarks."""
        self.max_batch: int | None = None
        """Images in a batch; None for any number, until memory is exhausted."""
        self._max_aspect = config.image_max_side
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
    def device_bytes(self) -> int:
        """Bytes that torch has allocated on the GPU; 0 on a CPU."""
        if self.device.type != "cuda":
            return 0
        return int(torch.cuda.memory_allocated(self.device))

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
            with torch.inference_mode():
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
        free_memory(self.device)
        height, width = images[0].shape[:2]
        raise OutOfMemoryError(
            f"out of memory with a batch of {len(images)}, {width} x {height} pixels, on "
            f"{describe(self.device)} ({reason}); the next batches have at most {self.max_batch}"
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
        # The result differs from the library's by less than half a pixel of the image.
        keypoints, keypoint_scores = decode(heatmaps, people, 0.49 / scale)
        keypoints = keypoints * scale + self.network.keypoint_offset
        people = people * scale.repeat(2)
        self.on_stage("decode")
        rows = [people, torch.cat(scores)[:, None], keypoint_scores, keypoints.flatten(1)]
        result = torch.cat(rows, dim=1).cpu().numpy()
        self.on_stage("copy out")
        ends = np.cumsum([len(part) for part in boxes])[:-1]
        return [self._poses(part) for part in np.split(result, ends)]

    def _copy_in(self, images: Sequence[Image]) -> Tensor:
        """Return the images on the device, (B, 3, H, W) uint8."""
        on_gpu = self.device.type == "cuda"
        # torch caches pinned memory, and does not reuse it before the copy has ended.
        staging = torch.empty(
            (len(images), *images[0].shape), dtype=torch.uint8, pin_memory=on_gpu
        )
        np.stack(images, out=staging.numpy())
        return staging.to(self.device, non_blocking=on_gpu).permute(0, 3, 1, 2)

    def _poses(self, rows: Any) -> Poses:
        k = self.skeleton.n_keypoints
        return Poses(
            keypoints=rows[:, 5 + k :].reshape(-1, k, 2),
            keypoint_scores=rows[:, 5 : 5 + k],
            boxes=rows[:, :4],
            scores=rows[:, 4],
        )

    def _warm_up(self) -> None:
        """Run every part once, including the keypoint head, which needs a box.

        Raises:
            EstimatorError: the network's output is not finite.
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
                "the network's output is not finite: its precision cannot represent it, or the "
                "weights are not finite; try precision bfloat16 or float32"
            )
        self.estimate(image)
