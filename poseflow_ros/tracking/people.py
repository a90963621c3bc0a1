"""The tables of the `robust` association: who is remembered, and what one frame shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray, Poses, TrackState
from poseflow_ros.skeleton import COCO_17
from poseflow_ros.tracking.motion import Motion
from poseflow_ros.tracking.pose_flow import SAME_PERSON, SIGMAS, pose_distances
from poseflow_ros.tracking.similarity import box_iou, oks, oks_variances
from poseflow_ros.tracking.tracks import Tracks, put, select

# A pose is evidence for a person by how far its confidence exceeds this.
_DOUBT = 0.25

_TORSO = list(COCO_17.torso)
# Over how long heights are smoothed.
_HEIGHT_S = 0.3
# Appearance is learned where boxes overlap less than this, and is the mean of so many sights.
_ALONE_IOU = 0.2
_MAX_APPEARANCE_HITS = 30
# Poses of one frame more alike than this are one person found twice.
_DUPLICATE = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """N poses of one frame, and what association asks of them.

    Attributes:
        poses: the poses.
        anchors: (N, 2) pixels, the torso's middle.
        heights: (N,) pixels.
        confidences: (N,) in [0, 1].
        appearances: (N, D) unit vectors, 0 where unknown.
        overlaps: (N, N) IoU of the boxes, 0 with itself.
        duplicates: (N, N) whether two are likely one person.
    """

    poses: Poses
    anchors: FloatArray
    heights: FloatArray
    confidences: FloatArray
    appearances: FloatArray
    overlaps: FloatArray
    duplicates: NDArray[np.bool_]

    @classmethod
    def of(cls, poses: Poses, appearances: FloatArray) -> "Sight":
        """Return what these N poses with (N, D) appearances are."""
        weights = poses.keypoint_scores[:, _TORSO] + 1e-3
        anchors = (weights[..., None] * poses.keypoints[:, _TORSO]).sum(axis=1)
        heights = poses.heights
        overlaps = box_iou(poses.boxes, poses.boxes)
        np.fill_diagonal(overlaps, 0.0)
        return cls(
            poses,
            anchors / weights.sum(axis=1, keepdims=True),
            heights,
            poses.confidences,
            appearances,
            overlaps,
            _duplicates(poses, heights, overlaps),
        )

    @property
    def evidence(self) -> FloatArray:
        """(N,) how much each pose speaks for there being a person."""
        return np.maximum(self.confidences - _DOUBT, 0.0)

    @property
    def alone(self) -> NDArray[np.bool_]:
        """(N,) true for those whom nobody overlaps."""
        return self.overlaps.max(axis=1, initial=0.0) < _ALONE_IOU


def _duplicates(poses: Poses, heights: FloatArray, overlaps: FloatArray) -> NDArray[np.bool_]:
    """Return (N, N), true for poses alike by box, by all keypoints, or by those that coincide."""
    duplicates = overlaps > _DUPLICATE
    i, j = np.nonzero(overlaps)
    if len(i):
        similarity = oks(
            poses.keypoints[i],
            poses.keypoint_scores[i],
            poses.keypoints[j],
            poses.keypoint_scores[j],
            oks_variances(np.maximum(heights[i], heights[j]), SIGMAS),
        )
        duplicates[i, j] |= similarity > _DUPLICATE
        duplicates[i, j] |= pose_distances(poses[i], poses[j]) < SAME_PERSON
    return duplicates | duplicates.T


@dataclass(slots=True, eq=False)
class People(Tracks):
    """M tracks, and what is needed to find them again.

    Attributes:
        confirmed: (M,) whether it is a person: false for what may be none.
        motion: of the torso's middle.
        anchors: (M, 2) pixels, the torso's middle at the last sight.
        heights: (M,) pixels, smoothed.
        evidence: (M,) sum of that of the poses seen.
        appearances: (M, D) mean of those learned.
        appearance_hits: (M,) of how many that is the mean.
        seen_as: (M,) which pose of this frame it is; -1 for none.
    """

    confirmed: NDArray[np.bool_]
    motion: Motion
    anchors: FloatArray
    heights: FloatArray
    evidence: FloatArray
    appearances: FloatArray
    appearance_hits: IntArray
    seen_as: IntArray

    @classmethod
    def born(
        cls, sight: Sight, columns: IntArray, track_ids: list[int], stamp_s: float
    ) -> "People":
        """Return tentative tracks that begin with these poses."""
        n = len(columns)
        learned = sight.alone[columns] & sight.appearances[columns].any(axis=1)
        return cls(
            track_ids=np.array(track_ids, np.int64),
            states=np.full(n, int(TrackState.TENTATIVE)),
            poses=sight.poses[columns],
            first_seen_s=np.full(n, stamp_s),
            last_seen_s=np.full(n, stamp_s),
            hits=np.ones(n, np.int64),
            match_scores=np.zeros(n),
            confirmed=np.zeros(n, bool),
            motion=Motion.starting(sight.anchors[columns], sight.heights[columns]),
            anchors=sight.anchors[columns],
            heights=sight.heights[columns],
            evidence=sight.evidence[columns],
            appearances=sight.appearances[columns] * learned[:, None],
            appearance_hits=learned.astype(np.int64),
            seen_as=columns,
        )

    def hit(
        self,
        rows: IntArray,
        columns: IntArray,
        match_scores: FloatArray,
        sight: Sight,
        stamp_s: float,
    ) -> None:
        """Take these poses as these people's."""
        self.motion.correct(rows, sight.anchors[columns], self.heights)
        gains = 1 - np.exp((self.last_seen_s[rows] - stamp_s) / _HEIGHT_S)
        self.heights[rows] += gains * (sight.heights[columns] - self.heights[rows])
        self.anchors[rows] = sight.anchors[columns]
        put(self.poses, rows, sight.poses[columns])
        self.match_scores[rows] = match_scores
        self.last_seen_s[rows] = stamp_s
        self.hits[rows] += 1
        self.seen_as[rows] = columns
        # One of two poses of a person is no evidence for a second.
        taken_by = np.full(len(sight.poses), len(self))
        taken_by[columns] = rows
        second = (sight.duplicates[columns] & (taken_by < rows[:, None])).any(axis=1)
        self.evidence[rows] += sight.evidence[columns] * ~second
        learned = sight.alone[columns] & sight.appearances[columns].any(axis=1)
        self._learn(rows[learned], sight.appearances[columns[learned]])

    def _learn(self, rows: IntArray, appearances: FloatArray) -> None:
        hits = np.minimum(self.appearance_hits[rows] + 1, _MAX_APPEARANCE_HITS)
        self.appearances[rows] += (appearances - self.appearances[rows]) / hits[:, None]
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
        hits, evidence = self.hits[former], self.evidence[former]
        put(self, np.array([former]), select(self, np.array([row])))
        self.track_ids[former], self.first_seen_s[former] = track_id, first_seen_s
        self.hits[former] += hits
        self.evidence[former] += evidence
        self.appearances[former] = total / max(1, old + new)
        self.appearance_hits[former] = min(old + new, _MAX_APPEARANCE_HITS)
        self.seen_as[row] = -1
