"""The parts of Keypoint R-CNN that are exported, as modules that torch can trace.

Every shape in them is fixed, except for the number of people and the size of their interpolated
heatmaps in the last part.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from poseflow_ros.estimation.boxes import Size
from poseflow_ros.estimation.heatmaps import decode_together
from poseflow_ros.estimation.pooling import Canvas, join_canvas
from poseflow_ros.estimation.proposals import number_images
from poseflow_ros.estimation.region_network import Constants, Pyramid
from poseflow_ros.estimation.torchvision_network import TorchvisionNetwork

# Keypoints differ from the library's by less than half a pixel of the image.
_MAX_OFFSET_PX = 0.49


class DensePart(nn.Module):
    """The convolutions of the whole image.

    Attributes:
        image_size: height and width of the image, pixels.
        size: of the image in the network's input.
        input_size: of the network's input with its padding.
    """

    def __init__(self, network: TorchvisionNetwork, image_size: Size) -> None:
        super().__init__()
        self.network, self._model, self.image_size = network, network.model, image_size
        inputs, self.size = network.prepare(torch.zeros(1, 3, *image_size))
        self.input_size = (inputs.shape[2], inputs.shape[3])

    def forward(self, images: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return the levels that are pooled from, and objectness and deltas of all levels.

        Args:
            images: (1, 3, H, W) RGB from 0 to 255; the network is traced for this one size.
        """
        levels = self.network.levels(self._prepare(images))
        objectness, deltas = self.network.objectness(levels)
        return self.network.pooled_levels(levels), list(objectness), list(deltas)

    def constants(self) -> Constants:
        """Return what depends on the size of the input only."""
        levels = self.network.levels(torch.zeros(1, 3, *self.input_size))
        return self.network.make_constants(levels, self.input_size)

    def _prepare(self, images: Tensor) -> Tensor:
        """Return the same as `TorchvisionNetwork.prepare`, by fixed sizes."""
        inputs = functional.interpolate(
            self.network.normalize(images.clone()), self.size, mode="bilinear"
        )
        height, width = (self.input_size[i] - self.size[i] for i in (0, 1))
        return functional.pad(inputs, (0, width, 0, height))


class PeoplePart(nn.Module):
    """From the dense part to the people: selection, pooling and the box head."""

    def __init__(self, dense: DensePart) -> None:
        super().__init__()
        self._network, self._model, self._size = dense.network, dense.network.model, dense.size
        self._constants, self._input_size = dense.constants(), dense.input_size

    def forward(
        self,
        levels: list[Tensor],
        objectness: list[Tensor],
        deltas: list[Tensor],
        min_score: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the canvas, P boxes (P, 4) and scores (P,), and whether suppression settled.

        Args:
            levels: of the dense part.
            objectness: likewise.
            deltas: likewise.
            min_score: (), people of a lower score are left out; their rows are 0.
        """
        canvas = join_canvas(levels, self._constants.places)
        features = Pyramid({}, canvas, self._constants, self._input_size)
        people = self._network.select_people(features, (objectness, deltas), self._size, min_score)
        return canvas.values, people.boxes[0], people.scores[0], people.settled


class KeypointsPart(nn.Module):
    """From people to their keypoints: pooling, the keypoint head and decoding."""

    def __init__(self, dense: DensePart) -> None:
        super().__init__()
        self._network, self._model = dense.network, dense.network.model
        self._constants, self._input_size = dense.constants(), dense.input_size
        # From pixels of the network's input to those of the image, (x, y).
        self._scale = torch.tensor([dense.image_size[i] / dense.size[i] for i in (1, 0)])

    def forward(self, canvas: Tensor, people: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes (N, 4), keypoints (N, K, 2), pixels of the image, and their scores (N, K).

        Args:
            canvas: of the part before.
            people: (N, 4) boxes of the part before, N from 1.
        """
        features = Pyramid(
            {}, Canvas(canvas, self._constants.places), self._constants, self._input_size
        )
        heatmaps = self._network.heatmaps(features, number_images(people[None]))
        limits = _MAX_OFFSET_PX / self._scale
        keypoints, scores = decode_together(heatmaps, people, limits)
        keypoints = keypoints * self._scale + self._network.keypoint_offset
        return people * self._scale.repeat(2), keypoints, scores
