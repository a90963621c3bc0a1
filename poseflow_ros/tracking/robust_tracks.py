"""The table of the `robust` association: everybody who is remembered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray, TrackState
from poseflow_ros.tracking.body_shape import BodyShape
from poseflow_ros.tracking.camera_motion import CameraMotion
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.motion import Motion
from poseflow_ros.tracking.tracks import Tracks, put, select

# Over how long scales are smoothed.
_SCALE_MEMORY_S = 0.3
# Consecutive observations at a shorter interval are not independent and count for less.
_INDEPENDENT_S = 0.09
# Appearance is the mean of so many independent observations.
_MAX_APPEARANCE_HITS = 30.0


def independence(elapsed_s: FloatArray) -> FloatArray:
    """Return (...) weights in [0, 1] of observations that follow the last after (...) seconds."""
    return np.minimum(elapsed_s / _INDEPENDENT_S, 1.0)


@dataclass(slots=True, eq=False)
class RobustTracks(Tracks):
    """M tracks, and what is needed to find the people again.

    Attributes:
        confirmed: (M,) whether it is a person; false while it may be none.
        motion: of the position, which starts in the middle of the torso.
        shape: where the keypoints are around the position.
        anchors: (M, 2) pixels, the position last measured, in the image of that time.
        moved_anchors: (M, 2) pixels, the same in the present image: the camera may have moved.
        scales: (M,) pixels, body scales, smoothed.
        existence_scores: (M,) what speaks for there being a person, summed up.
        appearances: (M, D) mean of those learned.
        appearance_hits: (M,) of how many independent observations that is the mean.
        observations: (M,) independent observations so far.
        unscanned_s: (M,) seconds since the last observation in which nobody looked for them.
        detection_index: (M,) which detection of this frame is theirs; -1 for none.
    """

    confirmed: NDArray[np.bool_]
    motion: Motion
    shape: BodyShape
    anchors: FloatArray
    moved_anchors: FloatArray
    scales: FloatArray
    existence_scores: FloatArray
    appearances: FloatArray
    appearance_hits: FloatArray
    observations: FloatArray
    unscanned_s: FloatArray
    detection_index: IntArray

    @classmethod
    def born(
        cls, detections: Detections, columns: IntArray, track_ids: list[int], stamp_s: float
    ) -> "RobustTracks":
        """Return tentative tracks that begin with these detections."""
        n, poses, anchors = len(columns), detections.poses[columns], detections.anchors[columns]
        learned = detections.isolated[columns] & detections.appearances[columns].any(axis=1)
        return cls(
            track_ids=np.array(track_ids, np.int64),
            states=np.full(n, int(TrackState.TENTATIVE)),
            poses=poses,
            first_seen_s=np.full(n, stamp_s),
            last_seen_s=np.full(n, stamp_s),
            hits=np.ones(n, np.int64),
            match_scores=np.zeros(n),
            confirmed=np.zeros(n, bool),
            motion=Motion.starting(anchors, detections.scales[columns]),
            shape=BodyShape.starting(detections.body[columns], anchors),
            anchors=anchors,
            moved_anchors=anchors.copy(),
            scales=detections.scales[columns],
            existence_scores=detections.existence_gains[columns],
            appearances=detections.appearances[columns] * learned[:, None],
            appearance_hits=learned.astype(np.float64),
            observations=np.ones(n),
            unscanned_s=np.zeros(n),
            detection_index=columns,
        )

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(M,) true for those with a detection in this frame."""
        return self.detection_index >= 0

    @property
    def has_appearance(self) -> bool:
        """Whether appearances are compared at all."""
        return bool(self.appearances.shape[1])

    def follow_camera(self, motion: CameraMotion) -> None:
        """Move all positions with the image."""
        self.motion.move(motion.linear, motion.shift)
        self.moved_anchors = self.moved_anchors @ motion.linear.T + motion.shift

    def hit(
        self,
        rows: IntArray,
        columns: IntArray,
        match_scores: FloatArray,
        detections: Detections,
        stamp_s: float,
    ) -> None:
        """Take these detections as these tracks'."""
        body, skeleton = detections.body[columns], detections.skeleton
        elapsed_s = stamp_s - self.last_seen_s[rows]
        measured = self.shape.measure(rows, body, skeleton)
        self.motion.correct(rows, measured, self.scales[rows])
        shift = self.shape.update(rows, body, measured, elapsed_s, skeleton)
        self.motion.shift(rows, shift)
        self.anchors[rows] = self.moved_anchors[rows] = measured + shift
        gains = 1 - np.exp(-elapsed_s / _SCALE_MEMORY_S)
        self.scales[rows] += gains * (detections.scales[columns] - self.scales[rows])
        put(self.poses, rows, detections.poses[columns])
        self.match_scores[rows] = match_scores
        self.last_seen_s[rows] = stamp_s
        self.unscanned_s[rows] = 0
        self.hits[rows] += 1
        self.detection_index[rows] = columns
        weights = independence(elapsed_s)
        self.observations[rows] += weights
        self._gain_existence(rows, columns, detections, weights)
        learned = detections.isolated[columns] & detections.appearances[columns].any(axis=1)
        self._learn(rows[learned], detections.appearances[columns[learned]], weights[learned])

    def _gain_existence(
        self, rows: IntArray, columns: IntArray, detections: Detections, weights: FloatArray
    ) -> None:
        # One of two detections of a person is no evidence for a second.
        taken_by = np.full(len(detections), len(self))
        taken_by[columns] = rows
        second = (detections.duplicates[columns] & (taken_by < rows[:, None])).any(axis=1)
        self.existence_scores[rows] += detections.existence_gains[columns] * weights * ~second

    def _learn(self, rows: IntArray, appearances: FloatArray, weights: FloatArray) -> None:
        hits = np.minimum(self.appearance_hits[rows] + weights, _MAX_APPEARANCE_HITS)
        gains = weights / np.maximum(hits, 1e-9)
        self.appearances[rows] += gains[:, None] * (appearances - self.appearances[rows])
        self.appearance_hits[rows] = hits

    def comparable(self, appearances: FloatArray) -> FloatArray:
        """Return (N, D) appearances to compare with those learned.

        Without dimensions they are unknown; where they have others than before, what was learned
        says nothing any more and is forgotten.
        """
        dimensions = self.appearances.shape[1]
        if not appearances.shape[1]:
            return np.zeros((len(appearances), dimensions))
        if appearances.shape[1] != dimensions:
            self.appearances = np.zeros((len(self), appearances.shape[1]))
            self.appearance_hits[:] = 0
        return appearances

    def join(self, former: int, row: int) -> None:
        """Let the person of row `former` go on as what row `row` is; the caller removes that."""
        old, new = self.appearance_hits[former], self.appearance_hits[row]
        total = self.appearances[former] * old + self.appearances[row] * new
        track_id, first_seen_s = self.track_ids[former], self.first_seen_s[former]
        hits, existence_score = self.hits[former], self.existence_scores[former]
        observations = self.observations[former]
        put(self, np.array([former]), select(self, np.array([row])))
        self.track_ids[former], self.first_seen_s[former] = track_id, first_seen_s
        self.hits[former] += hits
        self.existence_scores[former] += existence_score
        self.appearances[former] = total / max(1.0, old + new)
        self.appearance_hits[former] = min(old + new, _MAX_APPEARANCE_HITS)
        self.observations[former] += observations
        self.detection_index[row] = -1
