"""Overlapping tiles of an image.

A region is a tile or the whole image: (4,) int64 pixels x1 y1 x2 y2, x2 and y2 excluded.
"""

import re
from dataclasses import dataclass

import numpy as np

from poseflow_ros.poses import FloatArray, Image, IntArray

STRIDE = 32
"""The sides of the network's input are multiples of this, pixels."""

# The expected size of a person, in shares of a tile's longer side: by at least this much tiles
# overlap, so that people up to this size are complete in one of them.
_OVERLAP = 1 / 3
# The most tiles that `auto` chooses along the longer and the shorter side.
_MAX_AUTO = (4, 3)


def grid_size(tiles: str, width: int, height: int, tile_size: int) -> tuple[int, int]:
    """Return (columns, rows) of the tiles of an image.

    Args:
        tiles: "4x3", columns and rows; or "auto": as many as the image has tiles of `tile_size`
            pixels, at most 4 along the longer and 3 along the shorter side.
        width: of the image, pixels.
        height: of the image, pixels.
        tile_size: longer side of the network's input, pixels.
    """
    if match := re.fullmatch(r"(\d)x(\d)", tiles):
        return int(match[1]), int(match[2])
    longer, shorter = _MAX_AUTO
    limits = (longer, shorter) if width >= height else (shorter, longer)
    columns, rows = (
        min(limit, max(1, side // tile_size))
        for limit, side in zip(limits, (width, height), strict=True)
    )
    return columns, rows


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The overlapping tiles of an image.

    Attributes:
        image: (4,) the region of the whole image.
        regions: (columns * rows, 4) of the tiles, which are all of one size.
        input_shape: (height, width) of the network's input, pixels.
    """

    image: IntArray
    regions: IntArray
    input_shape: tuple[int, int]

    def is_of(self, image: Image) -> bool:
        """Return whether these are the tiles of images of this size."""
        return image.shape[1::-1] == tuple(self.image[2:])

    @property
    def proportions(self) -> FloatArray:
        """(2,) width and height of the network's input, relative to the longer of the two."""
        return np.array(self.input_shape[::-1]) / max(self.input_shape)

    @property
    def longer_side(self) -> float:
        """Of a tile, pixels."""
        return float((self.regions[0, 2:] - self.regions[0, :2]).max())

    @property
    def finest(self) -> float:
        """Longer side of a tile that the network sees at full resolution, pixels."""
        return float(max(self.input_shape))

    @classmethod
    def of(cls, width: int, height: int, columns: int, rows: int, tile_size: int) -> "Grid":
        """Return the tiles of an image.

        Args:
            width: of the image, pixels.
            height: of the image, pixels.
            columns: of the tiles.
            rows: of the tiles.
            tile_size: longer side of the network's input, pixels, a multiple of `STRIDE`.
        """
        sides = np.array([width, height])
        counts = np.array([columns, rows])
        # The smallest longer side with which tiles that overlap by a share of it cover the image.
        longer = (sides / (counts - (counts - 1) * _OVERLAP)).max()
        shorter = ((sides + (counts - 1) * _OVERLAP * longer) / counts).min()
        n_input = np.full(2, tile_size)
        n_input[np.argmin(sides / counts)] = round_up(tile_size * shorter / longer)
        # Tiles fill the input, and are not larger than the image.
        size = np.minimum(np.ceil(n_input * longer / tile_size), sides)
        starts = [
            np.linspace(0, side - extent, n).round()
            for side, extent, n in zip(sides, size, counts, strict=True)
        ]
        corners = np.array([(x, y) for y in starts[1] for x in starts[0]])
        regions = np.hstack([corners, corners + size]).astype(np.int64)
        return cls(np.array([0, 0, width, height]), regions, (int(n_input[1]), int(n_input[0])))


def round_up(side: float) -> int:
    """Return the next side that the network's input can have, pixels."""
    return int(np.ceil(side / STRIDE)) * STRIDE
