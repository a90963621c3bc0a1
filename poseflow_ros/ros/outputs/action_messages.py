"""Actions and behaviors as messages."""

from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Vector3
from poseflow_msgs.msg import (
    TrackedAction,
    TrackedActionArray,
    TrackedBehavior,
    TrackedBehaviorArray,
    TrackedPoseArray,
)
from std_msgs.msg import Header

from poseflow_ros.actions.behaviors import BehaviorFrame
from poseflow_ros.actions.kinds import Behavior
from poseflow_ros.actions.windows import Windows
from poseflow_ros.recognition.action_classifier import Actions
from poseflow_ros.ros.stamps import duration

_FLAGS = [behavior.name.lower() for behavior in Behavior]


def behavior_array(poses: TrackedPoseArray, behaviors: BehaviorFrame) -> TrackedBehaviorArray:
    """Return the behaviors of the people in a message."""
    columns = (
        behaviors.track_ids, behaviors.postures, behaviors.zones, behaviors.distances_m,
        behaviors.approach_speeds, behaviors.active, behaviors.pointing_origins,
        behaviors.pointing_directions,
    )  # fmt: skip
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return TrackedBehaviorArray(
        header=poses.header,
        camera=poses.camera,
        frame_3d=poses.frame_3d,
        epoch=poses.epoch,
        people=[_behavior(*row) for row in rows],
    )


def _behavior(
    track_id: int,
    posture: int,
    zone: int,
    distance: float,
    approach_speed: float,
    active: list[bool],
    origins: list[list[float]],
    directions: list[list[float]],
) -> TrackedBehavior:
    return TrackedBehavior(
        track_id=track_id,
        posture=posture,
        zone=zone,
        distance=distance,
        approach_speed=approach_speed,
        left_pointing_origin=_xyz(Point, origins[0]),
        right_pointing_origin=_xyz(Point, origins[1]),
        left_pointing_direction=_xyz(Vector3, directions[0]),
        right_pointing_direction=_xyz(Vector3, directions[1]),
        **dict(zip(_FLAGS, active, strict=True)),
    )


def _xyz(message_type: type[Any], values: list[float]) -> Any:
    return message_type(**dict(zip("xyz", values, strict=True)))


def action_array(header: Header, windows: Windows, actions: Actions) -> TrackedActionArray:
    """Return the actions of the people of windows that a message with this header completed."""
    rows = zip(windows.track_ids.tolist(), actions.labels, actions.scores.tolist(), strict=True)
    return TrackedActionArray(
        header=header,
        camera=windows.camera,
        epoch=windows.epoch,
        window_start=_time(windows.start_s),
        window_end=_time(windows.end_s),
        actions=[
            TrackedAction(track_id=track_id, labels=list(labels), scores=scores)
            for track_id, labels, scores in rows
        ],
    )


def _time(seconds: float) -> Time:
    """Return a stamp; samples before time 0, which a simulated clock starts with, have 0."""
    whole = duration(max(0.0, seconds))
    return Time(sec=whole.sec, nanosec=whole.nanosec)
