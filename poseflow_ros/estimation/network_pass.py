"""A pass of images through a network, in two halves: up to the people, and the keypoint head."""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from poseflow_ros.estimation.boxes import Size
from poseflow_ros.estimation.padded_people import PaddedPeople


class Network(Protocol):
    """The network of a library. Except where it says so, nothing waits for the device."""

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

    def find_people(self, features: Any, size: Size) -> PaddedPeople:
        """Return the people in each image, without duplicates; exact if they have settled."""
        ...

    def find_people_exactly(self, features: Any, size: Size) -> PaddedPeople:
        """Return the people as the library finds them, waiting for the device."""
        ...

    def heatmaps(self, features: Any, regions: Tensor) -> Tensor:
        """Return the logits (N, K, S, S), float32, of regions (N, 5): image, box in pixels."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What a network finds in B images.

    Attributes:
        features: of the network.
        people: of each image.
        summary: `PaddedPeople.summary` of the people.
        size: height and width of an image in the network's input, pixels.
    """

    features: Any
    people: PaddedPeople
    summary: Tensor
    size: Size

    def read(self) -> tuple[list[int], list[list[int]], bool]:
        """Wait for the device; return the numbers of people, their lengths, and `settled`.

        The lengths (N, 2) are the `heatmaps.pixel_lengths` of all people's boxes.
        """
        rows = self.summary.int().tolist()
        counts = [row[1] for row in rows]
        p = (len(rows[0]) - 2) // 2
        lengths = [
            [row[2 + i], row[2 + p + i]]
            for row, count in zip(rows, counts, strict=True)
            for i in range(count)
        ]
        return counts, lengths, all(row[0] for row in rows)


Heads = tuple[Tensor, Tensor, Tensor]
"""Regions (N, 5), scores (N,) and heatmaps (N, K, S, S) of N people."""


class Pass(Protocol):
    """A pass of a batch of one size through the network."""

    def find(self, images: Tensor) -> Found:
        """Return what is found in images (B, 3, H, W) uint8."""
        ...

    def heads(self, found: Found, n: int) -> Heads:
        """Return the first n people found, those of the first image first."""
        ...


class EagerPass:
    """A pass whose operations are launched one by one."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def find(self, images: Tensor) -> Found:
        """Return what is found; see `Pass.find`."""
        inputs, size = self._network.prepare(images)
        features = self._network.extract(inputs)
        return self._found(features, self._network.find_people(features, size), size)

    def find_exactly(self, found: Found) -> Found:
        """Return what the library finds in the same features."""
        people = self._network.find_people_exactly(found.features, found.size)
        return self._found(found.features, people, found.size)

    def heads(self, found: Found, n: int) -> Heads:
        """Return the first n people found; see `Pass.heads`."""
        regions, scores = found.people.first(n)
        return regions, scores, self._network.heatmaps(found.features, regions)

    def _found(self, features: Any, people: PaddedPeople, size: Size) -> Found:
        return Found(features, people, people.summary(), size)
