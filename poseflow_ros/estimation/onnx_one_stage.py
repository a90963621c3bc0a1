"""A model that finds people in the whole image: one-stage poses, or a person detector."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.letterbox import Placement, letterbox, padded_size
from poseflow_ros.estimation.onnx_input import InputFormat
from poseflow_ros.estimation.onnx_session import ImageSession, Outputs
from poseflow_ros.poses import Image, Poses

Decoder = Callable[[Outputs], Poses]
"""Returns the people in the outputs for one image, in pixels of the input."""


class OneStageModel:
    """Finds the people in images that are scaled and padded to the model's input.

    A detector returns poses without keypoints.

    Attributes:
        title: the type of the model.
        n_keypoints: of each person, 0 of a detector.
    """

    def __init__(
        self,
        session: ImageSession,
        title: str,
        n_keypoints: int,
        input_format: InputFormat,
        decode: Decoder,
        config: EstimatorConfig,
        exported_side: int = 640,
        stride: int = 32,
    ) -> None:
        """Put together the parts.

        Args:
            session: the model.
            title: its type.
            n_keypoints: of each person.
            input_format: what its input holds.
            decode: what its outputs mean.
            config: which people are returned, and the size of the input where it is not fixed.
            exported_side: longer side of the input, pixels, where the configuration has none.
            stride: both sides of an input that is not fixed are multiples of it, pixels.
        """
        self.session = session
        self.title = title
        self.n_keypoints = n_keypoints
        self._format = input_format
        self._decode = decode
        self._config = config
        self._long_side = config.onnx_input_size or exported_side
        self._stride = stride

    @property
    def size_text(self) -> str:
        """The size of the input in words."""
        if self.session.fixed_size:
            height, width = self.session.fixed_size
            return f"{width} x {height} px"
        return f"{self._long_side} px"

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each image, those of the highest score first.

        Images of equal input size share a batch.

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        batches: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, image in enumerate(images):
            batches[self._size(image)].append(i)
        results: dict[int, Poses] = {}
        for size, indices in batches.items():
            padded, placements = zip(
                *(letterbox(images[i], size, self._format.centered) for i in indices), strict=True
            )
            outputs = self.session.run(self._format.pack(padded))
            for i, placement, output in zip(indices, placements, outputs, strict=True):
                results[i] = self._people(output, placement)
        return [results[i] for i in range(len(images))]

    def _size(self, image: Image) -> tuple[int, int]:
        height, width = image.shape[:2]
        return self.session.fixed_size or padded_size(
            (height, width), self._long_side, self._stride
        )

    def _people(self, outputs: Outputs, placement: Placement) -> Poses:
        """Return at most `max_people` people, none below `min_person_score`."""
        poses = placement.to_image(self._decode(outputs))
        finite = np.isfinite(poses.keypoints).all(axis=(1, 2)) & np.isfinite(poses.boxes).all(1)
        poses = poses[finite & (poses.scores >= self._config.min_person_score)]
        return poses[np.argsort(-poses.scores, kind="stable")[: self._config.max_people]]
