"""Every parameter of the action node once: its default, range, unit and meaning."""

from dataclasses import dataclass, field
from typing import ClassVar

from poseflow_ros.parameter_group import ConfigError, Group, NodeConfig, param


@dataclass(frozen=True, slots=True)
class WindowsConfig(Group):
    """How poses are collected for action recognition."""

    prefix: ClassVar[str] = "windows"

    duration_s: float = param(3.0, "length of a window, seconds", minimum=0.1, maximum=60.0)
    rate_hz: float = param(
        30.0, "rate to which poses are resampled, Hz", minimum=1.0, maximum=120.0
    )
    stride_s: float = param(
        0.5,
        "time from the end of a window to the end of the next one, seconds; it is rounded to "
        "whole samples, at least one",
        minimum=0.0,
        maximum=60.0,
    )
    max_gap_s: float = param(
        0.3,
        "poses are interpolated between two observations that are at most this far apart, seconds",
        minimum=0.0,
        maximum=10.0,
    )
    min_observed: float = param(
        0.8,
        "minimum share of the samples of a window that must be observed or interpolated, [0, 1]",
        minimum=0.01,
        maximum=1.0,
    )
    max_people: int = param(
        100,
        "maximum number of people of one camera whose poses are kept; the one unseen for longest "
        "makes room",
        minimum=1,
        maximum=1000,
    )

    @property
    def n_frames(self) -> int:
        """Number of samples of a window, at least 1."""
        return max(1, round(self.duration_s * self.rate_hz))

    @property
    def stride(self) -> int:
        """Number of samples from the end of a window to the end of the next one, at least 1."""
        return max(1, round(self.stride_s * self.rate_hz))


@dataclass(frozen=True, slots=True)
class BehaviorsConfig(Group):
    """When a behavior is recognized. Lengths are in scales: the length of the torso."""

    prefix: ClassVar[str] = "behaviors"

    min_keypoint_score: float = param(
        0.2, "keypoints below this score are unknown, [0, 1]", minimum=0.0, maximum=1.0
    )
    hold_s: float = param(
        0.3,
        "a behavior becomes active after its condition has held for this long, seconds",
        minimum=0.0,
        maximum=60.0,
    )
    release_s: float = param(
        0.3,
        "a behavior ends after its condition has failed for this long, seconds",
        minimum=0.0,
        maximum=60.0,
    )
    hysteresis: float = param(
        0.05,
        "how far a measure must fall short of its threshold to end a state, torso lengths",
        minimum=0.0,
        maximum=0.5,
    )
    max_gap_s: float = param(
        2.0,
        "all states of a person who was not observed for longer than this are reset, seconds",
        minimum=0.0,
        maximum=3600.0,
    )
    max_people: int = param(
        100,
        "maximum number of people of one camera whose states are kept; the one unseen for longest "
        "makes room",
        minimum=1,
        maximum=1000,
    )
    hand_raised_min_height: float = param(
        0.15,
        "hand raised: minimum height of the wrist above the shoulder, torso lengths",
        minimum=-1.0,
        maximum=2.0,
    )
    waving_window_s: float = param(
        1.5, "waving: time in which swings are counted, seconds", minimum=0.5, maximum=10.0
    )
    waving_amplitude: float = param(
        0.08,
        "waving: minimum distance of the wrist from the middle of a swing, torso lengths",
        minimum=0.01,
        maximum=1.0,
    )
    waving_min_swings: int = param(
        3, "waving: minimum number of swings, from side to side", minimum=1, maximum=20
    )
    max_interpolation_s: float = param(
        0.3,
        "waving: poses are interpolated between observations at most this far apart, seconds",
        minimum=0.0,
        maximum=2.0,
    )
    lying_max_rise: float = param(
        0.38,
        "lying: maximum height of the shoulders above the hips, torso lengths",
        minimum=0.0,
        maximum=1.0,
    )
    standing_min_reach: float = param(
        1.18,
        "standing: minimum depth of the lower ankle below the hips, torso lengths",
        minimum=0.0,
        maximum=3.0,
    )
    crouching_min_lean_deg: float = param(
        35.0,
        "crouching, with bent legs: minimum angle of the torso from the vertical, degrees; below "
        "it, and with the feet together, the person sits",
        minimum=0.0,
        maximum=90.0,
    )
    crouching_min_stance: float = param(
        0.75,
        "crouching, with bent legs: minimum distance between the knees and between the ankles, "
        "torso lengths",
        minimum=0.0,
        maximum=3.0,
    )
    posture_hold_s: float = param(
        0.5,
        "a posture changes after another one has been observed for this long, seconds; where it "
        "is not observed in every image it takes a little longer",
        minimum=0.0,
        maximum=60.0,
    )
    fall_time_s: float = param(
        2.0,
        "fallen: maximum time from standing to lying, seconds",
        minimum=0.1,
        maximum=60.0,
    )
    fallen_hold_s: float = param(
        1.0,
        "fallen: minimum time of lying after the fall, seconds",
        minimum=0.0,
        maximum=3600.0,
    )
    facing_min_width: float = param(
        0.35,
        "facing the camera: minimum width of the shoulders in the image, torso lengths",
        minimum=0.0,
        maximum=2.0,
    )
    pointing_min_elbow_deg: float = param(
        150.0,
        "pointing: minimum angle at the elbow, degrees; 180: straight",
        minimum=0.0,
        maximum=180.0,
    )
    pointing_min_raise_deg: float = param(
        45.0,
        "pointing: minimum angle between the arm and downwards, degrees",
        minimum=0.0,
        maximum=180.0,
    )
    approaching_min_speed: float = param(
        0.3,
        "approaching: minimum speed towards the origin of the 3D frame, metres a second",
        minimum=0.0,
        maximum=10.0,
    )
    personal_m: float = param(
        0.45, "zones: from here the personal zone, metres", minimum=0.0, maximum=100.0
    )
    social_m: float = param(
        1.2, "zones: from here the social zone, metres", minimum=0.0, maximum=100.0
    )
    public_m: float = param(
        3.6, "zones: from here the public zone, metres", minimum=0.0, maximum=100.0
    )
    zone_margin_m: float = param(
        0.1,
        "zones: how far beyond a limit a person changes the zone, metres",
        minimum=0.0,
        maximum=1.0,
    )

    def _check_together(self) -> None:
        limits = (self.personal_m, self.social_m, self.public_m)
        if sorted(limits) != list(limits):
            raise ConfigError(
                "behaviors.personal_m, social_m and public_m are "
                f"{', '.join(f'{limit:g}' for limit in limits)}, must not decrease"
            )


