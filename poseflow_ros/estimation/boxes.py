"""Boxes of region networks: decoding of their deltas, for a whole batch at once."""

import math

import torch
from torch import Tensor

Size = tuple[int, int]
"""Height and width, pixels."""
Weights = tuple[float, float, float, float]

# Both libraries limit the growth of a box to this factor before the exponential.
_MAX_LOG_GROWTH = math.log(1000 / 16)


def apply_deltas(deltas: Tensor, boxes: Tensor, weights: Weights, size: Size) -> Tensor:
    """Return the boxes moved and scaled by a network's deltas, clipped to the image.

    Args:
        deltas: (..., 4) the network's output: x, y, log width, log height, times the weights.
        boxes: (..., 4) anchors or proposals, pixels.
        weights: by which the network was trained to multiply the deltas.
        size: height and width of the image, pixels.
    """
    sides = boxes[..., 2:] - boxes[..., :2]
    centre = boxes[..., :2] + 0.5 * sides
    # A width and a height share their weight, as do x and y, in every configuration.
    centre = deltas[..., :2] / weights[0] * sides + centre
    growth = (deltas[..., 2:] / weights[2]).clamp(max=_MAX_LOG_GROWTH)
    half = 0.5 * (growth.exp() * sides)
    low, high = centre - half, centre + half
    height, width = size
    x = torch.stack([low[..., 0], high[..., 0]], dim=-1).clamp(0, width)
    y = torch.stack([low[..., 1], high[..., 1]], dim=-1).clamp(0, height)
    return torch.stack([x, y], dim=-1).flatten(-2)


def larger_than(boxes: Tensor, min_side: float, *, or_equal: bool) -> Tensor:
    """Return which boxes (..., 4) are finite and wider and higher than `min_side`, pixels."""
    sides = boxes[..., 2:] - boxes[..., :2]
    large = sides >= min_side if or_equal else sides > min_side
    return large.all(dim=-1) & boxes.isfinite().all(dim=-1)
