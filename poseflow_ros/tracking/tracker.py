"""Poses of one frame after another become people with an identity."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import FloatArray, IntArray, Poses, TrackedPoses, TrackState
from poseflow_ros.tracking.assignment import assign
from poseflow_ros.tracking.classic import grade


@dataclass(slots=True)
class Track:
    """One person over time, as last seen."""

    track_id: int
    pose: Poses  # of one person
    first_seen_s: float
    last_seen_s: float
    last_seen_frame: int
    hits: int = 1
    match_score: float = 0.0
    velocity: tuple[float, float] = (0.0, 0.0)
    state: TrackState = TrackState.CONFIRMED

    def hit(self, pose: Poses, match_score: float, stamp_s: float, frame: int) -> None:
        """Take the pose as this person's."""
        dt_s = stamp_s - self.last_seen_s
        if dt_s > 0:
            moved = _centre(pose.boxes[0]) - _centre(self.pose.boxes[0])
            self.velocity = (moved[0] / dt_s, moved[1] / dt_s)
        self.pose, self.match_score = pose, match_score
        self.last_seen_s, self.last_seen_frame = stamp_s, frame
        self.hits += 1
        self.state = TrackState.CONFIRMED


class PoseFlowTracker:
    """Tells people apart over time.

    The `classic` association gives the poses of a frame to the remembered tracks by the grade of
    `tracking.classic`, best total first; a pose that continues nobody is somebody new, and
    somebody not seen for `link_len` frames is forgotten.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._next_id = itertools.count(1)  # outlives reset(): an id is never reused
        self.reset()

    def reset(self) -> None:
        """Forget everybody. The people seen next get ids that nobody had before."""
        self._tracks: list[Track] = []
        self._frame = 0

    def update(self, poses: Poses, matches: FloatArray, stamp_s: float) -> TrackedPoses:
        """Return who is who in one frame.

        Args:
            poses: the people found in it; those that are not finite or score below
                `min_pose_score` are passed over.
            matches: (C, 4) pixels, (x_prev, y_prev, x_now, y_now), as `CorrespondenceMatcher`
                returns them.
            stamp_s: seconds, not before the last frame's.

        Returns:
            The people seen in the order of `poses`, then the lost, then those removed now.
        """
        self._frame += 1
        poses = poses[_usable(poses) & (poses.scores >= self._config.min_pose_score)]
        pairs, match_scores = self._associate(poses, matches)
        seen = self._continue_or_create(poses, pairs, match_scores, stamp_s)
        lost, removed = self._age()
        self._tracks = [track for track in self._tracks if track.state != TrackState.REMOVED]
        return _snapshot([*seen, *lost, *removed], stamp_s, poses.keypoints.shape[1])

    def _associate(self, poses: Poses, matches: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return (P, 2) pairs (track, pose) and their (P,) match scores."""
        if not self._tracks or not len(poses):
            return np.zeros((0, 2), int), np.zeros(0)
        in_previous = np.array([t.last_seen_frame == self._frame - 1 for t in self._tracks])
        grades, maxima = grade(_stack(self._tracks), in_previous, poses, matches, self._config)
        pairs = assign(grades, self._config.match)
        return pairs, (grades / maxima)[pairs[:, 0], pairs[:, 1]]

    def _continue_or_create(
        self, poses: Poses, pairs: IntArray, match_scores: FloatArray, stamp_s: float
    ) -> list[Track]:
        """Return the track of every pose: the one it continues, or a new one."""
        continued = {
            int(column): (self._tracks[row], float(score))
            for (row, column), score in zip(pairs, match_scores, strict=True)
        }
        seen = []
        for i in range(len(poses)):
            pose = poses[i : i + 1]
            if i in continued:
                track, match_score = continued[i]
                track.hit(pose, match_score, stamp_s, self._frame)
            else:
                track = Track(next(self._next_id), pose, stamp_s, stamp_s, self._frame)
                self._tracks.append(track)
            seen.append(track)
        return seen

    def _age(self) -> tuple[list[Track], list[Track]]:
        """Mark who was not seen; return the lost and those forgotten now."""
        missed = [track for track in self._tracks if track.last_seen_frame != self._frame]
        for track in missed:
            forgotten = self._frame - track.last_seen_frame >= self._config.link_len
            track.state = TrackState.REMOVED if forgotten else TrackState.LOST
        lost = [track for track in missed if track.state == TrackState.LOST]
        return lost, [track for track in missed if track.state == TrackState.REMOVED]


def _usable(poses: Poses) -> NDArray[np.bool_]:
    """Return (N,), true where every number is finite and the box has an area."""
    usable = np.isfinite(poses.scores) & np.isfinite(poses.keypoint_scores).all(axis=1)
    usable &= np.isfinite(poses.keypoints).all(axis=(1, 2)) & np.isfinite(poses.boxes).all(axis=1)
    usable &= (poses.boxes[:, 2:] > poses.boxes[:, :2]).all(axis=1)
    return usable


def _centre(box: FloatArray) -> FloatArray:
    return (box[:2] + box[2:]) / 2


def _stack(tracks: list[Track]) -> Poses:
    return Poses(
        np.concatenate([track.pose.keypoints for track in tracks]),
        np.concatenate([track.pose.keypoint_scores for track in tracks]),
        np.concatenate([track.pose.boxes for track in tracks]),
        np.concatenate([track.pose.scores for track in tracks]),
    )


def _snapshot(tracks: list[Track], stamp_s: float, n_keypoints: int) -> TrackedPoses:
    last_seen_s = np.array([track.last_seen_s for track in tracks], float)
    first_seen_s = np.array([track.first_seen_s for track in tracks], float)
    return TrackedPoses(
        poses=_stack(tracks) if tracks else Poses.empty(n_keypoints),
        track_ids=np.array([track.track_id for track in tracks], np.int64),
        states=np.array([track.state for track in tracks], np.int64),
        match_scores=np.array([track.match_score for track in tracks], float),
        ages_s=stamp_s - first_seen_s,
        time_since_update_s=stamp_s - last_seen_s,
        hits=np.array([track.hits for track in tracks], np.int64),
        velocities=np.array([track.velocity for track in tracks], float).reshape(-1, 2),
    )
