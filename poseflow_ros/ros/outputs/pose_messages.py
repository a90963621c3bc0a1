"""Conversion between tracked people and messages."""

import math
from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Point, Point32, Vector3
from poseflow_msgs.msg import (
    Keypoint,
    Keypoint3D,
    SkeletonDefinition,
    TrackedPose,
    TrackedPoseArray,
)

from poseflow_ros.poses import FloatArray, Poses, TrackedPoses
from poseflow_ros.ros.stamps import duration
from poseflow_ros.ros_data.header import seconds
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.projection import Points

_NAN = math.nan


def skeleton_message(skeleton: Skeleton) -> SkeletonDefinition:
    """Return the message that defines a skeleton."""
    return SkeletonDefinition(
        name=skeleton.name,
        keypoint_names=list(skeleton.keypoint_names),
        edges=[index for edge in skeleton.edges for index in edge],
        flip_pairs=[index for pair in skeleton.flip_pairs for index in pair],
        oks_sigmas=list(skeleton.oks_sigmas),
    )


def set_positions_3d(
    people: Sequence[TrackedPose], points: Points, velocities: FloatArray
) -> None:
    """Set the fields keypoints_3d, position and velocity_3d.

    Args:
        people: N messages, modified in place.
        points: of the N people, metres.
        velocities: (N, 3) metres per second.
    """
    rows = np.concatenate([points.points, points.stddevs[..., None]], axis=2)
    columns = (people, rows.tolist(), points.positions.tolist(), velocities.tolist())
    for person, keypoints, position, velocity in zip(*columns, strict=True):
        person.keypoints_3d = [
            Keypoint3D(point=Point32(x=x, y=y, z=z), stddev=stddev)
            for x, y, z, stddev in keypoints
        ]
        person.position = Point(**dict(zip("xyz", position, strict=True)))
        person.velocity_3d = Vector3(**dict(zip("xyz", velocity, strict=True)))


def tracked_pose_messages(tracked: TrackedPoses) -> list[TrackedPose]:
    """Return a message for each track."""
    poses = tracked.poses
    points = np.concatenate([poses.keypoints, poses.keypoint_scores[:, :, None]], axis=2)
    # Converting whole arrays to Python numbers is ten times faster than converting elements.
    columns = (
        tracked.track_ids, tracked.states, poses.scores, tracked.match_scores, tracked.ages_s,
        tracked.time_since_update_s, tracked.hits, poses.boxes, tracked.velocities, points,
    )  # fmt: skip
    return [_tracked_pose(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def _tracked_pose(
    track_id: int,
    state: int,
    score: float,
    match_score: float,
    age_s: float,
    time_since_update_s: float,
    hits: int,
    box: Sequence[float],
    velocity: Sequence[float],
    points: Sequence[Sequence[float]],
) -> TrackedPose:
    return TrackedPose(
        track_id=track_id,
        state=state,
        score=score,
        match_score=match_score,
        age=duration(age_s),
        time_since_update=duration(time_since_update_s),
        hits=hits,
        box=np.array(box, np.float32),
        velocity=np.array(velocity, np.float32),
        keypoints=[Keypoint(x=x, y=y, score=s) for x, y, s in points],
        position=Point(x=_NAN, y=_NAN, z=_NAN),
        velocity_3d=Vector3(x=_NAN, y=_NAN, z=_NAN),
    )


def tracked_poses(message: TrackedPoseArray, skeleton: Skeleton) -> TrackedPoses:
    """Return the contents of a message as arrays, for subscribers.

    Args:
        message: of people with this skeleton; may be without people.
        skeleton: see `SkeletonDefinition`.

    Raises:
        ValueError: the people have another number of keypoints.
    """
    people = message.poses
    points = np.array(
        [[(k.x, k.y, k.score) for k in person.keypoints] for person in people], float
    ).reshape(len(people), skeleton.n_keypoints, 3)
    return TrackedPoses(
        poses=Poses(
            keypoints=points[:, :, :2],
            keypoint_scores=points[:, :, 2],
            boxes=_rows([person.box for person in people], 4),
            scores=np.array([person.score for person in people], float),
        ),
        track_ids=np.array([person.track_id for person in people], np.int64),
        states=np.array([person.state for person in people], np.int64),
        match_scores=np.array([person.match_score for person in people], float),
        ages_s=np.array([seconds(person.age) for person in people], float),
        time_since_update_s=np.array([seconds(p.time_since_update) for p in people], float),
        hits=np.array([person.hits for person in people], np.int64),
        velocities=_rows([person.velocity for person in people], 2),
    )


def _rows(rows: Sequence[Sequence[float]], width: int) -> FloatArray:
    return np.array(rows, float).reshape(len(rows), width)
