"""Decoding of heatmaps to keypoints, for all people at once, on the device of the heatmaps."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from poseflow_ros.estimation.heatmap_parts import MAX_VALUES_CPU, MAX_VALUES_GPU, split

# The convolution kernel of torch's bicubic interpolation (Keys 1981), which both libraries use.
_KEYS_A = -0.75
# A score is the probability that the keypoint is at most this many cells from the peak. A cell is
# 1/56 of the box: two cells are within the differences between COCO's annotators.
_REACH = 2
# Half precision overflows to infinity, which times zero is NaN.
_LARGEST_LOGIT = 1e30


def pixel_lengths(boxes: Tensor) -> Tensor:
    """Return the width and height (..., 2) in whole pixels of boxes (..., 4), at least 1."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=1).ceil()


def decode(
    heatmaps: Tensor,
    boxes: Tensor,
    limits: Tensor,
    sizes: Sequence[Sequence[int]] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the keypoints and their scores.

    As in torchvision and detectron2, a heatmap is interpolated bicubically to the pixels of its
    box, and the keypoint is at the largest value. A parabola through this value and its neighbours
    then gives the position of the maximum between the pixels.

    Args:
        heatmaps: (N, K, S, S) logits.
        boxes: (N, 4) the people's boxes, pixels of the network's input.
        limits: (2,) how far the parabola may move a point in x and y, pixels, at most 0.5.
        sizes: `pixel_lengths` of the boxes on the host, if known: reading them waits for the
            device.

    Returns:
        Keypoints (N, K, 2), pixels from the upper left corner of the input, and their scores
        (N, K) in [0, 1]: the probability, by the softmax of the heatmap, that the keypoint is at
        most two cells of the heatmap from the point.
    """
    if not len(boxes):
        return heatmaps.new_zeros(0, heatmaps.shape[1], 2), heatmaps.new_zeros(heatmaps.shape[:2])
    heatmaps, lengths = _limited(heatmaps), pixel_lengths(boxes)
    sizes = lengths.int().tolist() if sizes is None else sizes
    max_pixels = (MAX_VALUES_GPU if boxes.is_cuda else MAX_VALUES_CPU) // heatmaps.shape[1]
    parts = [
        _find_peaks(heatmaps[part], lengths[part], size) for part, size in split(sizes, max_pixels)
    ]
    peaks, offsets = (torch.cat(values) for values in zip(*parts, strict=True))
    return _keypoints(peaks, offsets, boxes, lengths, limits), _scores(heatmaps, peaks, lengths)


def decode_together(heatmaps: Tensor, boxes: Tensor, limits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same as `decode` for people whose interpolated heatmaps fit into memory together.

    Nothing in it depends on values on the host, so that it can be exported.
    """
    heatmaps, lengths = _limited(heatmaps), pixel_lengths(boxes)
    peaks, offsets = _find_peaks(heatmaps, lengths, lengths.amax(dim=0).int())
    return _keypoints(peaks, offsets, boxes, lengths, limits), _scores(heatmaps, peaks, lengths)


def _limited(heatmaps: Tensor) -> Tensor:
    return heatmaps.nan_to_num(-_LARGEST_LOGIT, _LARGEST_LOGIT, -_LARGEST_LOGIT)


def _keypoints(
    peaks: Tensor, offsets: Tensor, boxes: Tensor, lengths: Tensor, limits: Tensor
) -> Tensor:
    """Return the positions (N, K, 2) of peaks in their boxes, pixels of the input."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    pixel = (sides / lengths)[:, None]
    offsets = (offsets * pixel).clamp(-limits, limits)
    return (peaks + 0.5) * pixel + offsets + boxes[:, None, :2]


def _find_peaks(heatmaps: Tensor, lengths: Tensor, size: Any) -> tuple[Tensor, Tensor]:
    """Return the pixel (N, K, 2) of each maximum, and the maximum's offset from its centre.

    Args:
        heatmaps: (N, K, S, S) logits.
        lengths: `pixel_lengths` of the boxes.
        size: width and height that fit all of them, two numbers or, for export, a tensor of them.
    """
    n, k, side, _ = heatmaps.shape
    columns, rows = (_stretch(lengths[:, axis], size[axis], side) for axis in (0, 1))
    wide = heatmaps.transpose(1, 2).reshape(n, side * k, side) @ columns.transpose(1, 2)
    values = (rows @ wide.view(n, side, -1)).view(n, rows.shape[1], k, -1)

    person = torch.arange(n, device=heatmaps.device)[:, None]
    keypoint = torch.arange(k, device=heatmaps.device)
    x = values.amax(dim=1).argmax(dim=2)
    y = values[person, :, keypoint, x].argmax(dim=2)
    # Beyond a smaller box its last row and column are repeated: a peak there belongs to them.
    ends = (lengths - 1).long()[:, None]
    peaks = torch.minimum(torch.stack([x, y], dim=2), ends)

    steps = torch.arange(-1, 2, device=heatmaps.device)
    along = torch.minimum((peaks[..., None] + steps).clamp(min=0), ends[..., None])
    person, keypoint = person[..., None], keypoint[:, None]
    line_x = values[person, peaks[:, :, 1:], keypoint, along[:, :, 0]]
    line_y = values[person, along[:, :, 1], keypoint, peaks[:, :, :1]]
    offsets = _parabola(torch.stack([line_x, line_y], dim=2))
    inside = (peaks > 0) & (peaks < ends)
    return peaks, torch.where(inside, offsets, 0)


def _stretch(lengths: Tensor, n_rows: Any, side: int) -> Tensor:
    """Return matrices (N, R, side) that interpolate `side` values to the first `lengths` of R."""
    pixels = torch.arange(n_rows, device=lengths.device)
    pixels = torch.minimum(pixels, lengths[:, None] - 1)
    source = (pixels + 0.5) * (side / lengths)[:, None] - 0.5
    first = source.floor()
    taps = torch.arange(-1, 3, device=lengths.device)
    weights = _keys((source - first)[..., None] - taps)
    cells = (first[..., None] + taps).clamp(0, side - 1).long()
    matrices = lengths.new_zeros(*source.shape, side)
    return matrices.scatter_add_(2, cells, weights)


def _keys(distance: Tensor) -> Tensor:
    """Return the cubic convolution kernel at these distances, at most 2 (Keys 1981)."""
    d, a = distance.abs(), _KEYS_A
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * a - 4 * a
    return torch.where(d <= 1, near, far)


def _parabola(values: Tensor) -> Tensor:
    """Return the maximum in [-0.5, 0.5] of a parabola through values (..., 3) at -1, 0 and 1."""
    before, here, after = values.unbind(-1)
    bend = (2 * here - before - after).clamp(min=torch.finfo(values.dtype).tiny)
    return ((after - before) / (2 * bend)).clamp(-0.5, 0.5)


def _scores(heatmaps: Tensor, peaks: Tensor, lengths: Tensor) -> Tensor:
    """Return the sum (N, K) of each heatmap's softmax in the square of cells around its peak."""
    n, k, side, _ = heatmaps.shape
    cells = ((peaks + 0.5) * (side / lengths)[:, None]).long().clamp(max=side - 1)
    reach = torch.arange(-_REACH, _REACH + 1, device=heatmaps.device)
    columns, rows = (cells[..., axis, None] + reach for axis in (0, 1))
    columns, rows = columns[:, :, None, :], rows[:, :, :, None]
    inside = (columns >= 0) & (columns < side) & (rows >= 0) & (rows < side)
    person = torch.arange(n, device=heatmaps.device)[:, None, None, None]
    keypoint = torch.arange(k, device=heatmaps.device)[:, None, None]
    odds = heatmaps.flatten(2).softmax(dim=2).view_as(heatmaps)
    around = odds[person, keypoint, rows.clamp(0, side - 1), columns.clamp(0, side - 1)]
    return (around * inside).sum(dim=(2, 3)).clamp(0, 1)
