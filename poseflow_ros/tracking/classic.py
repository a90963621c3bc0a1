"""PoseFlow as published (Xiu et al., BMVC 2018, and the authors' program)."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from poseflow_ros.config import ClassicConfig
from poseflow_ros.poses import FloatArray, IntArray, Poses, TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.assignment import assign
from poseflow_ros.tracking.cues import Cues
from poseflow_ros.tracking.predictions import PREDICTED_S, Predictions
from poseflow_ros.tracking.similarity import (
    box_correspondence_iou,
    box_iou,
    pose_correspondence_iou,
    pose_iou,
)
from poseflow_ros.tracking.tracks import Tracks, append, put, select

# Weights of box correspondence IoU, box IoU, pose correspondence IoU and pose IoU. Correspondences
# exist for the previous frame only, so older observations are scored by overlap alone.
PREVIOUS_FRAME_WEIGHTS = np.array([1.0, 2.0, 1.0, 2.0])
OLDER_WEIGHTS = np.array([0.0, 1.0, 0.0, 1.0])

_BOX_GROWTH = 1.2


@dataclass(slots=True, eq=False)
class ClassicTracks(Tracks):
    """M tracks.

    Attributes:
        velocities: (M, 2) pixels per second, from the last two observations.
        last_seen_frame: (M,)
        unscanned_frames: (M,) frames since then in which nobody looked for them.
    """

    velocities: FloatArray
    last_seen_frame: IntArray
    unscanned_frames: IntArray


class ClassicAssociation:
    """Assigns poses to tracks with the maximum total `grade`.

    An unassigned pose starts a track; a track without a hit for `link_len` frames is removed.

    Attributes:
        unassigned: always empty, because each pose of a frame belongs to a track.
        merged_ids: always empty, because tracks never merge.
    """

    def __init__(self, config: ClassicConfig, skeleton: Skeleton, ids: Iterator[int]) -> None:
        self.config = config
        self._n_body = skeleton.n_body
        self._ids = ids
        self.unassigned = Poses.empty(skeleton.n_keypoints)
        self.merged_ids: dict[int, int] = {}
        self.reset()

    def reset(self) -> None:
        """Remove all tracks."""
        self._tracks: ClassicTracks | None = None
        self._frame = 0

    def predict(self, stamp_s: float) -> Predictions:
        """See PoseFlowTracker.predict."""
        if self._tracks is None:
            return Predictions.none()
        recent = stamp_s - self._tracks.last_seen_s <= PREDICTED_S
        tracks = select(self._tracks, recent)
        moved = (stamp_s - tracks.last_seen_s)[:, None] * tracks.velocities
        return Predictions(tracks.track_ids, tracks.poses.boxes + np.tile(moved, 2))

    def update(
        self, poses: Poses, cues: Cues, stamp_s: float, unscanned_ids: IntArray
    ) -> TrackedPoses:
        """See PoseFlowTracker.update; the only cue is the correspondences."""
        self._frame += 1
        if self._tracks is None:
            self._tracks = self._born(poses[:0], stamp_s)
        rows, columns, match_scores = self._associate(self._tracks, poses, cues.correspondences)
        self._hit(self._tracks, rows, poses[columns], match_scores, stamp_s)
        new = np.setdiff1d(np.arange(len(poses)), columns)
        tracks = append(self._tracks, self._born(poses[new], stamp_s))
        self._age(tracks, unscanned_ids)
        place = np.full(len(tracks), len(poses))
        place[rows], place[len(self._tracks) :] = columns, new
        snapshot = tracks.snapshot(np.lexsort([place, tracks.states]), tracks.velocities, stamp_s)
        self._tracks = select(tracks, tracks.states != TrackState.REMOVED)
        return snapshot

    def _associate(
        self, tracks: ClassicTracks, poses: Poses, correspondences: FloatArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Return P rows of tracks, P indices of poses, and their match scores."""
        if not len(tracks) or not len(poses):
            return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
        in_previous = tracks.last_seen_frame == self._frame - 1
        before, now = (all_.first_keypoints(self._n_body) for all_ in (tracks.poses, poses))
        grades, maxima = grade(before, in_previous, now, correspondences, self.config)
        rows, columns = assign(grades, self.config.match).T
        return rows, columns, (grades / maxima)[rows, columns]

    def _hit(
        self,
        tracks: ClassicTracks,
        rows: IntArray,
        poses: Poses,
        match_scores: FloatArray,
        stamp_s: float,
    ) -> None:
        dt_s = stamp_s - tracks.last_seen_s[rows]
        moved = _centres(poses.boxes) - _centres(tracks.poses.boxes[rows])
        later = dt_s > 0
        tracks.velocities[rows[later]] = moved[later] / dt_s[later, None]
        put(tracks.poses, rows, poses)
        tracks.match_scores[rows] = match_scores
        tracks.last_seen_s[rows] = stamp_s
        tracks.last_seen_frame[rows] = self._frame
        tracks.unscanned_frames[rows] = 0
        tracks.hits[rows] += 1

    def _born(self, poses: Poses, stamp_s: float) -> ClassicTracks:
        n = len(poses)
        return ClassicTracks(
            track_ids=np.array(list(itertools.islice(self._ids, n)), np.int64),
            states=np.full(n, int(TrackState.CONFIRMED), np.int64),
            poses=poses,
            first_seen_s=np.full(n, stamp_s),
            last_seen_s=np.full(n, stamp_s),
            hits=np.ones(n, np.int64),
            match_scores=np.zeros(n),
            velocities=np.zeros((n, 2)),
            last_seen_frame=np.full(n, self._frame),
            unscanned_frames=np.zeros(n, np.int64),
        )

    def _age(self, tracks: ClassicTracks, unscanned_ids: IntArray) -> None:
        unseen = tracks.last_seen_frame < self._frame
        tracks.unscanned_frames[unseen & np.isin(tracks.track_ids, unscanned_ids)] += 1
        missed = self._frame - tracks.last_seen_frame - tracks.unscanned_frames
        tracks.states[:] = TrackState.CONFIRMED
        tracks.states[missed > 0] = TrackState.LOST
        tracks.states[missed >= self.config.link_len] = TrackState.REMOVED


