"""The data of one frame: detected poses, and tracked poses with identities."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""


class TrackState(IntEnum):
    """Equal to the STATE_ constants of poseflow_msgs/TrackedPose."""

    TENTATIVE = 0
    CONFIRMED = 1
    LOST = 2
    REMOVED = 3


def _as_shape(name: str, array: object, shape: tuple[int | None, ...]) -> FloatArray:
    """Return `array` as float64; raise ValueError unless its shape fits (None: any length)."""
    values = np.asarray(array, dtype=np.float64)
    if values.shape == shape:  # the usual case, and much faster
        return values
    fits = len(values.shape) == len(shape) and all(
        want in (None, have) for want, have in zip(shape, values.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have the shape ({wanted}), got {values.shape}")
    return values


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """N people with K keypoints each, found in one image.

    Attributes:
        keypoints: (N, K, 2) pixels (x, y); the centre of the first pixel is (0, 0).
        keypoint_scores: (N, K) in [0, 1].
        boxes: (N, 4) pixels (x1, y1, x2, y2).
        scores: (N,) in [0, 1], confidence of the estimator in the person.

    Raises:
        ValueError: the arrays' shapes do not fit each other.
    """

    keypoints: FloatArray
    keypoint_scores: FloatArray
    boxes: FloatArray
    scores: FloatArray

    def __post_init__(self) -> None:
        keypoints = _as_shape("keypoints", self.keypoints, (None, None, 2))
        n, k, _ = keypoints.shape
        object.__setattr__(self, "keypoints", keypoints)
        for name, shape in (("keypoint_scores", (n, k)), ("boxes", (n, 4)), ("scores", (n,))):
            object.__setattr__(self, name, _as_shape(name, getattr(self, name), shape))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: NDArray[np.bool_] | IntArray | slice) -> "Poses":
        """Return the people that `index` selects, as NumPy selects rows."""
        return Poses(
            self.keypoints[index],
            self.keypoint_scores[index],
            self.boxes[index],
            self.scores[index],
        )

    @property
    def heights(self) -> FloatArray:
        """(N,) pixels, of the boxes."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    def first_keypoints(self, n_keypoints: int) -> "Poses":
        """Return the poses with only their first keypoints; self if they have no more."""
        if n_keypoints == self.keypoint_scores.shape[1]:
            return self
        return Poses(
            self.keypoints[:, :n_keypoints],
            self.keypoint_scores[:, :n_keypoints],
            self.boxes,
            self.scores,
        )

    @classmethod
    def joined(cls, parts: Sequence["Poses"]) -> "Poses":
        """Return the people of all parts; there must be at least one part."""
        return cls(
            np.concatenate([part.keypoints for part in parts]),
            np.concatenate([part.keypoint_scores for part in parts]),
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    @classmethod
    def empty(cls, n_keypoints: int) -> "Poses":
        """Return zero poses."""
        k = n_keypoints
        return cls(np.zeros((0, k, 2)), np.zeros((0, k)), np.zeros((0, 4)), np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class TrackedPoses:
    """N tracks after one frame: the observed ones, then the lost, then the removed.

    Only confirmed tracks become lost or removed. A tentative track appears only in frames in
    which it is observed.

    Attributes:
        poses: the last observed pose of each track.
        track_ids: (N,) from 1, never reused.
        states: (N,) TrackState.
        match_scores: (N,) in [0, 1], similarity of pose and track; 0 at birth.
        ages_s: (N,) seconds since the first observation.
        time_since_update_s: (N,) seconds since the last observation; 0 if observed now.
        hits: (N,) number of frames in which the track was observed.
        velocities: (N, 2) pixels per second; the motion of the camera, if known, is subtracted.
    """

    poses: Poses
    track_ids: IntArray
    states: IntArray
    match_scores: FloatArray
    ages_s: FloatArray
    time_since_update_s: FloatArray
    hits: IntArray
    velocities: FloatArray

    def __len__(self) -> int:
        return len(self.track_ids)

    def __getitem__(self, index: NDArray[np.bool_] | IntArray | slice) -> "TrackedPoses":
        """Return the tracks that `index` selects, as NumPy selects rows."""
        return TrackedPoses(*(getattr(self, name)[index] for name in self.__slots__))

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(N,) true for confirmed tracks observed in this frame."""
        return self.states == TrackState.CONFIRMED
