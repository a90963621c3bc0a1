"""Every parameter of the bridge node once: its default, range, unit and meaning."""

from dataclasses import dataclass, field
from typing import ClassVar

from poseflow_ros.action_config import BehaviorsConfig, PosesConfig
from poseflow_ros.parameter_group import Group, NodeConfig, param

FORMATS = ("hri", "vision", "people", "image_marker", "foxglove", "follow")
"""What the bridge can publish."""


@dataclass(frozen=True, slots=True)
class OutputsConfig(Group):
    """What the bridge publishes."""

    prefix: ClassVar[str] = "outputs"

    formats: tuple[str, ...] = param(
        ("hri",),
        "what is published; hri: ROS4HRI (REP 155); vision: vision_msgs; people: people_msgs; "
        "image_marker and foxglove: skeletons that Foxglove draws on the raw image; follow: pose "
        "and TF frame of a followed person for Nav2",
        choices=FORMATS,
    )
    min_keypoint_score: float = param(
        0.2,
        "keypoints below this score are not drawn on the image, [0, 1]",
        minimum=0.0,
        maximum=1.0,
    )
    silence_s: float = param(
        1.0,
        "the bodies of a camera are no longer tracked when its tracked poses stop for this "
        "duration, seconds",
        minimum=0.1,
        maximum=60.0,
    )


@dataclass(frozen=True, slots=True)
class FollowConfig(Group):
    """Which person is followed."""

    prefix: ClassVar[str] = "follow"

    select: str = param(
        "none",
        "who is followed unless the service ~/follow selects a person: none; nearest: the person "
        "closest to the camera; waving: the person who waves, the nearest if there are several",
        choices=("none", "nearest", "waving"),
    )
    frame: str = param(
        "followed_person",
        "TF frame of the followed person",
        pattern=r"[A-Za-z_][A-Za-z0-9_/]*",
        choices=("a name of letters, digits, _ and /",),
    )
    max_lost_s: float = param(
        5.0,
        "a followed person who is not observed for longer is no longer followed, seconds",
        minimum=0.0,
        maximum=600.0,
    )


@dataclass(frozen=True, slots=True)
class BridgeConfig(NodeConfig):
    """All parameters of the bridge node."""

    poses: PosesConfig = field(default_factory=PosesConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    follow: FollowConfig = field(default_factory=FollowConfig)
    behaviors: BehaviorsConfig = field(default_factory=BehaviorsConfig)
