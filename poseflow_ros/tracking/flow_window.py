"""A later, better answer: pose flows over a window of time."""

import itertools
from collections import deque
from dataclasses import dataclass

import numpy as np

from poseflow_ros.poses import FloatArray, Poses, TrackedPoses, TrackState
from poseflow_ros.tracking.pose_flow import SAME_PERSON, build_flow, pose_distances


@dataclass(slots=True)
class Sighting:
    """One pose of one person.

    Attributes:
        pose: of one.
        match_score: in [0, 1].
        velocity: (2,) pixels a second.
    """

    pose: Poses
    match_score: float
    velocity: FloatArray


@dataclass(slots=True)
class Moment:
    """One frame of the window: who is seen, whom nobody claimed, and who is gone."""

    stamp_s: float
    seen: dict[int, Sighting]
    unclaimed: Poses
    removed: list[int]


@dataclass(slots=True)
class Person:
    """Somebody told of: first and last sight, and how many."""

    first_seen_s: float
    last_seen_s: float
    last: Sighting
    hits: int = 0


class FlowWindow:
    """Holds frames back for some seconds, and tells them with what was learned since.

    Whoever is confirmed by then was there from the first sight on, and before it for as far back
    as a flow can be built of poses that nobody claimed; whoever is not was nobody. Flows that
    turned out to be of one person are one, the poses that both have averaged.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._moments: deque[Moment] = deque()
        self._confirmed: set[int] = set()
        self._people: dict[int, Person] = {}

    def push(
        self, tracked: TrackedPoses, unclaimed: Poses, same: dict[int, int], stamp_s: float
    ) -> list[TrackedPoses]:
        """Take in a frame; return those that are told now.

        Args:
            tracked: what was found at once.
            unclaimed: the poses that are nobody's.
            same: ids that turned out to be another's.
            stamp_s: seconds.
        """
        self._moments.append(_moment(tracked, unclaimed, stamp_s))
        for track_id, former_id in same.items():
            self._merge(track_id, _last(former_id, same))
        for track_id in tracked.track_ids[tracked.visible].tolist():
            if track_id not in self._confirmed:
                self._confirmed.add(track_id)
                self._extend_back(track_id)
        told = []
        while stamp_s - self._moments[0].stamp_s >= self._window_s:
            told.append(self._tell(self._moments.popleft()))
        return told

    def flush(self) -> list[TrackedPoses]:
        """Return the frames held back, as far as is known now."""
        told = [self._tell(moment) for moment in self._moments]
        self._moments.clear()
        return told

    def _merge(self, track_id: int, former_id: int) -> None:
        self._confirmed.discard(track_id)
        for moment in self._moments:
            again = moment.seen.pop(track_id, None)
            if again is not None:
                moment.seen[former_id] = _merged(moment.seen.get(former_id), again)

    def _extend_back(self, track_id: int) -> None:
        """Give a new person the poses before the first sight that nobody claimed."""
        held = list(self._moments)
        first = next(i for i, moment in enumerate(held) if track_id in moment.seen)
        before = held[:first][::-1]
        stamps_s = [held[first].stamp_s, *(moment.stamp_s for moment in before)]
        waits_s = [later - earlier for later, earlier in itertools.pairwise(stamps_s)]
        first_sight = held[first].seen[track_id]
        flow = build_flow(first_sight.pose, [moment.unclaimed for moment in before], waits_s)
        for moment, index in zip(before, flow, strict=False):
            claimed = np.arange(len(moment.unclaimed)) == index
            pose = moment.unclaimed[claimed]
            moment.seen[track_id] = Sighting(pose, 0.0, first_sight.velocity)
            moment.unclaimed = moment.unclaimed[~claimed]

    def _tell(self, moment: Moment) -> TrackedPoses:
        """Return the seen, by their ids, then the lost, then the removed."""
        seen = sorted(self._confirmed & moment.seen.keys())
        for track_id in seen:
            self._see(track_id, moment.seen[track_id], moment.stamp_s)
        removed = sorted(self._people.keys() & moment.removed)
        lost = sorted(self._people.keys() - {*seen, *removed})
        ids = [*seen, *lost, *removed]
        people = [self._people[track_id] for track_id in ids]
        states = [TrackState.CONFIRMED] * len(seen) + [TrackState.LOST] * len(lost)
        states += [TrackState.REMOVED] * len(removed)
        for track_id in removed:
            del self._people[track_id]
            self._confirmed.discard(track_id)
        last_seen_s = np.array([person.last_seen_s for person in people])
        first_seen_s = np.array([person.first_seen_s for person in people])
        return TrackedPoses(
            poses=Poses.joined([moment.unclaimed[:0], *(person.last.pose for person in people)]),
            track_ids=np.array(ids, np.int64),
            states=np.array(states, np.int64),
            match_scores=np.array([person.last.match_score for person in people]),
            ages_s=moment.stamp_s - first_seen_s,
            time_since_update_s=moment.stamp_s - last_seen_s,
            hits=np.array([person.hits for person in people], np.int64),
            velocities=np.array([person.last.velocity for person in people]).reshape(-1, 2),
        )

    def _see(self, track_id: int, sighting: Sighting, stamp_s: float) -> None:
        if track_id not in self._people:
            self._people[track_id] = Person(stamp_s, stamp_s, sighting)
        person = self._people[track_id]
        person.last, person.last_seen_s = sighting, stamp_s
        person.hits += 1


def _moment(tracked: TrackedPoses, unclaimed: Poses, stamp_s: float) -> Moment:
    seen = {
        int(tracked.track_ids[i]): Sighting(
            tracked.poses[i : i + 1], float(tracked.match_scores[i]), tracked.velocities[i]
        )
        for i in np.flatnonzero(tracked.states <= TrackState.CONFIRMED)
    }
    removed = tracked.track_ids[tracked.states == TrackState.REMOVED].tolist()
    return Moment(stamp_s, seen, unclaimed, removed)


def _last(track_id: int, same: dict[int, int]) -> int:
    """Return who an id is in the end: another may have turned out to be a third."""
    return _last(same[track_id], same) if track_id in same else track_id


def _merged(first: Sighting | None, again: Sighting) -> Sighting:
    """Return one sighting of two: of the same pose the average, otherwise the first.

    The keypoints are averaged with their scores as weights.
    """
    if first is None:
        return again
    if pose_distances(first.pose, again.pose)[0] >= SAME_PERSON:
        return first
    poses = Poses.joined([first.pose, again.pose])
    weights = poses.keypoint_scores + 1e-9
    pose = Poses(
        np.average(poses.keypoints, axis=0, weights=np.repeat(weights[..., None], 2, axis=-1))[
            None
        ],
        poses.keypoint_scores.max(axis=0)[None],
        np.average(poses.boxes, axis=0, weights=poses.scores + 1e-9)[None],
        poses.scores.max(keepdims=True),
    )
    return Sighting(pose, max(first.match_score, again.match_score), first.velocity)
