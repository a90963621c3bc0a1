"""Depth images, and the depths of keypoints in them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.spatial.medians import medians_of_first

DepthImage = NDArray[np.float32]
"""(H, W) metres along the optical axis; NaN, or 0 or below where unknown."""
_BoolArray = NDArray[np.bool_]

# Half size of the patch around a keypoint, relative to the height of the person's box (2.5 cm for
# an upright person of 1.7 m, about half of a forearm), and its limits in pixels.
_RADIUS = 0.015
_MIN_RADIUS_PX, _MAX_RADIUS_PX = 1, 6
# A larger patch is sampled in as many rows and columns, which is enough for a median.
_SIDE = 7
# Maximum difference of the depths of keypoint and torso: an arm reaches about 0.7 m from the
# shoulder, a leg 0.9 m from the hip; a surface one metre behind is background.
_REACH_M = 1.0
# Torso keypoints lie near the outline. The torso depth is sampled at points that are moved by this
# share of the way to their centre.
_INWARD = 0.25
# A patch is split into limb and background if two groups of depths explain this share of its
# variance (Otsu, 1979) and have this distance. The two halves of a slanted plane explain 0.75 of
# the variance, those of normal noise 0.64.
_MIN_EXPLAINED = 0.85
_MIN_GAP_M = 0.15
# Minimum share of plausible pixels in a patch: 3 pixels of the largest patch, which allows holes
# on a limb that is two pixels wide. It is larger for the torso, so that a hand in front of the
# chest is not mistaken for the torso.
_MIN_SHARE = 0.06
_MIN_TORSO_SHARE = 0.25
# Ratio of standard deviation and median absolute deviation of normal noise; and n times the
# variance of the median of n values, relative to the variance of one value.
_STDDEV_PER_MAD = 1.4826
_MEDIAN_VARIANCE = np.pi / 2
MAX_DEPTH_M = 1e6
"""Squares of larger depths would overflow in single precision."""
# A few pixels do not show the noise of a depth camera; it is about this share of the depth.
_TYPICAL_NOISE = 0.01


def _offsets() -> tuple[IntArray, _BoolArray]:
    """Return the pixel offsets along one axis of a patch per radius, and a mask of unique ones."""
    radii = np.arange(_MAX_RADIUS_PX + 1)[:, None]
    offsets = np.rint(radii * np.linspace(-1, 1, _SIDE)).astype(np.int64)
    return offsets, np.diff(offsets, axis=1, prepend=offsets[:, :1] - 1) != 0


_OFFSETS, _DISTINCT = _offsets()
_PATCH_SIZES = _DISTINCT.sum(axis=1) ** 2


def metres(depth: NDArray[np.generic]) -> DepthImage:
    """Return a depth image of ROS (REP 118) in metres; unknown values stay as they are.

    Args:
        depth: (H, W) uint16 millimetres (16UC1), or float metres (32FC1).

    Raises:
        ValueError: the array has another shape or type.
    """
    if depth.ndim != 2:
        raise ValueError(f"a depth image must have the shape (height, width), got {depth.shape}")
    if depth.dtype.kind == "f":
        return depth.astype(np.float32, copy=False)
    if depth.dtype.kind == "u" and depth.dtype.itemsize == 2:
        return np.multiply(depth, np.float32(0.001), dtype=np.float32)
    raise ValueError(f"a depth image must be uint16 or float32, got {depth.dtype}")


def keypoint_depths(
    depth: DepthImage,
    keypoints: FloatArray,
    visible: _BoolArray,
    heights: FloatArray,
    torso: Sequence[int],
    max_depth_m: float = MAX_DEPTH_M,
) -> tuple[FloatArray, FloatArray]:
    """Return the depths of keypoints and their standard deviations.

    Args:
        depth: (H, W) metres.
        keypoints: (N, K, 2) pixels.
        visible: (N, K) the keypoints to look up; they lie in the image.
        heights: (N,) pixels, of the people's boxes.
        torso: indices of the torso's keypoints.
        max_depth_m: depths beyond this are unknown, at most `MAX_DEPTH_M`.

    Returns:
        (N, K) metres each, NaN where unknown.
    """
    radii = _radii(heights)
    torso_depths = _torso_depths(depth, keypoints[:, torso], visible[:, torso], radii, max_depth_m)
    pixels = _patches(depth, keypoints, visible, radii, max_depth_m)
    # Where the torso's depth is unknown no pixel is too far from it.
    too_far = np.abs(pixels - torso_depths[:, None, None]) > _REACH_M
    pixels[too_far] = np.inf
    ordered, n_plausible = _ordered(pixels)
    least = np.ceil(_MIN_SHARE * _PATCH_SIZES[radii])[:, None]
    n = _count_nearer(ordered, n_plausible, least)
    n = np.where(n >= least, n, 0)
    z = medians_of_first(ordered, n)
    return z.astype(np.float64), _stddevs(ordered, n, z)


def _radii(heights: FloatArray) -> IntArray:
    """Return (N,) pixels, the half size of the patches."""
    radii = np.nan_to_num(heights * _RADIUS).clip(_MIN_RADIUS_PX, _MAX_RADIUS_PX)
    return np.rint(radii).astype(np.int64)


def _patches(
    depth: DepthImage,
    keypoints: FloatArray,
    visible: _BoolArray,
    radii: IntArray,
    max_depth_m: float,
) -> DepthImage:
    """Return (N, K, P) metres of the pixels around (N, K, 2) keypoints, infinite where unknown."""
    height, width = depth.shape
    centres = np.rint(np.where(visible[..., None], keypoints, 0)).astype(np.int64)
    columns, rows = (centres[..., i, None] + _OFFSETS[radii][:, None] for i in (0, 1))
    distinct = _DISTINCT[radii][:, None] & visible[..., None]
    columns_in = distinct & (columns >= 0) & (columns < width)
    rows_in = distinct & (rows >= 0) & (rows < height)
    index = rows.clip(0, height - 1)[..., :, None] * width
    index = index + columns.clip(0, width - 1)[..., None, :]
    values = depth.ravel().take(index)
    known = rows_in[..., :, None] & columns_in[..., None, :]
    known &= (values > 0) & (values <= max_depth_m)  # NaN is neither
    return np.where(known, values, np.float32(np.inf)).reshape(*visible.shape, _SIDE**2)


def _torso_depths(
    depth: DepthImage,
    keypoints: FloatArray,
    visible: _BoolArray,
    radii: IntArray,
    max_depth_m: float,
) -> DepthImage:
    """Return (N,) metres from (N, T, 2) keypoints of the torso, NaN where unknown."""
    known = np.where(visible[..., None], keypoints, 0)
    n_visible = visible.sum(axis=1)[:, None]
    middle = known.sum(axis=1) / np.maximum(n_visible, 1)
    inward = known + _INWARD * (middle[:, None] - known)
    patches = _patches(depth, inward, visible, radii, max_depth_m)
    pixels = patches.reshape(len(visible), visible.shape[1] * _SIDE**2)
    ordered, n_known = _ordered(pixels)
    # A share of the pixels with a known depth: a torso may have holes.
    least = np.ceil(_MIN_TORSO_SHARE * n_known)
    return medians_of_first(ordered, _count_nearer(ordered, n_known, least))


def _ordered(pixels: DepthImage) -> tuple[DepthImage, IntArray]:
    """Return each patch of (..., P) sorted by depth, and (...) the number of known pixels."""
    return np.sort(pixels, axis=-1), np.isfinite(pixels).sum(axis=-1)


def _count_nearer(ordered: DepthImage, n: IntArray, least: FloatArray) -> IntArray:
    """Return (...) the number of the first n of (..., P) depths that belong to the nearer group.

    The nearer group has at least `least` pixels. It has n if there are no two groups.
    """
    size = ordered.shape[-1]
    n_near = np.arange(1, size + 1, dtype=np.float32)
    n_all = np.maximum(n, 1)[..., None].astype(np.float32)
    # Relative to the nearest, where single precision is enough.
    known = n_near <= n[..., None]
    values = np.subtract(ordered, ordered[..., :1], out=np.zeros_like(ordered), where=known)
    sums = np.cumsum(values, axis=-1)
    mean = sums[..., -1:] / n_all
    # The sums of the deviations of both groups from the common mean are opposite.
    excess = n_near * mean - sums
    n_far = np.maximum(n_all - n_near, 1)
    between = excess**2 * n_all / (n_near * n_far)
    between *= (n_near >= least[..., None]) & (n_near < n[..., None])
    best = between.argmax(axis=-1)[..., None]
    total = (values**2).sum(axis=-1) - n_all[..., 0] * mean[..., 0] ** 2
    explained, excess, n_near, n_far = (
        np.take_along_axis(np.broadcast_to(array, between.shape), best, axis=-1)[..., 0]
        for array in (between, excess, n_near, n_far)
    )
    gap = excess / n_near + excess / n_far
    in_two = (explained > _MIN_EXPLAINED * total) & (gap > _MIN_GAP_M)
    return np.where(in_two, best[..., 0] + 1, n)


def _stddevs(ordered: DepthImage, n: IntArray, medians: DepthImage) -> FloatArray:
    """Return (...) metres: the scatter of the first n of (..., P) depths and of their median."""
    taken = np.arange(ordered.shape[-1]) < n[..., None]
    deviations = np.full_like(ordered, np.inf)
    np.subtract(ordered, medians[..., None], out=deviations, where=taken)
    deviations = np.sort(np.abs(deviations), axis=-1)
    scatter = (_STDDEV_PER_MAD * medians_of_first(deviations, n).astype(np.float64)) ** 2
    typical = (_TYPICAL_NOISE * medians.astype(np.float64)) ** 2
    return np.sqrt(scatter + _MEDIAN_VARIANCE * (scatter + typical) / np.maximum(n, 1))