@dataclass(frozen=True, slots=True)
class PosesConfig(Group):
    """Which tracked poses the action node subscribes to."""

    prefix: ClassVar[str] = "poses"

    topics: tuple[str, ...] = param(
        ("tracked_poses",),
        "topics of poseflow_msgs/TrackedPoseArray, one for each camera",
    )


@dataclass(frozen=True, slots=True)
class ClassifierConfig(Group):
    """Which network classifies windows of poses, and what it takes."""

    prefix: ClassVar[str] = "classifier"

    model: str = param(
        "",
        "file of the network: .onnx (ONNX Runtime), .pt or .pts (TorchScript); empty: behaviors "
        "are published, actions are not",
    )
    labels: str = param(
        "", "text file with the name of an action in each line, in the order of the outputs"
    )
    layout: str = param(
        "nmtvc",
        "input: nmtvc (N, M, T, K, 3) of pyskl and MMAction2, nctvm (N, 3, T, K, M) of ST-GCN, or "
        "heatmaps (N, K, T, 64, 64) of PoseC3D",
        choices=("nmtvc", "nctvm", "heatmaps"),
    )
    normalization: str = param(
        "pyskl",
        "coordinates of nmtvc and nctvm: pyskl [-1, 1], stgcn [-0.5, 0.5], or none (pixels)",
        choices=("pyskl", "stgcn", "none"),
    )
    keypoints: str = param("coco17", "keypoints of the input", choices=("coco17", "openpose18"))
    frames: int = param(
        100,
        "T, number of samples of the input, taken uniformly from a window",
        minimum=1,
        maximum=1000,
    )
    people: int = param(
        2,
        "M, number of people of nmtvc and nctvm; those after the first are zeros",
        minimum=1,
        maximum=10,
    )
    outputs: str = param(
        "logits",
        "outputs of the network: logits, of which the softmax is published, or scores",
        choices=("logits", "scores"),
    )
    top: int = param(
        3, "number of labels that are published for each person", minimum=1, maximum=100
    )
    max_batch: int = param(
        16, "maximum number of people in one call of the network", minimum=1, maximum=256
    )
    device: str = param("cpu", "device of the network", choices=("cpu", "cuda"))
    threads: int = param(
        0, "CPU threads of the network; 0: the library's choice", minimum=0, maximum=64
    )


@dataclass(frozen=True, slots=True)
class ActionConfig(NodeConfig):
    """All parameters of the action node."""

    poses: PosesConfig = field(default_factory=PosesConfig)
    windows: WindowsConfig = field(default_factory=WindowsConfig)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    behaviors: BehaviorsConfig = field(default_factory=BehaviorsConfig)
