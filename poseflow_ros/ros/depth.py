"""Depth images as they come, and where they put tracked people in space."""

import threading
from collections import deque
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
from poseflow_ros.skeleton import Skeleton
from poseflow_ros.spatial.depth import DepthImage, metres
from poseflow_ros.spatial.projection import Points, lift
from poseflow_ros.spatial.velocity import SpatialVelocity

# The network is this many depth images behind at most; more are not worth their memory.
_KEPT = 16
# Stamps are whole nanoseconds, which floats of today's seconds tell to a quarter of a microsecond.
_ROUNDING_S = 1e-6
_TYPES: dict[str, np.dtype[Any]] = {
    "16UC1": np.dtype(np.uint16),
    "mono16": np.dtype(np.uint16),
    "32FC1": np.dtype(np.float32),
}
UP = np.array([0.0, -1.0, 0.0])
"""Upward in an optical frame (REP 103)."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What puts the people of one image into space.

    Attributes:
        calibration: of the camera.
        depth: the message that fits the image; None where none does.
        frame: in which people are told.
        rotation: (3, 3) from the camera's optical frame to `frame`.
        translation: (3,) metres, likewise.
        trouble: why people cannot be put into space; empty where they can.
    """

    calibration: Calibration
    depth: Image | None
    frame: str
    rotation: FloatArray
    translation: FloatArray
    trouble: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where N tracked people are in space.

    Attributes:
        points: their keypoints, uncertainties and positions, metres.
        velocities: (N, 3) metres a second, NaN where unknown.
        frame: of points and velocities.
        up: (3,) the image's upward direction in that frame.
    """

    points: Points
    velocities: FloatArray
    frame: str
    up: FloatArray


class Lifter:
    """Lifts tracked people of one camera into space.

    Depth images and calibrations are added by the executor's thread, people lifted by the
    worker's.
    """

    def __init__(
        self, skeleton: Skeleton, target: TargetFrame | None = None, keep_all: bool = False
    ) -> None:
        """Make a lifter.

        Args:
            skeleton: of the people.
            target: the frame in which people are told; None for the camera's own.
            keep_all: depth images wait for theirs, however many there are.
        """
        self._skeleton = skeleton
        self._target = target
        self._lock = threading.Lock()
        self._depths: deque[Image] = deque(maxlen=None if keep_all else _KEPT)
        self._velocity = SpatialVelocity()
        self._epoch = -1
        self.calibration: Calibration | None = None
        self.depth_came = False
        self.trouble = "no depth image came yet"
        """Why the last people were not lifted; empty where they were."""

    def add_depth(self, message: Image) -> None:
        """Keep a depth image until its colour image is worked on."""
        with self._lock:
            self._depths.append(message)
            self.depth_came = True

    def has_depth_until(self, stamp_s: float) -> bool:
        """Return whether the depth image of this time came, or a later one."""
        with self._lock:
            newest_first = reversed(self._depths)
            return any(_stamp_s(d) >= stamp_s - _ROUNDING_S for d in newest_first)

    def forget_depths(self) -> None:
        """Begin anew: depth images from before are of another time."""
        with self._lock:
            self._depths.clear()
            self.depth_came = False

    def view(self, header: Header, slop_s: float, wait_s: float) -> View | None:
        """Return what puts an image's people into space; None where no depth or lens is known.

        Args:
            header: of the colour image.
            slop_s: how far the stamps of depth and colour may lie apart.
            wait_s: how long a transform is waited for, seconds.
        """
        calibration = self.calibration
        if calibration is None or not self.depth_came:
            missing = "depth image" if calibration else "calibrated camera_info"
            self.trouble = f"no {missing} came yet"
            return None
        frame, rotation, translation = header.frame_id, np.eye(3), np.zeros(3)
        depth, trouble = None, ""
        try:
            depth = self._take(seconds(header.stamp), slop_s)
            if self._target is not None:
                frame = self._target.name
                rotation, translation = self._target.lookup(header.frame_id, header.stamp, wait_s)
        except (ImageError, FrameError) as error:
            trouble = str(error)
        return View(calibration, depth, frame, rotation, translation, trouble)

    def lift(
        self,
        tracked: TrackedPoses,
        view: View,
        stamp_s: float,
        image_size: tuple[int, int],
        epoch: int,
        min_keypoint_score: float,
    ) -> Space:
        """Return where these people are.

        People who are not seen in this image, and everybody where the view is in trouble, are
        nowhere: NaN.

        Args:
            tracked: the people, each id once.
            view: of their image.
            stamp_s: of the colour image.
            image_size: (height, width) of the colour image, pixels.
            epoch: of the people; another one than before forgets velocities.
            min_keypoint_score: in [0, 1]; keypoints below it are unknown.
        """
        if epoch != self._epoch:
            self._velocity.reset()
            self._epoch = epoch
        # Who is not seen now must not be looked for where they were.
        seen = tracked.time_since_update_s == 0
        points = _nowhere(tracked)
        try:
            found = self._found(tracked[seen], view, image_size, min_keypoint_score)
            points.points[seen] = found.points @ view.rotation.T + view.translation
            points.positions[seen] = found.positions @ view.rotation.T + view.translation
            points.stddevs[seen] = found.stddevs
            self.trouble = ""
        except (ImageError, ValueError) as error:
            self.trouble = str(error)
        velocities = self._velocity.update(tracked.track_ids, points.positions, stamp_s)
        return Space(points, velocities, view.frame, view.rotation @ UP)

    def _found(
        self,
        tracked: TrackedPoses,
        view: View,
        image_size: tuple[int, int],
        min_keypoint_score: float,
    ) -> Points:
        """Return where people are in the camera's optical frame.

        Raises:
            ImageError, ValueError: the view is in trouble, or its parts do not fit the image.
        """
        if view.depth is None or view.trouble:
            raise ImageError(view.trouble)
        if not view.calibration.fits(image_size):
            have, want = (f"{w} x {h}" for h, w in (view.calibration.size, image_size))
            raise ImageError(f"camera_info is for images of {have} pixels, these are {want}")
        return lift(
            tracked.poses,
            _image(view.depth),
            view.calibration.lens,
            image_size=image_size,
            skeleton=self._skeleton,
            min_keypoint_score=min_keypoint_score,
        )

    def _take(self, stamp_s: float, slop_s: float) -> Image:
        """Return the depth image whose stamp is nearest, and let go of the older ones.

        Raises:
            ImageError: none is near enough.
        """
        with self._lock:
            apart = [abs(_stamp_s(message) - stamp_s) for message in self._depths]
            nearest = int(np.argmin(apart))
            if apart[nearest] > slop_s + _ROUNDING_S:
                raise ImageError(
                    f"the nearest depth image is {apart[nearest]:.3f} s from the image; "
                    f"depth_slop_s is {slop_s:g}"
                )
            for _ in range(nearest):
                self._depths.popleft()
            return self._depths[0]


def _stamp_s(message: Image) -> float:
    return seconds(message.header.stamp)


def _nowhere(tracked: TrackedPoses) -> Points:
    n, k = tracked.poses.keypoint_scores.shape
    return Points(np.full((n, k, 3), np.nan), np.full((n, k), np.nan), np.full((n, 3), np.nan))


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
