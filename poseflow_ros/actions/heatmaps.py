"""Heatmaps of poses, the input of PoseC3D.

Duan et al., Revisiting Skeleton-based Action Recognition, CVPR 2022.
"""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.actions.layouts import uniform_samples
from poseflow_ros.actions.windows import Float32Array, Windows
from poseflow_ros.poses import FloatArray

_PADDING = 1.25
_MIN_SIDE_PX = 10.0
_MIN_SCORE = 1e-3


def heatmaps(
    windows: Windows, *, n_frames: int = 48, size: int = 64, sigma: float = 0.6
) -> Float32Array:
    """Return (N, K, T, H, W): a Gaussian around each keypoint, as high as its score.

    Each person has a crop of their own, the square around all their keypoints of the window and a
    quarter of its side more, scaled to `size` x `size`. The Gaussians end after three `sigma`.

    Args:
        windows: of N people; gaps hold the nearest observed pose.
        n_frames: T, sampled uniformly.
        size: height and width of the heatmaps, pixels.
        sigma: standard deviation of the Gaussians, pixels of the heatmap.
    """
    windows = uniform_samples(windows.filled(), n_frames)
    keypoints, scores = windows.keypoints.astype(float), windows.scores
    corners, sides = _crops(keypoints, scores > 0.0)
    scaled = (keypoints - corners[:, None, None]) * (size / sides[:, None, None])
    maps = np.empty((*scores.shape, size, size), np.float32)
    heights = np.where(scores >= _MIN_SCORE, scores, 0.0)
    x, y = _gaussians(scaled[..., 0], size, sigma), _gaussians(scaled[..., 1], size, sigma)
    np.multiply((heights[..., None] * y)[..., None], x[..., None, :], out=maps)
    return np.ascontiguousarray(maps.transpose(0, 2, 1, 3, 4))


def _crops(keypoints: FloatArray, known: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return the upper left corner (N, 2) and the sides (N, 2) of each person's crop, pixels.

    They are whole pixels, as in PoseCompact of pyskl.
    """
    known = (known | ~known.any(axis=(1, 2), keepdims=True))[..., None]
    lowest = np.where(known, keypoints, np.inf).min(axis=(1, 2))
    highest = np.where(known, keypoints, -np.inf).max(axis=(1, 2))
    half = (highest - lowest).max(axis=1, keepdims=True) / 2.0 * _PADDING
    half = np.maximum(half, 0.5 * _MIN_SIDE_PX)
    middle = (lowest + highest) / 2.0
    corners: FloatArray = np.trunc(middle - half)
    return corners, np.trunc(middle + half) - corners


def _gaussians(centers: FloatArray, size: int, sigma: float) -> Float32Array:
    """Return (..., size) Gaussians of height 1 around (...,) centers, 0 beyond three sigma."""
    pixels = np.arange(size)
    low, high = np.trunc(centers - 3.0 * sigma), np.trunc(centers + 3.0 * sigma)
    inside = (pixels >= low[..., None]) & (pixels <= high[..., None])
    squares = ((pixels - centers[..., None]) / sigma) ** 2
    return np.where(inside, np.exp(-0.5 * squares), 0.0).astype(np.float32)
