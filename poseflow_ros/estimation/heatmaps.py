"""Decoding of heatmaps to keypoints, for all people at once, on the device of the heatmaps."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

# The convolution kernel of torch's bicubic interpolation (Keys 1981), which both libraries use.
_KEYS_A = -0.75
# A score is the probability that the keypoint is at most this many cells from the peak. A cell is
# 1/56 of the box: two cells are within the differences between COCO's annotators.
_REACH = 2
# Half precision overflows to infinity, which times zero is NaN.
_LARGEST_LOGIT = 1e30
# Interpolated values in memory at a time: 64 MiB on a GPU, about 15 people of 400 x 150 pixels; on
# a CPU as many as its caches hold, which is several times faster.
MAX_VALUES_GPU, MAX_VALUES_CPU = 2**24, 2**20


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
    heatmaps = heatmaps.nan_to_num(-_LARGEST_LOGIT, _LARGEST_LOGIT, -_LARGEST_LOGIT)
    sides, lengths = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1), pixel_lengths(boxes)
    sizes = lengths.int().tolist() if sizes is None else sizes
    max_pixels = (MAX_VALUES_GPU if boxes.is_cuda else MAX_VALUES_CPU) // heatmaps.shape[1]
    parts = [
        _find_peaks(heatmaps[part], lengths[part], size) for part, size in split(sizes, max_pixels)
    ]
    peaks, offsets = (torch.cat(values) for values in zip(*parts, strict=True))
    pixel = (sides / lengths)[:, None]
    offsets = (offsets * pixel).clamp(-limits, limits)
    keypoints = (peaks + 0.5) * pixel + offsets + boxes[:, None, :2]
    return keypoints, _scores(heatmaps, peaks, lengths)


def split(
    sizes: Sequence[Sequence[int]], max_pixels: int
) -> Iterator[tuple[slice, tuple[int, int]]]:
    """Yield consecutive parts of the people, each with the width and height that fits all of it.

    Args:
        sizes: width and height of each person's box, pixels.
        max_pixels: people times width times height of a part, unless it is a single person.
    """
    start, widest, highest = 0, 0, 0
    for i, (width, height) in enumerate(sizes):
        w, h = max(widest, width), max(highest, height)
        if i > start and (i + 1 - start) * w * h > max_pixels:
            yield slice(start, i), (widest, highest)
            start, w, h = i, width, height
        widest, highest = w, h
    yield slice(start, len(sizes)), (widest, highest)


def _find_peaks(heatmaps: Tensor, lengths: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the pixel (N, K, 2) of each maximum, and the maximum's offset from its centre."""
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


def _stretch(lengths: Tensor, n_rows: int, side: int) -> Tensor:
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
