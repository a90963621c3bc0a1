"""The `robust` association: log-likelihood ratios of motion, pose, box and appearance."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import FloatArray, IntArray, Poses, TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.appearance_likelihood import AppearanceLikelihood
from poseflow_ros.tracking.assignment import assign
from poseflow_ros.tracking.camera_motion import CameraMotion
from poseflow_ros.tracking.common_motion import estimate_common_motion
from poseflow_ros.tracking.cues import Cues
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.likelihood import may_be_reidentified, reidentify, score_pairs
from poseflow_ros.tracking.pose_flow import FlowSuppression
from poseflow_ros.tracking.predictions import PREDICTED_S, Predictions
from poseflow_ros.tracking.robust_tracks import RobustTracks, independence
from poseflow_ros.tracking.tracks import append, select
from poseflow_ros.tracking.uncontested import uncontested_pairs

# Existence score that confirms a track, and maximum time that a tentative track is unobserved.
_EXISTENCE = 0.8
_TENTATIVE_S = 0.9
# A detection with this confidence confirms a track at once, unless its box overlaps another one.
_CERTAIN_CONFIDENCE = 0.55
_CERTAIN_MAX_IOU = 0.5
# Addition to the log-likelihood ratio of tracks observed this recently or in the previous frame:
# it is more likely that a person moved on than that one disappeared where another one appeared.
_RECENT_S = 0.3
_RECENT_BONUS = 2.5
# A track without an observation for longer than this is not paired as uncontested.
_LONGEST_JUMP_S = 1.0
# Decrease of the log-likelihood ratio per unit of confidence below `confident_pose_score`.
_WEAKNESS = 13.0
# Tracks observed within this time before the last frame are used to estimate camera motion.
_VOTER_S = 0.1

_NONE = np.zeros(0, np.int64)


class RobustAssociation:
    """Assigns detections to tracks by log-likelihood ratios.

    A confident detection without a track starts one, which is confirmed at once if the detection
    is certain, and otherwise tentative until its existence score suffices. Then it is a new
    person, or re-identified as a lost one. Flows of the same person are merged.

    Attributes:
        unassigned: the poses of the last frame that belong to no track.
        merged_ids: id of each track merged in the last frame -> id of the remaining track.
    """

    def __init__(
        self,
        config: TrackerConfig,
        skeleton: Skeleton,
        appearance: AppearanceLikelihood,
        ids: Iterator[int],
    ) -> None:
        self.config = config
        self._skeleton = skeleton
        self._appearance = appearance
        self._ids = ids
        self.reset()

    def reset(self) -> None:
        """Remove all tracks."""
        nobody = Poses.empty(self._skeleton.n_keypoints)
        nothing = Detections.of(nobody, np.zeros((0, 0)), self._skeleton)
        self._tracks = RobustTracks.born(nothing, _NONE, [], 0.0)
        self._flows = FlowSuppression()
        self._stamp_s = self._dt_s = 0.0
        self._camera_velocity = np.zeros(2)
        self.unassigned = nobody
        self.merged_ids: dict[int, int] = {}

    def predict(self, stamp_s: float) -> Predictions:
        """See PoseFlowTracker.predict."""
        tracks, dt_s = self._tracks, max(0.0, stamp_s - self._stamp_s)
        recent = stamp_s - tracks.last_seen_s - tracks.unscanned_s <= PREDICTED_S
        positions = tracks.motion.positions + dt_s * tracks.motion.velocities
        moved = (positions - tracks.anchors)[recent]
        boxes = tracks.poses.boxes[recent] + np.tile(moved, 2)
        return Predictions(tracks.track_ids[recent], boxes)

    def update(
        self, poses: Poses, cues: Cues, stamp_s: float, unscanned_ids: IntArray
    ) -> TrackedPoses:
        """See PoseFlowTracker.update."""
        appearances = self._tracks.comparable(cues.appearances)
        detections = Detections.of(poses, appearances, self._skeleton)
        self.merged_ids = {}
        self._predict(detections, cues.camera_motion, stamp_s)
        rows, columns, similarity = self._associate(detections)
        self._tracks.hit(rows, columns, similarity, detections, self._stamp_s)
        self._suppress(detections)
        self._give_birth(detections)
        self._confirm(detections)
        self._update_states(np.isin(self._tracks.track_ids, unscanned_ids))
        return self._snapshot()

    def _predict(
        self, detections: Detections, camera: CameraMotion | None, stamp_s: float
    ) -> None:
        tracks, dt_s = self._tracks, max(0.0, stamp_s - self._stamp_s)
        self._stamp_s, self._dt_s = stamp_s, dt_s
        if camera is not None:
            tracks.follow_camera(camera)
        tracks.motion.predict(dt_s, tracks.scales, tracks.observed)
        if camera is None:
            self._follow_common_motion(detections, dt_s)
        tracks.detection_index[:] = -1

    def _follow_common_motion(self, detections: Detections, dt_s: float) -> None:
        """Estimate the camera motion from people if it is not known from images."""
        tracks = self._tracks
        voters = tracks.confirmed & (self._stamp_s - tracks.last_seen_s < dt_s + _VOTER_S)
        positions = tracks.motion.positions[voters]
        common = estimate_common_motion(
            positions,
            tracks.scales[voters],
            detections.anchors,
            detections.scales,
            self._camera_velocity * dt_s,
        )
        self._camera_velocity = np.zeros(2)
        if common is None:
            return
        tracks.follow_camera(common)
        if dt_s > 0:
            center = positions.mean(axis=0)
            moved: FloatArray = common.linear @ center + common.shift
            self._camera_velocity = (moved - center) / dt_s

    def _associate(self, detections: Detections) -> tuple[IntArray, IntArray, FloatArray]:
        """Return P rows of tracks, their detections and the similarities.

        First confident detections and weak detections that are no duplicates are assigned, then
        the remaining weak detections, then confident detections to recently observed tracks with
        a lower threshold, and finally uncontested pairs.
        """
        tracks = self._tracks
        ratios, similarity = score_pairs(tracks, detections, self._stamp_s, self._appearance)
        threshold = self.config.confident_pose_score
        confident = detections.confidences >= threshold
        weakness = _WEAKNESS * np.maximum(threshold - detections.confidences, 0.0)
        separate = ~confident & ~(detections.duplicates & confident).any(axis=1)
        recent = self._stamp_s - tracks.last_seen_s <= max(_RECENT_S, self._dt_s)
        recent &= tracks.confirmed
        rounds = (
            (confident | (tracks.confirmed[:, None] & separate), ratios - weakness),
            (tracks.confirmed[:, None] & ~confident, ratios),
            (recent[:, None] & confident, ratios + _RECENT_BONUS),
        )
        pairs = np.zeros((0, 2), np.int64)
        for eligible, scores in rounds:
            if len(pairs) == min(ratios.shape):
                break
            eligible[pairs[:, 0]] = False
            eligible[:, pairs[:, 1]] = False
            found = assign(np.where(eligible, scores, -np.inf), 0.0)
            pairs = np.concatenate([pairs, found])
        recent &= self._stamp_s - tracks.last_seen_s <= _LONGEST_JUMP_S
        found = uncontested_pairs(tracks, recent, detections, confident, pairs, self._appearance)
        rows, columns = np.concatenate([pairs, found]).T
        return rows, columns, similarity[rows, columns]

    def _suppress(self, detections: Detections) -> None:
        """Merge tracks of the same person."""
        tracks = self._tracks
        seen = np.flatnonzero(tracks.observed)
        columns = tracks.detection_index[seen]
        same = self._flows.update(
            tracks.track_ids[seen],
            tracks.observations[seen],
            float(independence(np.array(self._dt_s))),
            detections.coincident[np.ix_(columns, columns)],
            tracks.track_ids,
        )
        for longer, shorter in same:
            kept, gone = seen[longer], seen[shorter]
            if tracks.confirmed[gone] and not tracks.confirmed[kept]:
                kept, gone = gone, kept  # a confirmed track outlasts a tentative one
            self.merged_ids[int(tracks.track_ids[gone])] = int(tracks.track_ids[kept])
            tracks.states[gone] = TrackState.REMOVED
            tracks.detection_index[gone] = -1

    def _give_birth(self, detections: Detections) -> None:
        """Start a track for each confident, unassigned detection that is no duplicate."""
        tracks = self._tracks
        taken = np.zeros(len(detections), bool)
        taken[tracks.detection_index[tracks.observed]] = True
        free = ~taken & (detections.confidences >= self.config.confident_pose_score)
        born = []
        for column in np.argsort(-detections.confidences, kind="stable"):
            if free[column] and not (detections.duplicates[column] & taken).any():
                taken[column] = True
                born.append(column)
        self.unassigned = detections.poses[~taken]
        if born:
            track_ids = list(itertools.islice(self._ids, len(born)))
            columns = np.sort(np.array(born))
            newborn = RobustTracks.born(detections, columns, track_ids, self._stamp_s)
            self._tracks = append(tracks, newborn)

    def _confirm(self, detections: Detections) -> None:
        """Confirm tentative tracks or re-identify them as lost tracks."""
        tracks = self._tracks
        enough, certain = tracks.existence_scores >= _EXISTENCE, self._certain(detections)
        candidates = (enough | certain) & tracks.observed & ~tracks.confirmed
        for row in np.flatnonzero(candidates).tolist():
            if not enough[row] and may_be_reidentified(tracks, row, self._appearance):
                continue  # more observations can re-identify it
            former = reidentify(tracks, row, self._appearance)
            if former >= 0:
                tracks.join(former, row)
                self.merged_ids[int(tracks.track_ids[row])] = int(tracks.track_ids[former])
                tracks.states[row] = TrackState.REMOVED
            tracks.confirmed[row if former < 0 else former] = True

    def _certain(self, detections: Detections) -> NDArray[np.bool_]:
        """Return (M,), whether the present detection alone confirms a track."""
        certain = detections.confidences >= _CERTAIN_CONFIDENCE
        certain &= detections.overlaps.max(axis=1, initial=0.0) < _CERTAIN_MAX_IOU
        return np.append(certain, False)[self._tracks.detection_index]

    def _update_states(self, unscanned: NDArray[np.bool_]) -> None:
        tracks = self._tracks
        unscanned &= ~tracks.observed
        tracks.unscanned_s[unscanned] += self._dt_s
        unseen_s = self._stamp_s - tracks.last_seen_s - tracks.unscanned_s
        memory_s = np.where(tracks.confirmed, self.config.max_lost_s, _TENTATIVE_S)
        gone = (tracks.states == TrackState.REMOVED) | (unseen_s > memory_s)
        states = np.where(tracks.confirmed, TrackState.CONFIRMED, TrackState.TENTATIVE)
        states[~tracks.observed] = TrackState.LOST
        tracks.states[~unscanned] = states[~unscanned]
        tracks.states[gone] = TrackState.REMOVED

    def _snapshot(self) -> TrackedPoses:
        """Return observed tracks in the order of their poses, then lost, then removed ones."""
        tracks = self._tracks
        removed = tracks.states == TrackState.REMOVED
        order = np.lexsort([tracks.detection_index, removed, ~tracks.observed])
        order = order[(tracks.confirmed | tracks.observed)[order]]
        snapshot = tracks.snapshot(order, tracks.motion.velocities, self._stamp_s)
        if removed.any():
            self._tracks = select(tracks, ~removed)
        return snapshot
