"""Pose flows over a time window, for delayed output."""

import itertools
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from poseflow_ros.poses import FloatArray, Poses, TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.pose_flow import SAME_PERSON, build_flow, pose_distances

Payload = TypeVar("Payload")


@dataclass(slots=True)
class PoseObservation:
    """One pose of one track in one frame.

    Attributes:
        pose: a single pose.
        match_score: in [0, 1].
        velocity: (2,) pixels per second.
    """

    pose: Poses
    match_score: float
    velocity: FloatArray


@dataclass(slots=True)
class WindowFrame(Generic[Payload]):
    """One frame of the window.

    Attributes:
        stamp_s: seconds.
        observations: the observed tracks by their ids.
        unassigned: detections that belong to no track.
        removed: ids of the tracks that ended in this frame.
        payload: of the caller.
    """

    stamp_s: float
    observations: dict[int, PoseObservation]
    unassigned: Poses
    removed: list[int]
    payload: Payload


@dataclass(slots=True)
class PublishedTrack:
    """A track in the output so far: first and last observation, number of observations."""

    first_seen_s: float
    last_seen_s: float
    last: PoseObservation
    hits: int = 0


class FlowWindow(Generic[Payload]):
    """Delays frames and improves them with the results of later frames.

    A track that is confirmed within the window is output as confirmed from its first observation,
    and before that as far back as a flow can be built from unassigned detections. A track that is
    not confirmed is left out. Tracks of the same person are merged. If both have the same pose in
    a frame, the output is the average.
    """

    def __init__(self, window_s: float, skeleton: Skeleton) -> None:
        self._window_s = window_s
        self._skeleton = skeleton
        self.reset()

    def reset(self) -> None:
        """Remove all tracks and discard all frames."""
        self._frames: deque[WindowFrame[Payload]] = deque()
        self._confirmed: set[int] = set()
        self._published: dict[int, PublishedTrack] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def push(
        self,
        tracked: TrackedPoses,
        unassigned: Poses,
        merged_ids: dict[int, int],
        stamp_s: float,
        payload: Payload,
    ) -> list[tuple[TrackedPoses, Payload]]:
        """Add a frame; return the frames that are at least `window_s` old, oldest first.

        Args:
            tracked: the tracker's output for the frame.
            unassigned: detections that belong to no track.
            merged_ids: id of each merged track -> id of the track that it was merged into.
            stamp_s: seconds, not before the stamp of the last frame.
            payload: returned with the frame.
        """
        self._frames.append(_window_frame(tracked, unassigned, stamp_s, payload))
        for track_id, former_id in merged_ids.items():
            self._merge(track_id, _final_id(former_id, merged_ids))
        for track_id in tracked.track_ids[tracked.visible].tolist():
            if track_id not in self._confirmed:
                self._confirmed.add(track_id)
                self._extend_back(track_id)
        ready = []
        while stamp_s - self._frames[0].stamp_s >= self._window_s:
            ready.append(self._pop())
        return ready

    def flush(self) -> list[tuple[TrackedPoses, Payload]]:
        """Return all delayed frames, oldest first."""
        return [self._pop() for _ in range(len(self._frames))]

    def _merge(self, track_id: int, former_id: int) -> None:
        self._confirmed.discard(track_id)
        for frame in self._frames:
            duplicate = frame.observations.pop(track_id, None)
            if duplicate is not None:
                first = frame.observations.get(former_id)
                frame.observations[former_id] = _merged(first, duplicate, self._skeleton)

    def _extend_back(self, track_id: int) -> None:
        """Extend a new track backwards by a flow of unassigned detections."""
        frames = list(self._frames)
        first = next(i for i, frame in enumerate(frames) if track_id in frame.observations)
        before = frames[:first][::-1]
        stamps_s = [frames[first].stamp_s, *(frame.stamp_s for frame in before)]
        waits_s = [later - earlier for later, earlier in itertools.pairwise(stamps_s)]
        observation = frames[first].observations[track_id]
        poses = [frame.unassigned for frame in before]
        flow = build_flow(observation.pose, poses, waits_s, self._skeleton)
        for frame, index in zip(before, flow, strict=False):
            assigned = np.arange(len(frame.unassigned)) == index
            pose = frame.unassigned[assigned]
            frame.observations[track_id] = PoseObservation(pose, 0.0, observation.velocity)
            frame.unassigned = frame.unassigned[~assigned]

    def _pop(self) -> tuple[TrackedPoses, Payload]:
        frame = self._frames.popleft()
        return self._snapshot(frame), frame.payload

    def _snapshot(self, frame: WindowFrame[Payload]) -> TrackedPoses:
        """Return the observed tracks by their ids, then the lost, then the removed."""
        observed = sorted(self._confirmed & frame.observations.keys())
        for track_id in observed:
            self._hit(track_id, frame.observations[track_id], frame.stamp_s)
        removed = sorted(self._published.keys() & frame.removed)
        lost = sorted(self._published.keys() - {*observed, *removed})
        ids = [*observed, *lost, *removed]
        tracks = [self._published[track_id] for track_id in ids]
        states = [TrackState.CONFIRMED] * len(observed) + [TrackState.LOST] * len(lost)
        states += [TrackState.REMOVED] * len(removed)
        for track_id in removed:
            del self._published[track_id]
            self._confirmed.discard(track_id)
        last_seen_s = np.array([track.last_seen_s for track in tracks])
        first_seen_s = np.array([track.first_seen_s for track in tracks])
        return TrackedPoses(
            poses=Poses.joined([frame.unassigned[:0], *(track.last.pose for track in tracks)]),
            track_ids=np.array(ids, np.int64),
            states=np.array(states, np.int64),
            match_scores=np.array([track.last.match_score for track in tracks]),
            ages_s=frame.stamp_s - first_seen_s,
            time_since_update_s=frame.stamp_s - last_seen_s,
            hits=np.array([track.hits for track in tracks], np.int64),
            velocities=np.array([track.last.velocity for track in tracks]).reshape(-1, 2),
        )

    def _hit(self, track_id: int, observation: PoseObservation, stamp_s: float) -> None:
        if track_id not in self._published:
            self._published[track_id] = PublishedTrack(stamp_s, stamp_s, observation)
        track = self._published[track_id]
        track.last, track.last_seen_s = observation, stamp_s
        track.hits += 1


