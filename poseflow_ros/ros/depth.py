"""Buffer of received depth images, and 3D positions of tracked people."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros.calibration import Calibration
from poseflow_ros.ros.conversions import seconds
from poseflow_ros.ros.images import ImageError
from poseflow_ros.ros.target_frame import FrameError, TargetFrame
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.depth import DepthImage, metres
from poseflow_ros.spatial.lens import Lens
from poseflow_ros.spatial.projection import Points, lift
from poseflow_ros.spatial.velocity import SpatialVelocity

# Number of depth images that are kept for images still to be processed.
_MAX_DEPTHS = 16
# Stamps have a resolution of 1 ns; as float64 seconds their resolution is 0.25 microseconds.
_ROUNDING_S = 1e-6
_TYPES: dict[str, np.dtype[Any]] = {
    "16UC1": np.dtype(np.uint16),
    "mono16": np.dtype(np.uint16),
    "32FC1": np.dtype(np.float32),
}
UP = np.array([0.0, -1.0, 0.0])
"""The upward direction in an optical frame (REP 103)."""


@dataclass(frozen=True, slots=True, eq=False)
class DepthContext:
    """The data from which the people in one image get 3D positions.

    Attributes:
        stamp_s: of the image, seconds.
        image_size: (height, width) of the image, pixels.
        calibration: of the camera.
        depth: the matching depth image; None if there is none.
        frame: the frame of the positions.
        rotation: (3, 3) from the camera's optical frame to `frame`.
        translation: (3,) metres, likewise.
        trouble: why there are no positions; empty if there are.
    """

    stamp_s: float
    image_size: tuple[int, int]
    calibration: Calibration
    depth: Image | None
    frame: str
    rotation: FloatArray
    translation: FloatArray
    trouble: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class People3D:
    """The 3D positions of N tracked people.

    Attributes:
        points: their keypoints, uncertainties and positions, metres.
        velocities: (N, 3) metres per second, NaN where unknown.
        frame: of points and velocities.
        up: (3,) upward direction of the image in that frame.
    """

    points: Points
    velocities: FloatArray
    frame: str
    up: FloatArray


class DepthProjector:
    """Computes the 3D positions of tracked people of one camera.

    The executor's thread adds depth images and calibrations; the inference loop calls `locate`.
    """

    def __init__(
        self, skeleton: Skeleton, target: TargetFrame | None = None, keep_all: bool = False
    ) -> None:
        """Make a projector.

        Args:
            skeleton: of the people.
            target: the frame of the positions; None for the camera's own.
            keep_all: keep every depth image until its image is processed.
        """
        self._skeleton = skeleton
        self._target = target
        self._changed = threading.Condition()
        self._depths: deque[Image] = deque(maxlen=None if keep_all else _MAX_DEPTHS)
        self._velocity = SpatialVelocity()
        self._epoch = -1
        self.calibration: Calibration | None = None
        self.depth_received = False
        self.trouble = "no depth image received yet"
        """Why the last frame has no 3D positions; empty if it has."""

    def lens(self, width: int, height: int) -> Lens:
        """Return the calibrated lens, or an assumed one for images of this size, pixels."""
        calibration = self.calibration
        return calibration.lens if calibration else Lens.assumed(width, height)

    def calibrate(self, calibration: Calibration | None) -> None:
        """Set the calibration; None keeps the present one."""
        self.calibration = calibration or self.calibration
        self.notify()

    def add_depth(self, message: Image) -> None:
        """Keep a depth image until its colour image is processed."""
        with self._changed:
            self._depths.append(message)
            self.depth_received = True
            self._changed.notify_all()

    def has_depth_until(self, stamp_s: float) -> bool:
        """Return whether a depth image with this stamp or a later one was received."""
        with self._changed:
            newest_first = reversed(self._depths)
            return any(_stamp_s(d) >= stamp_s - _ROUNDING_S for d in newest_first)

    def clear_depth(self) -> None:
        """Discard the depth images: they are of an earlier activation."""
        with self._changed:
            self._depths.clear()
            self.depth_received = False

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Wait until a condition holds, checked at each depth image, calibration and `notify`."""
        with self._changed:
            self._changed.wait_for(condition, max(0.0, timeout_s))

    def notify(self) -> None:
        """Make `wait` check its condition."""
        with self._changed:
            self._changed.notify_all()

    def context(
        self, header: Header, image_size: tuple[int, int], slop_s: float, wait_s: float
    ) -> DepthContext | None:
        """Return the 3D context of an image; None without depth or calibration.

        Args:
            header: of the colour image.
            image_size: (height, width) of the colour image, pixels.
            slop_s: maximum difference between the stamps of depth and colour, seconds.
            wait_s: maximum time to wait for a transform, seconds.
        """
        calibration = self.calibration
        if calibration is None or not self.depth_received:
            missing = "depth image" if calibration else "calibrated camera_info"
            self.trouble = f"no {missing} received yet"
            return None
        stamp_s = seconds(header.stamp)
        frame, rotation, translation = header.frame_id, np.eye(3), np.zeros(3)
        depth, trouble = None, ""
        try:
            depth = self._take(stamp_s, slop_s)
            if self._target is not None:
                frame = self._target.name
                rotation, translation = self._target.lookup(header.frame_id, header.stamp, wait_s)
        except (ImageError, FrameError) as error:
            trouble = str(error)
        return DepthContext(
            stamp_s, image_size, calibration, depth, frame, rotation, translation, trouble
        )

    def locate(
        self,
        tracked: TrackedPoses,
        context: DepthContext | None,
        epoch: int,
        min_keypoint_score: float,
    ) -> People3D | None:
        """Return the 3D positions of these people; None without a context.

        The positions are NaN for people who are not visible in this image, and for all people if
        the context has trouble.

        Args:
            tracked: the tracks, without duplicate ids.
            context: of their image.
            epoch: of the tracks; a new epoch resets the velocities.
            min_keypoint_score: in [0, 1]; keypoints below it get no position.
        """
        if context is None:
            return None
        if epoch != self._epoch:
            self._velocity.reset()
            self._epoch = epoch
        # The last pose of a track that is not visible does not belong to this depth image.
        observed = tracked.time_since_update_s == 0
        points = _unknown_points(tracked)
        try:
            found = self._lift(tracked[observed], context, min_keypoint_score)
            points.points[observed] = found.points @ context.rotation.T + context.translation
            points.positions[observed] = found.positions @ context.rotation.T + context.translation
            points.stddevs[observed] = found.stddevs
            self.trouble = ""
        except (ImageError, ValueError) as error:
            self.trouble = str(error)
        velocities = self._velocity.update(tracked.track_ids, points.positions, context.stamp_s)
        return People3D(points, velocities, context.frame, context.rotation @ UP)

    def _lift(
        self, tracked: TrackedPoses, context: DepthContext, min_keypoint_score: float
    ) -> Points:
        """Return the positions of people in the camera's optical frame.

        Raises:
            ImageError, ValueError: the context has trouble or does not match the image.
        """
        calibration, image_size = context.calibration, context.image_size
        if context.depth is None or context.trouble:
            raise ImageError(context.trouble)
        if not calibration.fits(image_size):
            have, want = (f"{w} x {h}" for h, w in (calibration.size, image_size))
            raise ImageError(f"camera_info is for images of {have} pixels, these are {want}")
        return lift(
            tracked.poses,
            _image(context.depth),
            calibration.lens,
            image_size=image_size,
            skeleton=self._skeleton,
            min_keypoint_score=min_keypoint_score,
        )

    def _take(self, stamp_s: float, slop_s: float) -> Image:
        """Return the depth image with the nearest stamp, and discard older ones.

        Raises:
            ImageError: the difference exceeds `slop_s`.
        """
        with self._changed:
            if not self._depths:
                raise ImageError("no depth image received yet")
            apart = [abs(_stamp_s(message) - stamp_s) for message in self._depths]
            nearest = int(np.argmin(apart))
            if apart[nearest] > slop_s + _ROUNDING_S:
                raise ImageError(
                    f"the nearest depth image is {apart[nearest]:.3f} s from the image; "
                    f"depth.slop_s is {slop_s:g}"
                )
            for _ in range(nearest):
                self._depths.popleft()
            return self._depths[0]


def _stamp_s(message: Image) -> float:
    return seconds(message.header.stamp)


def _unknown_points(tracked: TrackedPoses) -> Points:
    n, k = tracked.poses.keypoint_scores.shape
    return Points(np.full((n, k, 3), np.nan), np.full((n, k), np.nan), np.full((n, 3), np.nan))


def _image(message: Image) -> DepthImage:
    """Return a depth message in metres.

    Raises:
        ImageError: its encoding is not a depth encoding, or size and data disagree.
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
