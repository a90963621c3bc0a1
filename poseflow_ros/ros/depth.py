"""Depth images and calibrations as they come, and where they put tracked people in space."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from poseflow_ros.imaging.depth import DepthImage, Points, lift, metres
from poseflow_ros.imaging.lens import Lens
from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros.conversions import seconds
from poseflow_ros.ros.images import ImageError
from poseflow_ros.skeleton import Skeleton
from poseflow_ros.tracking.velocity import SpatialVelocity

# The network is this many depth images behind at most; more are not worth their memory.
_KEPT = 16
_TYPES: dict[str, np.dtype[Any]] = {
    "16UC1": np.dtype(np.uint16),
    "mono16": np.dtype(np.uint16),
    "32FC1": np.dtype(np.float32),
}


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where N tracked people are in space.

    Attributes:
        points: their keypoints, uncertainties and positions, metres.
        velocities: (N, 3) metres a second, NaN where unknown.
    """

    points: Points
    velocities: FloatArray


class Lifter:
    """Lifts tracked people of one camera into its optical frame.

    Messages are added by the executor's thread, people lifted by the worker's.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._lock = threading.Lock()
        self._depths: deque[Image] = deque(maxlen=_KEPT)
        self._lens: Lens | None = None
        self._velocity = SpatialVelocity()
        self._epoch = -1
        self.trouble = "no depth image came yet"
        """Why the last people were not lifted; empty where they were."""

    def add_depth(self, message: Image) -> None:
        """Keep a depth image until its colour image is worked on."""
        with self._lock:
            self._depths.append(message)

    def add_camera(self, info: CameraInfo) -> None:
        """Take the calibration; one that is none (zeros, by convention) is passed over.

        Raises:
            ValueError: it is of a model that is not known, or has numbers that cannot be.
        """
        if info.k[0] > 0 and info.k[4] > 0:
            model = info.distortion_model or "plumb_bob"
            lens = Lens(info.k[0], info.k[4], info.k[2], info.k[5], tuple(info.d), model)
            with self._lock:
                self._lens = lens

    def lift(
        self,
        tracked: TrackedPoses,
        stamp_s: float,
        image_size: tuple[int, int],
        epoch: int,
        *,
        slop_s: float,
        min_keypoint_score: float,
    ) -> Space | None:
        """Return where these people are; None where no depth came at all or the lens is unknown.

        People who are not seen in this image, and everybody where no depth image fits, are
        nowhere: NaN.

        Args:
            tracked: the people, each id once.
            stamp_s: of the colour image.
            image_size: (height, width) of the colour image, pixels.
            epoch: of the people; another one than before forgets velocities.
            slop_s: how far the stamps of depth and colour may lie apart.
            min_keypoint_score: in [0, 1]; keypoints below it are unknown.
        """
        with self._lock:
            lens, depths = self._lens, list(self._depths)
        if lens is None or not depths:
            self.trouble = "no depth image came yet" if lens else "no calibrated camera_info came"
            return None
        if epoch != self._epoch:
            self._velocity.reset()
            self._epoch = epoch
        # Who is not seen now must not be looked for where they were.
        seen = tracked.time_since_update_s == 0
        points = _nowhere(tracked)
        try:
            depth = _image(_nearest(depths, stamp_s, slop_s))
            found = lift(
                tracked.poses[seen],
                depth,
                lens,
                image_size=image_size,
                skeleton=self._skeleton,
                min_keypoint_score=min_keypoint_score,
            )
            points.points[seen], points.stddevs[seen] = found.points, found.stddevs
            points.positions[seen] = found.positions
            self.trouble = ""
        except (ImageError, ValueError) as error:
            self.trouble = str(error)
        velocities = self._velocity.update(tracked.track_ids, points.positions, stamp_s)
        return Space(points, velocities)


def _nowhere(tracked: TrackedPoses) -> Points:
    n, k = tracked.poses.keypoint_scores.shape
    return Points(np.full((n, k, 3), np.nan), np.full((n, k), np.nan), np.full((n, 3), np.nan))


def _nearest(depths: list[Image], stamp_s: float, slop_s: float) -> Image:
    """Return the depth image whose stamp is nearest.

    Raises:
        ImageError: none is near enough.
    """
    apart = [abs(seconds(message.header.stamp) - stamp_s) for message in depths]
    nearest = int(np.argmin(apart))
    # Stamps are whole nanoseconds, which floats of today's seconds tell to a quarter of a
    # microsecond.
    if apart[nearest] > slop_s + 1e-6:
        raise ImageError(
            f"the nearest depth image is {apart[nearest]:.3f} s from the image; "
            f"depth_slop_s is {slop_s:g}"
        )
    return depths[nearest]


def _image(message: Image) -> DepthImage:
    """Return a depth message in metres.

    Raises:
        ImageError: its encoding is no depth, or size and data disagree.
    """
    kind = _TYPES.get(message.encoding)
    if kind is None:
        known = ", ".join(_TYPES)
        raise ImageError(f"depth encoding is {message.encoding!r}; allowed: {known}")
    height, width, step = message.height, message.width, message.step
    if step < width * kind.itemsize or len(message.data) < step * height or not width * height:
        raise ImageError(
            f"depth data has {len(message.data)} bytes and steps of {step}, which is not "
            f"{width} x {height} {message.encoding} pixels"
        )
    kind = kind.newbyteorder(">" if message.is_bigendian else "<")
    rows = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)
    pixels = np.ascontiguousarray(rows[:, : width * kind.itemsize]).view(kind)
    return metres(pixels.astype(kind.newbyteorder("="), copy=False))
