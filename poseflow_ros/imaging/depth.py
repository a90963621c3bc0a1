"""Where people are in space: the poses of a colour image and a depth image registered to it."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.imaging.lens import Lens
from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.skeleton import Skeleton

DepthImage = NDArray[np.float32]
"""(H, W) metres along the optical axis; NaN, 0 or below, or beyond 1000 km where unknown."""
_BoolArray = NDArray[np.bool_]
_Float = TypeVar("_Float", np.float32, np.float64)

# A keypoint's depth is that of a patch around it: this far to each side, relative to the
# height of the person's box (2.5 cm where 1.7 m stand upright, about half of a forearm), and at
# least and at most so many pixels.
_RADIUS = 0.015
_LEAST_RADIUS_PX, _LARGEST_RADIUS_PX = 1, 6
# A larger patch is looked at in as many rows and columns, which is enough for a median.
_SIDE = 7
# No keypoint is farther in depth from the torso's middle: an arm reaches some 0.7 m from the
# shoulder, a leg 0.9 m from the hip, and what is a metre behind is a wall.
_REACH_M = 1.0
# Keypoints of the torso lie near its outline: its depth is looked for this far on the way from
# them to their middle.
_INWARD = 0.25
# A patch falls in two, limb and background, where two groups of depths explain this much of its
# variance (Otsu, 1979) and lie this far apart. Two halves of a slanted plane explain 0.75 of it,
# those of normal noise 0.64; the back of a limb is nearer to its front.
_EXPLAINED = 0.85
_APART_M = 0.15
# What remains of a patch has to be at least this share of it: 3 pixels of the largest, which
# leaves room for holes on a limb two pixels wide. Of the torso's patches it is more, or a hand
# before the chest would be the torso.
_LEAST_SHARE = 0.06
_LEAST_TORSO_SHARE = 0.25
# The standard deviation of normal noise in its median absolute deviations, and the variance of
# a median of n values in variances of one, times n.
_MADS = 1.4826
_MEDIAN_VARIANCE = np.pi / 2
# Squares of what is farther would overflow in single precision.
_FARTHEST_M = 1e6
# Few pixels do not tell how much they scatter; depth cameras do so by about this share.
_USUAL_NOISE = 0.01


def _steps() -> tuple[IntArray, _BoolArray]:
    """Return, for each radius, which pixels a patch takes to one side, and which only once."""
    radii = np.arange(_LARGEST_RADIUS_PX + 1)[:, None]
    steps = np.rint(radii * np.linspace(-1, 1, _SIDE)).astype(np.int64)
    return steps, np.diff(steps, axis=1, prepend=steps[:, :1] - 1) != 0


_STEPS, _FRESH = _steps()
_PATCH_SIZES = _FRESH.sum(axis=1) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Where the keypoints of N people are, in the camera's optical frame (REP 103).

    Attributes:
        points: (N, K, 3) metres (x right, y down, z forward), NaN where unknown.
        stddevs: (N, K) metres, above 0, of z; NaN where unknown.
        positions: (N, 3) metres, the middle of the torso's keypoints, NaN where unknown.
    """

    points: FloatArray
    stddevs: FloatArray
    positions: FloatArray


