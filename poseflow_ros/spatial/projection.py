"""3D keypoints from the poses of a colour image and a depth image registered to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.depth import MAX_DEPTH_M, DepthImage, keypoint_depths
from poseflow_ros.spatial.lens import Lens
from poseflow_ros.spatial.medians import medians_of_first


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The 3D keypoints of N people, in the camera's optical frame (REP 103).

    Attributes:
        points: (N, K, 3) metres (x right, y down, z forward), NaN where unknown.
        stddevs: (N, K) metres, above 0, of z; NaN where unknown.
        positions: (N, 3) metres, the median of the torso's keypoints per axis, NaN where unknown.
    """

    points: FloatArray
    stddevs: FloatArray
    positions: FloatArray


def lift(
    poses: Poses,
    depth: DepthImage,
    lens: Lens,
    *,
    image_size: tuple[int, int],
    skeleton: Skeleton,
    min_keypoint_score: float,
    max_depth_m: float = MAX_DEPTH_M,
    sideways: bool = False,
) -> Points:
    """Return the 3D keypoints of 2D poses.

    The depth of a keypoint is the median of a patch around it. Pixels beyond the reach of an arm
    or a leg from the torso's depth are excluded, as is the background of a limb. The depth is
    that of the visible surface, not of the joint below it. If the torso is not visible, every
    depth is plausible.

    Args:
        poses: the people; keypoints in pixels of the colour image.
        depth: (H, W) metres, registered to the colour image.
        lens: of the colour image.
        image_size: (height, width) of the colour image, pixels.
        skeleton: the meaning of the keypoints.
        min_keypoint_score: in [0, 1]; keypoints below it are unknown, as are those outside the
            image.
        max_depth_m: depths beyond this are unknown, metres.
        sideways: whether the camera is mounted sideways, so that people's height is along x.

    Raises:
        ValueError: the depth image has another size than the colour image, or is not in metres.
    """
    if depth.dtype.kind != "f":
        raise ValueError(f"the depth image must be float metres, got {depth.dtype}")
    if depth.shape != tuple(image_size):
        (h, w), have = image_size, " x ".join(str(n) for n in depth.shape[::-1])
        raise ValueError(f"the depth image must be {w} x {h} as the colour image, got {have}")
    torso = list(skeleton.torso)
    visible = _inside(poses.keypoints, depth) & (poses.keypoint_scores >= min_keypoint_score)
    boxes = poses.boxes
    heights = boxes[:, 2] - boxes[:, 0] if sideways else poses.heights
    z, stddevs = keypoint_depths(depth, poses.keypoints, visible, heights, torso, max_depth_m)
    pixels = np.where(visible[..., None], poses.keypoints, np.nan)
    points = lens.on_plane(pixels, 1.0) * z[..., None]
    unknown = np.isnan(points).any(axis=-1)
    points[unknown], stddevs[unknown] = np.nan, np.nan
    return Points(points, stddevs, _medians_per_axis(points[:, torso]))


def _inside(keypoints: FloatArray, depth: DepthImage) -> NDArray[np.bool_]:
    """Return (...,) which of the (..., 2) pixels lie in the image; NaN does not."""
    x, y = keypoints[..., 0], keypoints[..., 1]
    height, width = depth.shape
    return (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)


def _medians_per_axis(points: FloatArray) -> FloatArray:
    """Return (N, 3) the medians of (N, T, 3) points per axis, NaN where none is known."""
    unknown = np.isnan(points)
    ordered = np.sort(np.where(unknown, np.inf, points), axis=1).transpose(0, 2, 1)
    return medians_of_first(ordered, (~unknown).sum(axis=1))
