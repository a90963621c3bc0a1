"""The tracked people of one image, from a message or from the tracker."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray, TrackedPoses, TrackState

# Comparing an array with a plain number is much faster than with an IntEnum.
_TENTATIVE, _CONFIRMED, _REMOVED = (
    int(state) for state in (TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.REMOVED)
)

UP_OPTICAL = np.array([0.0, -1.0, 0.0])
"""In the optical frame of a camera that is held level (REP 103: y points down)."""
UP_BODY = np.array([0.0, 0.0, 1.0])
"""In a frame of the robot or the world (REP 103: z points up)."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseFrame:
    """N tracks after one image of one camera.

    Attributes:
        camera: name of the camera; empty for a single camera without a name.
        epoch: track ids of different epochs are unrelated.
        stamp_s: of the image, seconds.
        sequence: number of the image; it starts again where the publisher was started again.
        image_size: (height, width) of the image, pixels.
        track_ids: (N,) each once.
        states: (N,) TrackState.
        keypoints: (N, K, 2) pixels (x, y).
        scores: (N, K) of the keypoints, in [0, 1].
        points: (N, K, 3) metres; NaN where unknown.
        positions: (N, 3) metres, of the people; NaN where unknown.
        velocities: (N, 3) metres a second; NaN where unknown.
        up: (3,) unit vector, upwards in the frame of the 3D values.

    Raises:
        ValueError: a track id occurs twice, or a 2D keypoint is not finite.
    """

    camera: str
    epoch: int
    stamp_s: float
    sequence: int
    image_size: tuple[int, int]
    track_ids: IntArray
    states: IntArray
    keypoints: FloatArray
    scores: FloatArray
    points: FloatArray
    positions: FloatArray
    velocities: FloatArray
    up: FloatArray

    def __post_init__(self) -> None:
        ids = self.track_ids.tolist()
        if len(set(ids)) < len(ids):
            raise ValueError(f"track_ids must be different, got {ids}")
        if not np.isfinite(self.keypoints).all() or not np.isfinite(self.scores).all():
            raise ValueError(f"keypoints of the image at {self.stamp_s} s are not finite")

    def __len__(self) -> int:
        return len(self.track_ids)

    def __getitem__(self, index: NDArray[np.bool_] | IntArray) -> "PoseFrame":
        """Return the frame with the tracks that `index` selects, as NumPy selects rows."""
        names = ("track_ids", "states", "keypoints", "scores", "points", "positions", "velocities")
        return replace(self, **{name: getattr(self, name)[index] for name in names})

    @property
    def n_keypoints(self) -> int:
        """K; 0 where there are no people, whose number of keypoints is unknown."""
        return self.scores.shape[1] if len(self) else 0

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(N,) true for the people seen in this image.

        The pose of a lost track is the last one seen: it is not an observation.
        """
        return (self.states == _CONFIRMED) | (self.states == _TENTATIVE)

    @property
    def removed(self) -> NDArray[np.bool_]:
        """(N,) true for the tracks that ended."""
        return self.states == _REMOVED

    def follows(self, previous: "PoseFrame") -> bool:
        """Return whether the frame continues the tracks of a previous frame of its camera.

        It does not where epoch, image size or skeleton differ, or stamp or sequence go back.
        """
        sizes = {self.n_keypoints, previous.n_keypoints} - {0}
        return (
            (self.epoch, self.image_size) == (previous.epoch, previous.image_size)
            and self.stamp_s >= previous.stamp_s
            and self.sequence >= previous.sequence
            and len(sizes) < 2
        )

    @classmethod
    def from_message(cls, message: Any) -> "PoseFrame":
        """Return the people of a poseflow_msgs/TrackedPoseArray, or any object with its fields.

        Raises:
            ValueError: the people have different numbers of keypoints, or as the class says.
        """
        people, stamp = message.poses, message.header.stamp
        optical = message.frame_3d in ("", message.header.frame_id)
        keypoints = _rows([[(k.x, k.y, k.score) for k in p.keypoints] for p in people])
        return cls(
            camera=message.camera,
            epoch=message.epoch,
            stamp_s=stamp.sec + 1e-9 * stamp.nanosec,
            sequence=message.sequence,
            image_size=(message.image_height, message.image_width),
            track_ids=np.array([p.track_id for p in people], np.int64),
            states=np.array([p.state for p in people], np.int64),
            keypoints=keypoints[..., :2],
            scores=keypoints[..., 2],
            points=_points(people, keypoints.shape[1]),
            positions=_vectors([p.position for p in people]),
            velocities=_vectors([p.velocity_3d for p in people]),
            up=UP_OPTICAL if optical else UP_BODY,
        )

    @classmethod
    def from_tracked(
        cls,
        tracked: TrackedPoses,
        stamp_s: float,
        image_size: tuple[int, int],
        *,
        camera: str = "",
        epoch: int = 0,
        points: FloatArray | None = None,
        positions: FloatArray | None = None,
        velocities: FloatArray | None = None,
        up: FloatArray = UP_OPTICAL,
    ) -> "PoseFrame":
        """Return the people of the tracker; the 3D values where there is depth."""
        poses = tracked.poses
        n, k = poses.keypoint_scores.shape
        return cls(
            camera=camera,
            epoch=epoch,
            stamp_s=stamp_s,
            sequence=0,
            image_size=image_size,
            track_ids=tracked.track_ids,
            states=tracked.states,
            keypoints=poses.keypoints,
            scores=poses.keypoint_scores,
            points=_known(points, (n, k, 3)),
            positions=_known(positions, (n, 3)),
            velocities=_known(velocities, (n, 3)),
            up=up,
        )


def _rows(rows: Sequence[Sequence[tuple[float, float, float]]]) -> FloatArray:
    """Return (N, K, 3) of N rows of K triples."""
    n_keypoints = {len(row) for row in rows}
    if len(n_keypoints) > 1:
        raise ValueError(f"people must have equal numbers of keypoints, got {sorted(n_keypoints)}")
    return np.array(rows, float).reshape(len(rows), n_keypoints.pop() if rows else 0, 3)


def _points(people: Sequence[Any], n_keypoints: int) -> FloatArray:
    """Return (N, K, 3) the 3D keypoints, NaN for the people who have none."""
    points = np.full((len(people), n_keypoints, 3), np.nan)
    for row, person in zip(points, people, strict=True):
        if len(person.keypoints_3d):
            row[:] = [(k.point.x, k.point.y, k.point.z) for k in person.keypoints_3d]
    return points


def _vectors(vectors: Sequence[Any]) -> FloatArray:
    """Return (N, 3) of N geometry messages with x, y and z."""
    return np.array([(v.x, v.y, v.z) for v in vectors], float).reshape(-1, 3)


def _known(values: FloatArray | None, shape: tuple[int, ...]) -> FloatArray:
    """Return the values, NaN where there are none."""
    return np.full(shape, np.nan) if values is None else values