def grade(
    tracks: Poses,
    in_previous: np.ndarray[tuple[int], np.dtype[np.bool_]],
    poses: Poses,
    correspondences: FloatArray,
    config: ClassicConfig,
) -> tuple[FloatArray, FloatArray]:
    """Return the grade of each pair of a track and a pose.

    Args:
        tracks: the last observed poses of M tracks.
        in_previous: (M,) true for tracks observed in the previous frame.
        poses: N poses of this frame.
        correspondences: (C, 4) pixels, (x_prev, y_prev, x_now, y_now), of the previous frame and
            this one.
        config: `num` and `mag`.

    Returns:
        (M, N) grades, and (M, 1) maximum possible grades of each track.
    """
    weights = np.where(in_previous[:, None], PREVIOUS_FRAME_WEIGHTS, OLDER_WEIGHTS)
    boxes = pose_boxes(poses.keypoints)
    track_boxes = pose_boxes(tracks.keypoints)
    num, mag = config.num, config.mag
    grades = weights[:, 1:2] * box_iou(track_boxes, boxes)
    grades += weights[:, 3:4] * pose_iou(tracks.keypoints, poses.keypoints, num, mag)
    if len(correspondences) and in_previous.any():
        before = tracks.keypoints[in_previous]
        weight = PREVIOUS_FRAME_WEIGHTS
        grades[in_previous] += weight[0] * box_correspondence_iou(
            track_boxes[in_previous], boxes, correspondences
        ) + weight[2] * pose_correspondence_iou(before, poses.keypoints, correspondences, num, mag)
    return grades, weights.sum(axis=1, keepdims=True)


def pose_boxes(keypoints: FloatArray) -> FloatArray:
    """Return the (N, 4) boxes around (N, K, 2) keypoints with the authors' margin.

    The margin r on each side solves (w + r)(h + r) = 1.2 w h.
    """
    low, high = keypoints.min(axis=1), keypoints.max(axis=1)
    width, height = (high - low).T
    half = (width + height) / 2
    margin = np.sqrt(half**2 + (_BOX_GROWTH - 1) * width * height) - half
    return np.hstack([low - margin[:, None], high + margin[:, None]])


def _centres(boxes: FloatArray) -> FloatArray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2
