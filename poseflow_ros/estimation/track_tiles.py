"""Tiles around the people who are expected in an image."""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.estimation.tiles import Grid
from poseflow_ros.poses import FloatArray, IntArray

MAX_PEOPLE = 5
"""At most so many people share a tile: MoveNet returns at most six."""

# A tile's longer side is at least this many times the height of the tallest person in it, and at
# most this many times the height of the smallest.
_MIN_HEIGHTS = 2.2
_MAX_HEIGHTS = 4.5
# Boxes are enlarged by this share of their height on each side: people move.
_MARGIN = 0.15
# A region is larger than it must be by so many pixels, because its borders are whole pixels.
_ROUNDING = 3


def search_boxes(boxes: FloatArray, image: IntArray) -> FloatArray:
    """Return the (M, 4) parts of the image in which to look for people expected in (M, 4) boxes.

    They are empty for people who are expected outside the image.
    """
    margin = _MARGIN * (boxes[:, 3:] - boxes[:, 1:2])
    enlarged = boxes + np.array([-1, -1, 1, 1]) * margin
    return np.clip(enlarged, np.tile(image[:2], 2), np.tile(image[2:], 2))


def covers(regions: IntArray, boxes: FloatArray, grid: Grid) -> NDArray[np.bool_]:
    """Return (R, M), whether a pass over the region finds the person in the search box.

    It does where the region contains the box, and the person is large enough in the network's
    input or the input has the full resolution.
    """
    inside = (boxes[:, :2] >= regions[:, None, :2]) & (boxes[:, 2:] <= regions[:, None, 2:])
    longer = (regions[:, 2:] - regions[:, :2]).max(axis=1) - _ROUNDING
    least_sides = np.where(longer > grid.finest, longer / _MAX_HEIGHTS, 0)
    large_enough = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) >= least_sides[:, None]
    return inside.all(axis=2) & large_enough


def place_tiles(boxes: FloatArray, grid: Grid) -> IntArray:
    """Return (T, 4) regions such that each person is complete in one of them.

    Args:
        boxes: (M, 4) search boxes.
        grid: the tiles of the image; people share a tile up to this size.
    """
    remaining = np.lexsort([boxes[:, 1], boxes[:, 0]]).tolist()
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    regions = []
    while remaining:
        group = [remaining[0]]
        distances = np.linalg.norm(centers[remaining] - centers[remaining[0]], axis=1)
        for index in np.array(remaining)[np.argsort(distances, kind="stable")[1:]].tolist():
            if len(group) < MAX_PEOPLE and _share_tile(boxes[[*group, index]], grid):
                group.append(index)
        regions.append(_region(boxes[group], grid))
        remaining = [index for index in remaining if index not in group]
    return np.array(regions, np.int64).reshape(-1, 4)


def _share_tile(boxes: FloatArray, grid: Grid) -> bool:
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    longer = _longer_side(boxes, grid)
    largest = max(grid.longer_side, _MIN_HEIGHTS * sides.max())
    return bool(longer <= min(largest, _MAX_HEIGHTS * sides.min()))


def _longer_side(boxes: FloatArray, grid: Grid) -> float:
    """Return the longer side that a tile needs to show all these people, pixels."""
    sides = boxes[:, 2:] - boxes[:, :2]
    extent = boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)
    return float(max((extent / grid.proportions).max(), _MIN_HEIGHTS * sides.max(), grid.finest))


def _region(boxes: FloatArray, grid: Grid) -> IntArray:
    size = np.minimum(
        np.floor(_longer_side(boxes, grid) * grid.proportions) + _ROUNDING, grid.image[2:]
    )
    center = (boxes[:, :2].min(axis=0) + boxes[:, 2:].max(axis=0)) / 2
    start = np.clip(np.floor(center - size / 2), 0, grid.image[2:] - size)
    return np.concatenate([start, start + size]).astype(np.int64)