def _window_frame(
    tracked: TrackedPoses, unassigned: Poses, stamp_s: float, payload: Payload
) -> WindowFrame[Payload]:
    observations = {
        int(tracked.track_ids[i]): PoseObservation(
            tracked.poses[i : i + 1], float(tracked.match_scores[i]), tracked.velocities[i]
        )
        for i in np.flatnonzero(tracked.states <= TrackState.CONFIRMED)
    }
    removed = tracked.track_ids[tracked.states == TrackState.REMOVED].tolist()
    return WindowFrame(stamp_s, observations, unassigned, removed, payload)


def _final_id(track_id: int, merged_ids: dict[int, int]) -> int:
    """Return the final id of a track, which may have been merged several times."""
    return _final_id(merged_ids[track_id], merged_ids) if track_id in merged_ids else track_id


def _merged(
    first: PoseObservation | None, duplicate: PoseObservation, skeleton: Skeleton
) -> PoseObservation:
    """Return the average of two coincident observations, otherwise the first one.

    Keypoints are averaged with their scores as weights.
    """
    if first is None:
        return duplicate
    if pose_distances(first.pose, duplicate.pose, skeleton)[0] >= SAME_PERSON:
        return first
    poses = Poses.joined([first.pose, duplicate.pose])
    weights = poses.keypoint_scores + 1e-9
    pose = Poses(
        np.average(poses.keypoints, axis=0, weights=np.repeat(weights[..., None], 2, axis=-1))[
            None
        ],
        poses.keypoint_scores.max(axis=0)[None],
        np.average(poses.boxes, axis=0, weights=poses.scores + 1e-9)[None],
        poses.scores.max(keepdims=True),
    )
    score = max(first.match_score, duplicate.match_score)
    return PoseObservation(pose, score, first.velocity)
