"""Pooling of regions from all levels of a feature pyramid in one call."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import roi_align

# The level of a box of this side is the fourth (Lin et al., Feature Pyramid Networks, 2017).
_CANONICAL_SIDE, _CANONICAL_LEVEL = 224, 4
# Cells by which the edge of a level is repeated in the canvas: before its first, behind its last.
_BEFORE, _BEHIND = 1, 2


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How a library pools.

    Attributes:
        sampling_ratio: samples in each direction of a cell; 0 for as many as the box has pixels.
        aligned: whether a feature's position is the centre of its pixel. If not, a region is at
            least a cell wide and high, and may end outside its level, where features are 0.
        level_margin: added to the level of a box before it is rounded down.
        min_level, max_level: the levels by the logarithm of their strides.
    """

    sampling_ratio: int
    aligned: bool
    level_margin: float
    min_level: int
    max_level: int


@dataclass(frozen=True, slots=True)
class Canvas:
    """All levels of a pyramid in one image.

    Attributes:
        values: (B, C, H, W) float32: half precision cannot represent the boxes in a wide image.
        places: (L, 5) stride, x, y, width and height of each level.
    """

    values: Tensor
    places: Tensor

    def pool(self, regions: Tensor, side: int, settings: PoolSettings) -> Tensor:
        """Return the features (R, C, side, side) of regions (R, 5): image, box in pixels."""
        sides = regions[:, 3:] - regions[:, 1:3]
        size = sides.prod(dim=1).sqrt() / _CANONICAL_SIDE
        level = (_CANONICAL_LEVEL + size.log2() + settings.level_margin).floor()
        level = level.clamp(settings.min_level, settings.max_level) - settings.min_level
        place = self.places[level.long()]
        corners = regions[:, 1:] * (1 / place[:, :1])
        moved = torch.cat([regions[:, :1], corners + place[:, 1:3].repeat(1, 2)], dim=1)
        ratio, aligned = settings.sampling_ratio, settings.aligned
        pooled = roi_align(self.values, moved, side, 1.0, ratio, aligned)
        if not aligned:
            inside = _inside(corners, place[:, 3:], side, max(1, ratio))
            pooled *= inside[:, 1, None, :, None] * inside[:, 0, None, None, :]
        return pooled


def _inside(corners: Tensor, ends: Tensor, side: int, ratio: int) -> Tensor:
    """Return the share (R, 2, side) of the samples of each column and row inside the level.

    Only a region of less than a cell ends outside, and all of it has the features of the edge.

    Args:
        corners: (R, 4) of the regions, cells.
        ends: (R, 2) width and height of their levels, cells.
        side: cells of the result.
        ratio: samples in each direction of a cell.
    """
    n = side * ratio
    steps = (torch.arange(n, device=corners.device) + 0.5) / n
    start, lengths = corners[:, :2], (corners[:, 2:] - corners[:, :2]).clamp(min=1)
    samples = start[..., None] + lengths[..., None] * steps
    inside = (samples <= ends[..., None]).to(corners.dtype)
    return inside.unflatten(2, (side, ratio)).mean(dim=3)


def level_places(levels: Sequence[Tensor], min_level: int) -> list[tuple[float, ...]]:
    """Return the rows of `Canvas.places`: the first level at the left, the others beside it."""
    rim = _BEFORE + _BEHIND
    places: list[tuple[float, ...]] = []
    x, y = _BEFORE, _BEFORE
    for i, level in enumerate(levels):
        height, width = level.shape[2:]
        places.append((2.0 ** (min_level + i), float(x), float(y), float(width), float(height)))
        x, y = (x + width + rim, y) if i == 0 else (x, y + height + rim)
    return places


def make_canvas(levels: Sequence[Tensor], places: Tensor, min_level: int) -> Canvas:
    """Return the canvas of levels (B, C, h, w), the finest first.

    Around each level its edge is repeated, because the libraries extend it by a cell.

    Args:
        levels: the features.
        places: `level_places`, on the device.
        min_level: of the finest level.
    """
    rows = level_places(levels, min_level)
    width, height = (
        int(max(row[1 + axis] + row[3 + axis] for row in rows)) + _BEHIND for axis in (0, 1)
    )
    shape = (*levels[0].shape[:2], height, width)
    values = torch.zeros(shape, dtype=torch.float32, device=levels[0].device)
    for level, (_, left, top, _, _) in zip(levels, rows, strict=True):
        _draw(values, level, int(left), int(top))
    return Canvas(values, places)


def join_canvas(levels: Sequence[Tensor], places: Tensor) -> Canvas:
    """Return the canvas of `make_canvas`, joined from padded levels.

    It takes more memory, but ONNX has no assignment to a part of a tensor.
    """
    edge = (_BEFORE, _BEHIND) * 2
    framed = [functional.pad(level.float(), edge, mode="replicate") for level in levels]
    width = max(level.shape[3] for level in framed[1:])
    right = [functional.pad(x, (0, width - x.shape[3])) for x in framed[1:]]
    columns = [framed[0], torch.cat(right, dim=2)]
    height = max(column.shape[2] for column in columns)
    columns = [functional.pad(x, (0, 0, 0, height - x.shape[2])) for x in columns]
    return Canvas(torch.cat(columns, dim=3), places)


def _draw(values: Tensor, level: Tensor, x: int, y: int) -> None:
    """Write a level with its repeated edge, its first cell at (x, y)."""
    h, w = level.shape[2:]
    values[:, :, y : y + h, x : x + w] = level
    rows = values[:, :, y : y + h]
    rows[..., x - _BEFORE : x] = rows[..., x : x + 1]
    rows[..., x + w : x + w + _BEHIND] = rows[..., x + w - 1 : x + w]
    wide = values[..., x - _BEFORE : x + w + _BEHIND]
    wide[:, :, y - _BEFORE : y] = wide[:, :, y : y + 1]
    wide[:, :, y + h : y + h + _BEHIND] = wide[:, :, y + h - 1 : y + h]