def metres(depth: NDArray[np.generic]) -> DepthImage:
    """Return a depth image of ROS (REP 118) in metres, unknown values as they are.

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


def lift(
    poses: Poses,
    depth: DepthImage,
    lens: Lens,
    *,
    image_size: tuple[int, int],
    skeleton: Skeleton,
    min_keypoint_score: float,
) -> Points:
    """Return where in space the poses' keypoints are.

    A keypoint's depth is the median of a patch around it, without the pixels farther than an arm
    or a leg from the torso's depth, and of a limb before something else only the limb's. It is
    the depth of the surface that is seen, not of the joint below it. Of whoever's torso is not
    seen all depths are taken for plausible.

    Args:
        poses: the people; keypoints in pixels of the colour image.
        depth: (H, W) metres, registered to the colour image.
        lens: of the colour image.
        image_size: (height, width) of the colour image, pixels.
        skeleton: what the keypoints mean.
        min_keypoint_score: in [0, 1]; keypoints below it are unknown, as are those outside the
            image.

    Raises:
        ValueError: the depth image is not as large as the colour image, or not in metres.
    """
    if depth.dtype.kind != "f":
        raise ValueError(f"the depth image must be float metres, got {depth.dtype}")
    if depth.shape != tuple(image_size):
        (h, w), have = image_size, " x ".join(str(n) for n in depth.shape[::-1])
        raise ValueError(f"the depth image must be {w} x {h}, as the colour image, got {have}")
    seen = _inside(poses.keypoints, depth) & (poses.keypoint_scores >= min_keypoint_score)
    radii = _radii(poses.heights)
    torso = list(skeleton.torso)
    middles = _torso_depths(depth, poses.keypoints[:, torso], seen[:, torso], radii)
    z, stddevs = _keypoint_depths(depth, poses.keypoints, seen, radii, middles)
    pixels = np.where(seen[..., None], poses.keypoints, np.nan)
    points = lens.on_plane(pixels, 1.0) * z[..., None]
    unknown = np.isnan(points).any(axis=-1)
    points[unknown], stddevs[unknown] = np.nan, np.nan
    return Points(points, stddevs, _middles(points[:, torso]))


def _inside(keypoints: FloatArray, depth: DepthImage) -> _BoolArray:
    """Return (...,) which of the (..., 2) pixels lie in the image; NaN does not."""
    x, y = keypoints[..., 0], keypoints[..., 1]
    height, width = depth.shape
    return (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)


def _radii(heights: FloatArray) -> IntArray:
    """Return (N,) pixels from the middle of a patch to its sides."""
    radii = np.nan_to_num(heights * _RADIUS).clip(_LEAST_RADIUS_PX, _LARGEST_RADIUS_PX)
    return np.rint(radii).astype(np.int64)


def _patches(
    depth: DepthImage, keypoints: FloatArray, seen: _BoolArray, radii: IntArray
) -> DepthImage:
    """Return (N, K, P) metres of the pixels around (N, K, 2) keypoints, infinite where unknown."""
    height, width = depth.shape
    centres = np.rint(np.where(seen[..., None], keypoints, 0)).astype(np.int64)
    columns, rows = (centres[..., i, None] + _STEPS[radii][:, None] for i in (0, 1))
    fresh = _FRESH[radii][:, None] & seen[..., None]
    columns_in = fresh & (columns >= 0) & (columns < width)
    rows_in = fresh & (rows >= 0) & (rows < height)
    index = rows.clip(0, height - 1)[..., :, None] * width
    index = index + columns.clip(0, width - 1)[..., None, :]
    values = depth.ravel().take(index)
    known = rows_in[..., :, None] & columns_in[..., None, :]
    known &= (values > 0) & (values <= _FARTHEST_M)  # NaN is neither
    return np.where(known, values, np.float32(np.inf)).reshape(*seen.shape, _SIDE**2)


def _torso_depths(
    depth: DepthImage, keypoints: FloatArray, seen: _BoolArray, radii: IntArray
) -> DepthImage:
    """Return (N,) metres from (N, T, 2) keypoints of the torso, NaN where unknown."""
    known = np.where(seen[..., None], keypoints, 0)
    n_seen = seen.sum(axis=1)[:, None]
    middle = known.sum(axis=1) / np.maximum(n_seen, 1)
    inward = known + _INWARD * (middle[:, None] - known)
    patches = _patches(depth, inward, seen, radii)
    pixels = patches.reshape(len(seen), seen.shape[1] * _SIDE**2)
    ordered, n_known = _ordered(pixels)
    # Of the pixels whose depth is known: a torso may have holes.
    least = np.ceil(_LEAST_TORSO_SHARE * n_known)
    return _medians(ordered, _nearer(ordered, n_known, least))


def _keypoint_depths(
    depth: DepthImage,
    keypoints: FloatArray,
    seen: _BoolArray,
    radii: IntArray,
    torso_depths: DepthImage,
) -> tuple[FloatArray, FloatArray]:
    """Return the depths of (N, K, 2) keypoints and their stddevs, (N, K) metres each."""
    pixels = _patches(depth, keypoints, seen, radii)
    # Nothing is farther than the reach from a torso that is not known.
    far = np.abs(pixels - torso_depths[:, None, None]) > _REACH_M
    pixels[far] = np.inf
    ordered, n_plausible = _ordered(pixels)
    least = np.ceil(_LEAST_SHARE * _PATCH_SIZES[radii])[:, None]
    n = _nearer(ordered, n_plausible, least)
    n = np.where(n >= least, n, 0)
    z = _medians(ordered, n)
    return z.astype(np.float64), _stddevs(ordered, n, z)


def _ordered(pixels: DepthImage) -> tuple[DepthImage, IntArray]:
    """Return each patch of (..., P), the nearest pixel first, and (...) how many are known."""
    return np.sort(pixels, axis=-1), np.isfinite(pixels).sum(axis=-1)


def _nearer(ordered: DepthImage, n: IntArray, least: FloatArray) -> IntArray:
    """Return (...) how many of the first n of (..., P) depths are the nearer group's.

    All of them where they do not fall in two groups, the nearer of at least `least` pixels.
    """
    size = ordered.shape[-1]
    n_near = np.arange(1, size + 1, dtype=np.float32)
    n_all = np.maximum(n, 1)[..., None].astype(np.float32)
    # Relative to the nearest, where single precision is enough.
    known = n_near <= n[..., None]
    values = np.subtract(ordered, ordered[..., :1], out=np.zeros_like(ordered), where=known)
    sums = np.cumsum(values, axis=-1)
    mean = sums[..., -1:] / n_all
    # The groups' means from the mean of all: the nearer's excess is the farther's deficit.
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
    apart = excess / n_near + excess / n_far
    in_two = (explained > _EXPLAINED * total) & (apart > _APART_M)
    return np.where(in_two, best[..., 0] + 1, n)


def _medians(ordered: NDArray[_Float], n: IntArray) -> NDArray[_Float]:
    """Return (...) the medians of the first n of (..., P) values in order, NaN where n is 0."""
    middle = np.stack([np.maximum(n - 1, 0) // 2, n // 2], axis=-1)
    medians = np.take_along_axis(ordered, middle, axis=-1).mean(axis=-1)
    medians[n == 0] = np.nan
    return medians


def _stddevs(ordered: DepthImage, n: IntArray, medians: DepthImage) -> FloatArray:
    """Return (...) metres: how the first n of (..., P) depths scatter, and how their median."""
    taken = np.arange(ordered.shape[-1]) < n[..., None]
    deviations = np.full_like(ordered, np.inf)
    np.subtract(ordered, medians[..., None], out=deviations, where=taken)
    deviations = np.sort(np.abs(deviations), axis=-1)
    scatter = (_MADS * _medians(deviations, n).astype(np.float64)) ** 2
    usual = (_USUAL_NOISE * medians.astype(np.float64)) ** 2
    return np.sqrt(scatter + _MEDIAN_VARIANCE * (scatter + usual) / np.maximum(n, 1))


def _middles(points: FloatArray) -> FloatArray:
    """Return (N, 3) the medians of (N, T, 3) points axis by axis, NaN where none is known."""
    unknown = np.isnan(points)
    ordered = np.sort(np.where(unknown, np.inf, points), axis=1).transpose(0, 2, 1)
    return _medians(ordered, (~unknown).sum(axis=1))
