"""Keypoints from the outputs of top-down models: SimCC and heatmaps."""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray

# Values below this share of the maximum are not those of the Gaussian around it.
_MIN_RELATIVE_VALUE = 1e-3
_TINY = 1e-9


def decode_simcc(
    x: NDArray[np.floating], y: NDArray[np.floating], size: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Return keypoints and scores from SimCC (Li et al., SimCC, ECCV 2022).

    As in MMPose, a coordinate is the bin of the largest value and the score the smaller one of the
    two values.

    Args:
        x: (N, K, X) values of the bins in x.
        y: (N, K, Y) values of the bins in y.
        size: height and width of the input, pixels; there are several bins for each pixel.

    Returns:
        Keypoints (N, K, 2), pixels of the input, and their scores (N, K) in [0, 1].
    """
    height, width = size
    bins = np.stack([x.argmax(axis=2), y.argmax(axis=2)], axis=2)
    pixels = np.array([width / x.shape[2], height / y.shape[2]])
    scores = np.minimum(x.max(axis=2), y.max(axis=2))
    return bins * pixels, scores.astype(float).clip(0, 1)


def decode_heatmaps(
    heatmaps: NDArray[np.floating], size: tuple[int, int], unbiased: bool
) -> tuple[FloatArray, FloatArray]:
    """Return keypoints and scores from heatmaps.

    The maximum between the pixels is that of a Gaussian through the largest value and its
    neighbours: a parabola through the logarithms (Zhang et al., DARK, CVPR 2020).

    Args:
        heatmaps: (N, K, h, w) values around the keypoints, 1 at most.
        size: height and width of the input, pixels.
        unbiased: True where the first and the last pixel of heatmap and input coincide (Huang et
            al., UDP, CVPR 2020), False where the first ones do and the scale is that of the sizes.

    Returns:
        Keypoints (N, K, 2), pixels of the input, and their scores (N, K) in [0, 1].
    """
    n, k, h, w = heatmaps.shape
    flat = heatmaps.reshape(n, k, h * w).astype(float)
    rows, columns = np.divmod(flat.argmax(axis=2), w)
    scores = flat.max(axis=2)
    floor = np.maximum(scores * _MIN_RELATIVE_VALUE, _TINY)
    person, keypoint = np.indices((n, k))
    x = columns + _offset(heatmaps[person, keypoint, rows], columns, floor)
    y = rows + _offset(heatmaps[person, keypoint, :, columns], rows, floor)
    steps = np.array([w - 1, h - 1]) if unbiased else np.array([w, h])
    pixels = np.array([size[1], size[0]]) - int(unbiased)
    return np.stack([x, y], axis=2) * (pixels / steps), scores.clip(0, 1)


def _offset(
    lines: NDArray[np.floating], peaks: NDArray[np.int64], floor: FloatArray
) -> FloatArray:
    """Return where the maximum (N, K) of lines (N, K, L) is, relative to the peak: -0.5 to 0.5.

    It is 0 at the ends of a line.
    """
    last = lines.shape[2] - 1
    around = (peaks[..., None] + np.arange(-1, 2)).clip(0, last)
    values = np.take_along_axis(lines, around, axis=2).astype(float)
    before, here, after = np.moveaxis(np.log(np.maximum(values, floor[..., None])), 2, 0)
    bend = np.maximum(2 * here - before - after, _TINY)
    offsets = ((after - before) / (2 * bend)).clip(-0.5, 0.5)
    return np.where((peaks > 0) & (peaks < last), offsets, 0.0)
