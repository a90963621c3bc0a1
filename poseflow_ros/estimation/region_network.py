"""What the networks of both libraries share after the backbone: proposals, people, heatmaps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from poseflow_ros.estimation.boxes import Size
from poseflow_ros.estimation.padded_people import PaddedPeople, PeopleSettings, select_people
from poseflow_ros.estimation.pooling import Canvas, PoolSettings, level_places, make_canvas
from poseflow_ros.estimation.proposals import ProposalSettings, propose
from poseflow_ros.estimation.torch_device import memory_format

MAX_SIZES = 16
"""Number of input sizes for which a network caches what depends on the size only."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What depends on the size of the input only.

    Attributes:
        anchors: (N, 4) of each level, pixels.
        places: of the levels in the canvas, see `pooling.level_places`.
    """

    anchors: Sequence[Tensor]
    places: Tensor


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The features of B images.

    Attributes:
        levels: (B, C, h, w) by name, the finest first, in the precision of the network.
        canvas: the levels from which regions are pooled.
        constants: of the size of the input.
        input_size: height and width of the network's input, including its padding.
    """

    levels: dict[str, Tensor]
    canvas: Canvas
    constants: Constants
    input_size: Size

    def exact(self) -> dict[str, Tensor]:
        """Return the levels in float32, as the libraries pool from them."""
        return {
            name: level.to(torch.float32, memory_format=torch.contiguous_format)
            for name, level in self.levels.items()
        }


@dataclass(frozen=True, slots=True)
class RegionSettings:
    """How a library finds people.

    Attributes:
        proposals, people: how they are selected.
        box_pool, keypoint_pool: how features are pooled for both heads.
        box_side, keypoint_side: cells of a pooled region.
        pooled: names of the levels that are pooled from.
    """

    proposals: ProposalSettings
    people: PeopleSettings
    box_pool: PoolSettings
    keypoint_pool: PoolSettings
    box_side: int
    keypoint_side: int
    pooled: Sequence[str]


class RegionNetwork(ABC):
    """A Keypoint R-CNN that neither waits for the device nor copies, see `keypoint_rcnn.Network`.

    A library's network adds its backbone, its heads and its own way of finding people.
    """

    def __init__(self, settings: RegionSettings, precision: torch.dtype) -> None:
        self._settings, self._precision = settings, precision
        self._format = memory_format(precision)
        self._constants: dict[Size, Constants] = {}

    def extract(self, inputs: Tensor) -> Pyramid:
        """Return the features of the images; see `Network.extract`."""
        levels = self.levels(inputs.to(self._precision, memory_format=self._format))
        size = (inputs.shape[-2], inputs.shape[-1])
        if size not in self._constants:
            if len(self._constants) == MAX_SIZES:
                self._constants.clear()
            self._constants[size] = self.make_constants(levels, size)
        constants, min_level = self._constants[size], self._settings.box_pool.min_level
        pooled = self.pooled_levels(levels)
        return Pyramid(levels, make_canvas(pooled, constants.places, min_level), constants, size)

    def find_people(self, features: Pyramid, size: Size) -> PaddedPeople:
        """Return the people in each image; see `Network.find_people`."""
        scored = self.objectness(features.levels)
        return self.select_people(features, scored, size, self._settings.people.min_score)

    def select_people(
        self,
        features: Pyramid,
        scored: tuple[Sequence[Tensor], Sequence[Tensor]],
        size: Size,
        min_score: float | Tensor,
    ) -> PaddedPeople:
        """Return the people of a score above `min_score` in each image.

        Args:
            features: of the images; of its levels only the canvas is used.
            scored: what `objectness` returns.
            size: height and width of an image in the network's input, pixels.
            min_score: in [0, 1].
        """
        settings, (objectness, deltas) = self._settings, scored
        proposals = propose(
            objectness, deltas, features.constants.anchors, size, settings.proposals
        )
        regions = proposals.regions()
        pooled = features.canvas.pool(regions, settings.box_side, settings.box_pool)
        scores, person_deltas = self._box_head(pooled.to(self._precision))
        people = replace(settings.people, min_score=min_score)
        return select_people(proposals, scores, person_deltas, size, people)

    def heatmaps(self, features: Pyramid, regions: Tensor) -> Tensor:
        """Return the logits (N, K, S, S) of regions (N, 5); see `Network.heatmaps`."""
        settings = self._settings
        pooled = features.canvas.pool(regions, settings.keypoint_side, settings.keypoint_pool)
        pooled = pooled.to(self._precision, memory_format=self._format)
        return self._keypoint_head(pooled).float().contiguous()

    def pooled_levels(self, levels: dict[str, Tensor]) -> list[Tensor]:
        """Return the levels that are pooled from, the finest first."""
        return [levels[name] for name in self._settings.pooled]

    def make_constants(self, levels: dict[str, Tensor], size: Size) -> Constants:
        """Return what depends on the size of the input only.

        Args:
            levels: what the backbone returns for an input of this size.
            size: height and width of the input, pixels.
        """
        pooled = self.pooled_levels(levels)
        places = level_places(pooled, self._settings.box_pool.min_level)
        on_device = torch.tensor(places, device=pooled[0].device)
        return Constants(self._anchors(levels, size), on_device)

    @abstractmethod
    def find_people_exactly(self, features: Pyramid, size: Size) -> PaddedPeople:
        """Return the people as the library finds them, waiting for the device."""

    @abstractmethod
    def levels(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the levels of the backbone by name, the finest first."""

    @abstractmethod
    def _anchors(self, levels: dict[str, Tensor], size: Size) -> Sequence[Tensor]:
        """Return the anchors (N, 4) of each level of the region proposals."""

    @abstractmethod
    def objectness(self, levels: dict[str, Tensor]) -> tuple[Any, Any]:
        """Return the logits (B, A, h, w) and deltas (B, 4 A, h, w) of each level."""

    @abstractmethod
    def _box_head(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores (R,) and deltas (R, 4) of a person, float32."""

    @abstractmethod
    def _keypoint_head(self, pooled: Tensor) -> Tensor:
        """Return the logits (R, K, S, S)."""
