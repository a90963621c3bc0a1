"""The transforms in a bag, interpolated as TF does."""

from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from poseflow_ros.imaging.bag_files import BagFiles, deserializer
from poseflow_ros.poses import FloatArray
from poseflow_ros.ros_data.frames import FrameError
from poseflow_ros.ros_data.header import Stamp

_TOPICS = ("/tf", "/tf_static")
_TYPE = "tf2_msgs/msg/TFMessage"

Transform = tuple[FloatArray, FloatArray]
"""R (3, 3) and t (3,) in metres of R p + t, from a frame to its parent."""


class BagFrames:
    """Looks up transforms from a camera's frame to the target frame."""

    def __init__(self, files: BagFiles, name: str) -> None:
        """Read all transforms of a bag.

        Args:
            files: of the bag.
            name: of the target frame; empty: nothing is read.
        """
        self.name = name
        self._parents: dict[str, _Edge] = {}
        for topic in _TOPICS:
            if name and files.topics.get(topic) == _TYPE:
                self._read(files, topic)
        for edge in self._parents.values():
            edge.sort()

    def lookup(
        self,
        frame_id: str,
        stamp: Stamp,
        timeout_s: float = 0.0,
        ended: Callable[[], bool] = lambda: False,
    ) -> Transform:
        """Return the transform to the target frame; see `TargetFrame`."""
        del timeout_s, ended
        at = f"no transform from {frame_id!r} to {self.name!r} at {stamp.sec}.{stamp.nanosec:09d}"
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec
        sources, targets = self._chain(frame_id), self._chain(self.name)
        common = next((frame for frame in sources if frame in targets), None)
        if common is None:
            raise FrameError(f"{at}: the bag does not connect them")
        try:
            source = self._to_ancestor(sources[: sources.index(common)], stamp_ns)
            target = self._to_ancestor(targets[: targets.index(common)], stamp_ns)
        except FrameError as error:
            raise FrameError(f"{at}: {error}") from error
        back = target[0].T
        return back @ source[0], back @ (source[1] - target[1])

    def _read(self, files: BagFiles, topic: str) -> None:
        deserialize = deserializer(_TYPE)
        with suppress(Exception):  # a defect, which the images report
            for _, data in files.messages(topic):
                for transform in deserialize(data).transforms:
                    child = transform.child_frame_id.lstrip("/")
                    parent = transform.header.frame_id.lstrip("/")
                    edge = self._parents.get(child)
                    if edge is None or edge.parent != parent:
                        edge = self._parents[child] = _Edge(parent, topic == "/tf_static")
                    edge.add(transform)

    def _chain(self, frame: str) -> list[str]:
        """Return a frame and its ancestors."""
        chain = [frame]
        while (edge := self._parents.get(chain[-1])) and edge.parent not in chain:
            chain.append(edge.parent)
        return chain

    def _to_ancestor(self, frames: list[str], stamp_ns: int) -> Transform:
        """Return the transform from the first of these frames to the parent of the last."""
        rotation, translation = np.eye(3), np.zeros(3)
        for frame in frames:
            turn, shift = self._parents[frame].at(stamp_ns)
            rotation, translation = turn @ rotation, turn @ translation + shift
        return rotation, translation


class _Edge:
    """The transforms from a frame to its parent."""

    def __init__(self, parent: str, is_static: bool) -> None:
        self.parent = parent
        self._is_static = is_static
        self._rows: dict[int, tuple[float, ...]] = {}
        self._stamps_ns: list[int] = []

    def add(self, transform: Any) -> None:
        stamp, turn = transform.header.stamp, transform.transform.rotation
        shift = transform.transform.translation
        row = (turn.x, turn.y, turn.z, turn.w, shift.x, shift.y, shift.z)
        self._rows[stamp.sec * 10**9 + stamp.nanosec] = row

    def sort(self) -> None:
        self._stamps_ns = sorted(self._rows)

    def at(self, stamp_ns: int) -> Transform:
        """Return the transform at a time.

        Raises:
            FrameError: the time is before the first transform or after the last.
        """
        stamps_ns = self._stamps_ns
        if self._is_static or stamp_ns == 0:
            return _transform(self._rows[stamps_ns[-1]])
        if not stamps_ns[0] <= stamp_ns <= stamps_ns[-1]:
            first_s, last_s = 1e-9 * stamps_ns[0], 1e-9 * stamps_ns[-1]
            raise FrameError(f"those to {self.parent!r} are from {first_s:.3f} to {last_s:.3f} s")
        after = bisect_left(stamps_ns, stamp_ns)
        if stamps_ns[after] == stamp_ns:
            return _transform(self._rows[stamp_ns])
        start_ns, end_ns = stamps_ns[after - 1], stamps_ns[after]
        rows = np.array([self._rows[start_ns], self._rows[end_ns]])
        share = (stamp_ns - start_ns) / (end_ns - start_ns)
        rotation = Slerp([0, 1], Rotation.from_quat(rows[:, :4]))(share).as_matrix()
        return rotation, rows[0, 4:] + share * (rows[1, 4:] - rows[0, 4:])


def _transform(row: tuple[float, ...]) -> Transform:
    return Rotation.from_quat(row[:4]).as_matrix(), np.array(row[4:])
