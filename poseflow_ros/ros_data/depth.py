"""Buffer of received depth images, and 3D positions of tracked people."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from poseflow_ros.config import DepthConfig
from poseflow_ros.imaging.ros_image import ImageError
from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros_data.calibration import Calibration, CalibrationStore
from poseflow_ros.ros_data.depth_message import depth_encoding, depth_image
from poseflow_ros.ros_data.frames import FrameError, TargetFrame
from poseflow_ros.ros_data.header import Header, seconds
from poseflow_ros.ros_data.input_checks import frame_problem, unit_problem
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.lens import Lens
from poseflow_ros.spatial.projection import Points, lift
from poseflow_ros.spatial.velocity import SpatialVelocity

# Number of depth images that are kept for images still to be processed.
_MAX_DEPTHS = 16
# The next depth image may come this share of a period early.
_JITTER = 0.25
# The frame of 3D positions where no input names one.
_NO_FRAME = "camera"
# Stamps are whole nanoseconds; floats of today's seconds resolve a quarter of a microsecond.
_ROUNDING_S = 1e-6
UP = np.array([0.0, -1.0, 0.0])
"""The upward direction in an optical frame (REP 103)."""


@dataclass(frozen=True, slots=True, eq=False)
class DepthContext:
    """The data from which the people in one image get 3D positions.

    Attributes:
        stamp_s: of the image, seconds.
        image_size: (height, width) of the image, pixels.
        calibration: of the camera.
        depth: the matching depth image; None where there is none.
        max_m: depths beyond this are unknown, metres.
        frame: the frame of the positions.
        rotation: (3, 3) from the camera's optical frame to `frame`.
        translation: (3,) metres, likewise.
        trouble: why there are no positions; empty if there are.
    """

    stamp_s: float
    image_size: tuple[int, int]
    calibration: Calibration
    depth: Any | None
    max_m: float
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
        self,
        skeleton: Skeleton,
        target: TargetFrame | None = None,
        keep_all: bool = False,
        up: FloatArray = UP,
    ) -> None:
        """Make a projector.

        Args:
            skeleton: of the people.
            target: the frame of the positions; None for the camera's own.
            keep_all: keep every depth image until its image is processed.
            up: (3,) the image's upward direction in the camera's optical frame.
        """
        self._skeleton = skeleton
        self._target = target
        self._up = up
        self._changed = threading.Condition()
        self._depths: deque[Any] = deque(maxlen=None if keep_all else _MAX_DEPTHS)
        self._velocity = SpatialVelocity()
        self._epoch = -1
        self.calibrations = CalibrationStore(rectified=False)
        self.depth_received = False
        self.n_received = 0
        """How many depth images were received, and whether a calibration was."""
        self.trouble = "no depth image received yet"
        """Why the last people have no 3D positions; empty where they have."""
        self.calibration_problem = ""
        """Why the calibration received does not apply to the last image; empty if it does."""

    @property
    def calibration(self) -> Calibration | None:
        """The newest calibration."""
        return self.calibrations.calibration

    def begin(self, rectified: bool) -> None:
        """Discard the depth images: they are of an earlier activation.

        Args:
            rectified: whether the images are rectified.
        """
        with self._changed:
            self._depths.clear()
            self.depth_received = False
            if self.calibrations.rectified != rectified:
                self.calibrations = CalibrationStore(rectified)

    def lens(self, header: Header, image_size: tuple[int, int], check_frames: bool) -> Lens:
        """Return the calibrated lens of an image, or an assumed one if none applies."""
        calibration = self.calibration
        if calibration is None or calibration.problem(header.frame_id, image_size, check_frames):
            return Lens.assumed(*image_size[::-1])
        return calibration.lens

    def calibrate(self, info: Any) -> None:
        """Use this calibration from now on."""
        with self._changed:
            self.n_received += not self.calibrations.received
            self.calibrations.update(info)
            self._changed.notify_all()

    def add_depth(self, message: Any) -> None:
        """Keep a depth image until its colour image is processed."""
        with self._changed:
            self._depths.append(message)
            self.depth_received = True
            self.n_received += 1
            self._changed.notify_all()

    def has_depth_until(self, stamp_s: float) -> bool:
        """Return whether a depth image with this stamp or a later one was received."""
        with self._changed:
            newest_first = reversed(self._depths)
            return any(_stamp_s(d) >= stamp_s - _ROUNDING_S for d in newest_first)

    def has_nearest_depth(self, stamp_s: float, slop_s: float) -> bool:
        """Return whether no depth image of this time is expected any more.

        That is so if a later one was received, or if the next one, a period after the last, will
        be farther from this time, or too far from it.
        """
        if self.has_depth_until(stamp_s):
            return True
        with self._changed:
            stamps_s = sorted({_stamp_s(depth) for depth in self._depths})[-2:]
        if len(stamps_s) < 2:
            return False
        behind_s, period_s = stamp_s - stamps_s[1], stamps_s[1] - stamps_s[0]
        return period_s - behind_s >= min(behind_s, slop_s + _JITTER * period_s)

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition holds, checked at each depth image, calibration and `notify`.

        Returns whether it holds.
        """
        with self._changed:
            return self._changed.wait_for(condition, max(0.0, timeout_s))

    def notify(self) -> None:
        """Make `wait` check its condition."""
        with self._changed:
            self._changed.notify_all()

    def context(
        self,
        header: Header,
        image_size: tuple[int, int],
        config: DepthConfig,
        wait_s: float,
        ended: Callable[[], bool] = lambda: False,
    ) -> DepthContext | None:
        """Return the 3D context of an image; None without depth or calibration.

        Args:
            header: of the colour image.
            image_size: (height, width) of the colour image, pixels.
            config: which depth images are used.
            wait_s: maximum time to wait for a transform, seconds.
            ended: whether the result will not be needed, which ends the wait.
        """
        calibration, store = self.calibration, self.calibrations
        problem = store.problem_for(header.frame_id, image_size, config.check_frames)
        self.calibration_problem = problem if store.received else ""
        if calibration is None or not self.depth_received:
            self.trouble = problem or "no depth image received yet"
            return None
        stamp_s = seconds(header.stamp)
        frame = header.frame_id or calibration.frame_id or _NO_FRAME
        rotation, translation = np.eye(3), np.zeros(3)
        depth, trouble = None, problem
        try:
            depth = self._take(stamp_s, config.slop_s)
            frame = header.frame_id or depth.header.frame_id or frame
            if config.check_frames:
                mismatch = frame_problem("depth", depth.header.frame_id, header.frame_id)
                trouble = trouble or mismatch
            if self._target is not None:
                camera_frame, frame = frame, self._target.name
                rotation, translation = self._target.lookup(
                    camera_frame, header.stamp, wait_s, ended
                )
        except (ImageError, FrameError) as error:
            trouble = trouble or str(error)
        return DepthContext(
            stamp_s, image_size, calibration, depth, config.max_m, frame, rotation, translation,
            trouble,
        )  # fmt: skip

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
        return People3D(points, velocities, context.frame, context.rotation @ self._up)

    def _lift(
        self, tracked: TrackedPoses, context: DepthContext, min_keypoint_score: float
    ) -> Points:
        """Return the positions of people in the camera's optical frame.

        Raises:
            ImageError, ValueError: the context has trouble or does not match the image.
        """
        if context.depth is None or context.trouble:
            raise ImageError(context.trouble)
        depth = depth_image(context.depth)
        if problem := unit_problem(depth_encoding(context.depth), depth, context.max_m):
            raise ImageError(problem)
        return lift(
            tracked.poses,
            depth,
            context.calibration.lens,
            image_size=context.image_size,
            skeleton=self._skeleton,
            min_keypoint_score=min_keypoint_score,
            max_depth_m=context.max_m,
            sideways=bool(self._up[0]),
        )

    def _take(self, stamp_s: float, slop_s: float) -> Any:
        """Return the depth image whose stamp is nearest, and discard the older ones.

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


def _stamp_s(message: Any) -> float:
    return seconds(message.header.stamp)


def _unknown_points(tracked: TrackedPoses) -> Points:
    n, k = tracked.poses.keypoint_scores.shape
    return Points(np.full((n, k, 3), np.nan), np.full((n, k), np.nan), np.full((n, 3), np.nan))
