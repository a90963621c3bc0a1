"""Poses become people by predicted motion, pose, box and appearance: the `robust` association."""

import itertools
from collections.abc import Iterator

import numpy as np

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import FloatArray, IntArray, Poses, TrackedPoses, TrackState
from poseflow_ros.skeleton import COCO_17
from poseflow_ros.tracking.assignment import assign
from poseflow_ros.tracking.camera_motion import estimate_camera_motion
from poseflow_ros.tracking.evidence import compare, recognise
from poseflow_ros.tracking.people import People, Sight
from poseflow_ros.tracking.pose_flow import FlowSuppression
from poseflow_ros.tracking.tracks import append, select

# The sum of evidence that makes a person, and how long a tentative one may go unseen.
_EVIDENCE = 0.7
_TENTATIVE_S = 0.9

_NOBODY = Poses.empty(len(COCO_17.keypoint_names))
_NONE = np.zeros(0, np.int64)


class RobustAssociation:
    """Gives poses to people by the evidence for it, all that is known taken together.

    Confident poses come first, weak ones continue people who are left. A confident pose that
    continues nobody begins a tentative track; enough evidence makes that a person, or shows it to
    be somebody lost. Flows that turn out to be of one person become one.

    Attributes:
        unclaimed: the poses of the last frame that are nobody's.
        same: ids that turned out in the last frame to be another's.
    """

    def __init__(self, config: TrackerConfig, ids: Iterator[int]) -> None:
        self.config = config
        self._ids = ids
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._people = People.born(Sight.of(_NOBODY, np.zeros((0, 0))), _NONE, [], 0.0)
        self._flows = FlowSuppression()
        self._stamp_s = 0.0
        self.unclaimed = _NOBODY
        self.same: dict[int, int] = {}

    def update(
        self, poses: Poses, matches: FloatArray, stamp_s: float, appearances: FloatArray
    ) -> TrackedPoses:
        """See PoseFlowTracker.update; raises ValueError unless the keypoints are COCO's 17."""
        if poses.keypoints.shape[1:] != _NOBODY.keypoints.shape[1:]:
            raise ValueError(f"keypoints must be (N, 17, 2), got {poses.keypoints.shape}")
        sight = Sight.of(poses, self._people.comparable(appearances))
        self.same = {}
        self._predict(sight, matches, stamp_s)
        rows, columns, likeness = self._associate(sight)
        self._people.hit(rows, columns, likeness, sight, self._stamp_s)
        self._suppress(sight)
        self._confirm()
        self._give_birth(sight)
        self._age()
        return self._told()

    def _predict(self, sight: Sight, matches: FloatArray, stamp_s: float) -> None:
        people, dt_s = self._people, max(0.0, stamp_s - self._stamp_s)
        self._stamp_s = stamp_s
        camera = estimate_camera_motion(matches, sight.poses.boxes)
        if camera is not None:
            people.motion.move(camera.linear, camera.shift)
        people.motion.predict(dt_s, people.heights)
        people.seen_as[:] = -1

    def _associate(self, sight: Sight) -> tuple[IntArray, IntArray, FloatArray]:
        """Return P rows of people, their poses and the likeness of the two."""
        evidence, likeness = compare(self._people, sight, self._stamp_s)
        confident = sight.confidences >= self.config.confident_pose_score
        first = assign(np.where(confident, evidence, -np.inf), 0.0)
        open_rows = self._people.confirmed.copy()
        open_rows[first[:, 0]] = False
        second = assign(np.where(open_rows[:, None] & ~confident, evidence, -np.inf), 0.0)
        rows, columns = np.concatenate([first, second]).T
        return rows, columns, likeness[rows, columns]

    def _confirm(self) -> None:
        """Make people of the tentative with evidence, or those lost that they turn out to be."""
        people = self._people
        enough = ~people.confirmed & (people.seen_as >= 0) & (people.evidence >= _EVIDENCE)
        for row in np.flatnonzero(enough).tolist():
            former = recognise(people, row)
            if former >= 0:
                people.join(former, row)
                self.same[int(people.track_ids[row])] = int(people.track_ids[former])
                people.states[row] = TrackState.REMOVED
            people.confirmed[row if former < 0 else former] = True

    def _suppress(self, sight: Sight) -> None:
        """Remove those who turn out to be somebody else found twice."""
        people = self._people
        seen = np.flatnonzero(people.seen_as >= 0)
        columns = people.seen_as[seen]
        same = self._flows.update(
            people.track_ids[seen],
            sight.poses[columns],
            people.hits[seen],
            sight.overlaps[np.ix_(columns, columns)],
            people.track_ids,
        )
        for longer, shorter in same:
            kept, gone = seen[longer], seen[shorter]
            if people.confirmed[gone] and not people.confirmed[kept]:
                kept, gone = gone, kept  # a person outlasts what may be none
            self.same[int(people.track_ids[gone])] = int(people.track_ids[kept])
            people.states[gone] = TrackState.REMOVED
            people.seen_as[gone] = -1

    def _give_birth(self, sight: Sight) -> None:
        """Begin a track for each confident pose that is nobody's, nor the same as another."""
        people = self._people
        taken = np.zeros(len(sight.poses), bool)
        taken[people.seen_as[people.seen_as >= 0]] = True
        free = ~taken & (sight.confidences >= self.config.confident_pose_score)
        born = []
        for column in np.argsort(-sight.confidences, kind="stable"):
            if free[column] and not (sight.duplicates[column] & taken).any():
                taken[column] = True
                born.append(column)
        self.unclaimed = sight.poses[~taken]
        if born:
            track_ids = list(itertools.islice(self._ids, len(born)))
            newborn = People.born(sight, np.sort(np.array(born)), track_ids, self._stamp_s)
            self._people = append(people, newborn)

    def _age(self) -> None:
        """Update the states."""
        people = self._people
        unseen_s = self._stamp_s - people.last_seen_s
        memory_s = np.where(people.confirmed, self.config.max_lost_s, _TENTATIVE_S)
        gone = (people.states == TrackState.REMOVED) | (unseen_s > memory_s)
        people.states[:] = np.where(people.confirmed, TrackState.CONFIRMED, TrackState.TENTATIVE)
        people.states[people.seen_as < 0] = TrackState.LOST
        people.states[gone] = TrackState.REMOVED

    def _told(self) -> TrackedPoses:
        """Return the seen in the order of their poses, then the lost, then the removed."""
        people = self._people
        removed, unseen = people.states == TrackState.REMOVED, people.seen_as < 0
        order = np.lexsort([people.seen_as, removed, unseen])
        told = people.told(
            order[(people.confirmed | ~unseen)[order]], people.motion.velocities, self._stamp_s
        )
        if removed.any():
            self._people = select(people, ~removed)
        return told
