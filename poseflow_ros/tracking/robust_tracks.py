"""The table of tracks of the `robust` association."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray, TrackState
from poseflow_ros.tracking.body_shape import BodyShape
from poseflow_ros.tracking.camera_motion import CameraMotion
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.motion import Motion
from poseflow_ros.tracking.tracks import Tracks, put, select

# Time constant for smoothing the scales.
_SCALE_MEMORY_S = 0.3
# Observations at a shorter interval are not independent and have a lower weight.
_INDEPENDENT_S = 0.09
# The appearance is the mean of at most this many independent observations.
_MAX_APPEARANCE_HITS = 30.0


def independence(elapsed_s: FloatArray) -> FloatArray:
    """Return (...) weights in [0, 1] of observations (...) seconds after the previous ones."""
    return np.minimum(elapsed_s / _INDEPENDENT_S, 1.0)


@dataclass(slots=True, eq=False)
class RobustTracks(Tracks):
    """M tracks with the state of the `robust` association.

    Attributes:
        confirmed: (M,) true for confirmed tracks, false for tentative ones.
        motion: of the position, which starts at the centre of the torso.
        shape: offsets of the keypoints from the position.
        anchors: (M, 2) pixels, the last measured position, in the image of that time.
        moved_anchors: (M, 2) pixels, the anchors after the camera motion since then.
        scales: (M,) pixels, smoothed body scales.
        existence_scores: (M,) sum of the existence scores of the detections.
        appearances: (M, D) mean appearances.
        appearance_hits: (M,) number of independent observations in the mean appearance.
        observations: (M,) number of independent observations.
        unscanned_s: (M,) seconds since the last observation in which they were not looked for.
        detection_index: (M,) index of the detection in this frame; -1 for none.
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
        """Return tentative tracks that start with these detections."""
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
        """(M,) true for tracks with a detection in this frame."""
        return self.detection_index >= 0

    @property
    def has_appearance(self) -> bool:
        """Whether there are appearances to compare."""
        return bool(self.appearances.shape[1])

    def follow_camera(self, motion: CameraMotion) -> None:
        """Apply the camera motion to all positions."""
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
        """Update tracks with their assigned detections."""
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
        # A duplicate detection does not increase the existence score.
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
        """Return (N, D) appearances that are comparable with those of the tracks.

        If D is 0, the appearances are unknown. If D differs from before, the appearances of the
        tracks are discarded.
        """
        dimensions = self.appearances.shape[1]
        if not appearances.shape[1]:
            return np.zeros((len(appearances), dimensions))
        if appearances.shape[1] != dimensions:
            self.appearances = np.zeros((len(self), appearances.shape[1]))
            self.appearance_hits[:] = 0
        return appearances

    def join(self, former: int, row: int) -> None:
        """Continue the track in row `former` with the state of `row`, which the caller removes."""
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
