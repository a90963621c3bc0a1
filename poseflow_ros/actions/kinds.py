"""The behaviors, postures and zones that are recognized."""

from enum import IntEnum


class Behavior(IntEnum):
    """Column of a behavior that is active or not."""

    LEFT_HAND_RAISED = 0
    RIGHT_HAND_RAISED = 1
    LEFT_WAVING = 2
    RIGHT_WAVING = 3
    LEFT_POINTING = 4
    RIGHT_POINTING = 5
    FACING_CAMERA = 6
    APPROACHING = 7
    FALLEN = 8


class Posture(IntEnum):
    """Equal to the POSTURE_ constants of poseflow_msgs/TrackedBehavior."""

    UNKNOWN = 0
    STANDING = 1
    SITTING = 2
    CROUCHING = 3
    LYING = 4


class Zone(IntEnum):
    """Equal to the ZONE_ constants of poseflow_msgs/TrackedBehavior."""

    UNKNOWN = 0
    INTIMATE = 1
    PERSONAL = 2
    SOCIAL = 3
    PUBLIC = 4
