"""TF transforms from a camera's frame to the frame of the 3D positions."""

import threading
import time
from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time as Stamp
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation

from poseflow_ros.poses import FloatArray
from poseflow_ros.ros_data.frames import FrameError

_LOOKUP_PERIOD_S = 0.005
# Default cache time of TF, which rejects transforms older than this relative to the newest one.
_KEPT_NS = 10_000_000_000


class TfFrame:
    """Looks up transforms from a camera's frame to `target_frame` at the stamp of an image.

    The node's executor receives TF's messages; lookups are made by one thread per camera.
    """

    def __init__(self, node: Node, target_frame: str) -> None:
        """Subscribe to TF.

        Raises:
            FrameError: tf2_ros cannot be imported.
        """
        try:
            from tf2_ros import Buffer, TransformListener
        except ImportError as error:
            raise FrameError(
                f"depth.target_frame is {target_frame!r}, which needs tf2_ros ({error})"
            ) from error
        self.name = target_frame
        # Passing the node would create a service that is never destroyed.
        self._buffer = Buffer()
        self._listener: TransformListener | None = TransformListener(self._buffer, node)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._newest_ns: dict[str, int] = {}

    def lookup(
        self,
        frame_id: str,
        stamp: Stamp,
        timeout_s: float,
        ended: Callable[[], bool] = lambda: False,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the transform R p + t from `frame_id` to the target frame.

        Args:
            frame_id: of the points.
            stamp: when; zero means the latest transform.
            timeout_s: how long to wait, by the wall clock, where the frames are connected but
                not yet at this stamp. Frames that are not connected fail at once.
            ended: whether the result will not be needed, which ends the wait.

        Returns:
            The rotation R (3, 3) and the translation t (3,) in metres.

        Raises:
            FrameError: there is no transform, or the wait was ended.
        """
        from tf2_ros import TransformException

        if frame_id == self.name:
            return np.eye(3), np.zeros(3)
        try:
            found = self._find(frame_id, Time.from_msg(stamp), timeout_s, ended).transform
        except (TransformException, ValueError) as error:  # ValueError: a stamp below zero
            raise FrameError(
                f"no transform from {frame_id!r} to {self.name!r} at "
                f"{stamp.sec}.{stamp.nanosec:09d}: {' '.join(str(error).split())}"
            ) from error
        turn, shift = found.rotation, found.translation
        rotation = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
        return rotation, np.array([shift.x, shift.y, shift.z])

    def destroy(self) -> None:
        """Unsubscribe; a waiting lookup fails."""
        self._ended.set()
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None

    def _find(
        self, frame_id: str, when: Time, timeout_s: float, ended: Callable[[], bool]
    ) -> TransformStamped:
        from tf2_ros import ExtrapolationException

        self._clear_if_time_went_back(frame_id, when.nanoseconds)
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                return self._buffer.lookup_transform(self.name, frame_id, when)
            except ExtrapolationException:
                late = time.monotonic() >= deadline_s
                if late or ended() or self._ended.wait(_LOOKUP_PERIOD_S):
                    raise

    def _clear_if_time_went_back(self, frame_id: str, stamp_ns: int) -> None:
        """Clear the buffer when a bag starts again; TF would refuse the older transforms."""
        with self._lock:
            newest_ns = self._newest_ns.get(frame_id, 0)
            if 0 < stamp_ns < newest_ns - _KEPT_NS:
                self._buffer.clear()
                self._newest_ns = {frame_id: stamp_ns}
            else:
                self._newest_ns[frame_id] = max(newest_ns, stamp_ns)


def make_target_frame(node: Node, name: str) -> TfFrame | None:
    """Return the target frame; None for the camera's optical frame or if tf2_ros is missing."""
    if not name:
        return None
    try:
        return TfFrame(node, name)
    except FrameError as error:
        text = f"{error}: 3D positions are published in their camera's optical frame"
        node.get_logger().warning(text)
        return None
