"""Every parameter once: its default, range, unit and meaning.

Each group configures one part of the program. The name of a ROS parameter consists of its group
and its field: `tracker.max_lost_s` is the field `max_lost_s` of `Config.tracker`.
"""

import contextlib
import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

NAME_PATTERN = "[A-Za-z_][A-Za-z0-9_]*"
"""Regular expression of one part of a topic name."""


class ConfigError(ValueError):
    """A parameter is invalid; the message gives its name, its value and the allowed values."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The meaning and the allowed values of a parameter.

    Attributes:
        description: one line, with the unit.
        minimum, maximum: the allowed range, inclusive; None: no limit.
        step: the value must be a multiple of it; 0: any value.
        choices: the allowed strings, for a list the allowed items; empty: any.
        pattern: a regular expression that the value must match; `choices` then only document
            it.
        live: whether it may change while the node is active; it then applies from the next image.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    step: int = 0
    choices: tuple[str, ...] = ()
    pattern: str = ""
    live: bool = False

    def allowed(self) -> str:
        """Return the allowed values as text."""
        if self.choices:
            return "must be one of " + ", ".join(self.choices)
        if self.minimum is None or self.maximum is None:
            return ""
        words = f"must be from {self.minimum:g} to {self.maximum:g}"
        return words + f" in steps of {self.step}" if self.step else words

    def admits(self, value: object) -> bool:
        """Return whether the value, which has the right type, is allowed."""
        if self.pattern:
            return re.fullmatch(self.pattern, str(value)) is not None
        return all(map(self._admits_item, value if isinstance(value, tuple) else (value,)))

    def _admits_item(self, value: object) -> bool:
        """Return whether a value that is not a list, or an item of a list, is allowed."""
        if self.choices:
            return str(value) in self.choices
        if self.minimum is None or self.maximum is None or not isinstance(value, int | float):
            return True
        in_range = math.isfinite(value) and self.minimum <= value <= self.maximum
        return in_range and not (self.step and value % self.step)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One ROS parameter: its full name, such as `tracker.max_lost_s`, its default and its Spec."""

    name: str
    default: Any
    spec: Spec


def _param(default: Any, description: str, **limits: Any) -> Any:
    return field(default=default, metadata={"spec": Spec(description, **limits)})


def _check(name: str, value: object, item: Field[Any]) -> object:
    """Return the value in its parameter's type; raise ConfigError where it cannot be used."""
    default: Any = item.default
    kind, given = type(default), value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            value = float(value)
    if kind is str and isinstance(value, bool):  # YAML reads the word true as a bool
        value = str(value).lower() if "true" in item.metadata["spec"].choices else value
    if kind is tuple:
        value = _items(name, value, type(default[0]))
    if type(value) is not kind:
        raise ConfigError(f"{name} is {value!r}, must be of type {kind.__name__}")
    spec: Spec = item.metadata["spec"]
    if not spec.admits(value):
        raise ConfigError(f"{name} is {given!r}, {spec.allowed()}")
    return value


def _items(name: str, value: object, kind: type) -> tuple[Any, ...]:
    """Return a list of items of one type; a single item is a list of one.

    YAML reads the words true and false as booleans.
    """
    alone = isinstance(value, str) or not isinstance(value, Sequence)
    items = (value,) if alone else tuple(value)  # type: ignore[arg-type]
    if kind is str:
        items = tuple(str(item).lower() if isinstance(item, bool) else item for item in items)
    if not items or not all(type(item) is kind for item in items):
        raise ConfigError(f"{name} is {value!r}, must be a list of at least one {kind.__name__}")
    return items


class _Group:
    """Parameters whose names share a prefix; every field is checked once, at construction."""

    __slots__ = ()
    prefix: ClassVar[str]

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            value = _check(f"{self.prefix}.{item.name}", getattr(self, item.name), item)
            object.__setattr__(self, item.name, value)
        self._check_together()

    def _check_together(self) -> None:
        """Raise ConfigError if values are valid individually but not in combination."""


@dataclass(frozen=True, slots=True)
class EstimatorConfig(_Group):
    """The pose estimation network and its settings."""

    prefix: ClassVar[str] = "estimator"

    name: str = _param(
        "auto",
        "pose estimation network: detectron2 or keypoint_rcnn (torchvision), best on a GPU; "
        "movenet (CPU); onnx: the model in the file estimator.weights; auto: the first of "
        "detectron2, keypoint_rcnn and movenet whose library and device are available",
    )
    weights: str = _param(
        "default",
        "file of the network's weights; default: the published ones, downloaded if they are "
        "missing",
    )
    device: str = _param(
        "auto",
        "Keypoint R-CNN and ONNX: device; auto: cuda if it is available, otherwise cpu; ONNX: "
        "OpenVINO before cpu",
        choices=("auto", "cpu", "cuda", "cuda:N"),
        pattern=r"auto|cpu|cuda(:\d+)?",
    )
    precision: str = _param(
        "auto",
        "Keypoint R-CNN and ONNX: precision of the network; auto: float16 on a GPU, float32 on a "
        "CPU; ONNX: that of the file, float16 with TensorRT",
        choices=("auto", "float32", "float16", "bfloat16"),
    )
    compile: bool = _param(
        False,
        "Keypoint R-CNN: compile the network with torch, which takes minutes when the node is "
        "configured",
    )
    cuda_graphs: str = _param(
        "auto",
        "Keypoint R-CNN: launch a pass through the network as CUDA graphs, captured for each "
        "image size and number of cameras; auto: on a GPU, without graphs if the capture fails",
        choices=("auto", "true", "false"),
    )
    detectron2_config: str = _param(
        "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml",
        "detectron2: keypoint configuration, by its name in the model zoo or by its path",
    )
    detector_weights: str = _param(
        "",
        "ONNX: file of the person detector that a top-down model needs",
    )
    onnx_input_size: int = _param(
        0,
        "ONNX: longer side of the input of models that accept any size, pixels; 0: that of the "
        "export, otherwise 640",
        minimum=0,
        maximum=4096,
    )
    image_min_side: int = _param(
        800,
        "Keypoint R-CNN: scale images so that the shorter side has this many pixels",
        minimum=32,
        maximum=4096,
    )
    image_max_side: int = _param(
        1333,
        "Keypoint R-CNN: maximum of the longer side after scaling, pixels",
        minimum=32,
        maximum=8192,
    )
    max_people: int = _param(
        20,
        "Keypoint R-CNN and ONNX: maximum number of people per image; the highest scores are kept",
        minimum=1,
        maximum=100,
    )
    min_person_score: float = _param(
        0.1, "people with a score below this are discarded, [0, 1]", minimum=0.0, maximum=1.0
    )
    threads: int = _param(
        0, "CPU threads of the network; 0: one per core, at most four", minimum=0, maximum=64
    )
    timeout_s: float = _param(
        30.0,
        "maximum time that the network may take for one image, seconds; if it is exceeded, the "
        "node goes through its error transition to unconfigured; 0: no limit",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )


@dataclass(frozen=True, slots=True)
class MovenetConfig(_Group):
    """Parameters of MoveNet only."""

    prefix: ClassVar[str] = "movenet"

    tiles: str = _param(
        "auto",
        "overlapping tiles in which the network looks for people; auto: around the people who are "
        "expected, and in turn elsewhere; 4x3: columns and rows, all of them and the whole image, "
        "every image; 1x1: the whole image in one pass",
        choices=("auto", "CxR (1x1 to 9x9)"),
        pattern=r"auto|[1-9]x[1-9]",
    )
    tile_size: int = _param(
        256,
        "longer side of the input for a tile, pixels",
        minimum=64,
        maximum=1280,
        step=32,
    )
    search_passes: int = _param(
        2,
        "tiles auto: number of passes per image that look for new people, at most half of the "
        "tiles; more where each tile would otherwise be scanned less than twice a second",
        minimum=1,
        maximum=100,
    )
    max_passes: int = _param(
        0,
        "tiles auto: maximum number of passes per image, which bounds the time; people in tiles "
        "that are left out keep their state; 0: no limit",
        minimum=0,
        maximum=100,
    )
    input_size: int = _param(
        512,
        "one pass: longer side of the input, pixels; a smaller one is faster, a larger one finds "
        "smaller people",
        minimum=64,
        maximum=1280,
        step=32,
    )


@dataclass(frozen=True, slots=True)
class TrackerConfig(_Group):
    """How detections become tracks, and which tracks are published."""

    prefix: ClassVar[str] = "tracker"

    association: str = _param(
        "robust",
        "how detections are assigned to tracks: robust, or classic (PoseFlow as published)",
        choices=("robust", "classic"),
    )
    min_pose_score: float = _param(
        0.25,
        "detections below this confidence are ignored, [0, 1]; the confidence is the mean of the "
        "person's score and the mean keypoint score",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    confident_pose_score: float = _param(
        0.4,
        "robust: detections below this confidence extend existing tracks but do not start new "
        "ones, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    max_lost_s: float = _param(
        20.0,
        "robust: how long a lost track is kept, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    flow_window_s: float = _param(
        0.0,
        "robust: delay the output by this long to improve it, seconds; 0: no delay",
        minimum=0.0,
        maximum=60.0,
    )
    camera_motion: bool = _param(
        True,
        "robust: compensate for the motion of the camera; false saves time if the camera does "
        "not move",
    )
    publish_lost: bool = _param(
        False,
        "also publish tracks without a detection in the image, as STATE_LOST",
        live=True,
    )
    publish_tentative: bool = _param(
        False,
        "also publish tracks that are not confirmed yet, as STATE_TENTATIVE",
        live=True,
    )


@dataclass(frozen=True, slots=True)
class ClassicConfig(_Group):
    """Parameters of the `classic` association only, named as in the PoseFlow program."""

    prefix: ClassVar[str] = "classic"

    orb_features: int = _param(
        1000,
        "maximum number of ORB features per image; 0: no correspondences",
        minimum=0,
        maximum=10000,
    )
    num: int = _param(
        7,
        "number of keypoints, the most similar ones, used for the similarity of two poses",
        minimum=1,
        maximum=100,
        live=True,
    )
    mag: float = _param(
        30.0,
        "half the side of the box around a keypoint, pixels",
        minimum=1.0,
        maximum=1000.0,
        live=True,
    )
    match: float = _param(
        0.2,
        "minimum grade at which a detection extends a track, [0, 6]: correspondences 1 + 1, "
        "IoU 2 + 2",
        minimum=0.0,
        maximum=6.0,
        live=True,
    )
    link_len: int = _param(
        100,
        "number of frames for which a lost track is kept",
        minimum=1,
        maximum=10000,
        live=True,
    )


@dataclass(frozen=True, slots=True)
class CamerasConfig(_Group):
    """The cameras, and the settings of their subscriptions."""

    prefix: ClassVar[str] = "cameras"

    names: tuple[str, ...] = _param(
        ("",),
        "names of the cameras, used in their topics: front/image and ~/front/tracked_poses; a "
        "single camera may have no name: image and ~/tracked_poses",
    )
    image_transport: tuple[str, ...] = _param(
        ("raw",),
        "type of the image topic: raw (sensor_msgs/Image) or compressed (CompressedImage); one "
        "for all cameras or one for each",
        choices=("raw", "compressed"),
    )
    reliability: str = _param(
        "auto",
        "QoS reliability of the image subscriptions; auto: reliable if all publishers offer it",
        choices=("auto", "reliable", "best_effort"),
    )
    replay: bool = _param(
        False,
        "for bags: process every image in order, drop none, and use /clock",
    )
    rectified: tuple[str, ...] = _param(
        ("auto",),
        "whether images are rectified, so that P of camera_info applies and not K and D; auto: if "
        "a part of the image topic's name begins with image_rect; one for all cameras or one for "
        "each",
        choices=("auto", "true", "false"),
    )
    rotate: tuple[int, ...] = _param(
        (0,),
        "clockwise rotation that makes an image upright, degrees, for a camera that is mounted "
        "sideways or upside down; keypoints and boxes refer to the image as received; one for "
        "all cameras or one for each",
        choices=("0", "90", "180", "270"),
    )
    mono16_range: tuple[int, ...] = _param(
        (0, 0),
        "values of 16-bit images that become black and white; 0, 0: percentiles of the image, "
        "smoothed over time",
        minimum=0,
        maximum=65535,
    )
    max_backward_s: float = _param(
        1.0,
        "an image whose stamp is older than that of the image before is dropped up to this "
        "difference, and resets the tracking beyond it, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    max_image_age_s: float = _param(
        0.0,
        "drop images that are older than this when processing starts, seconds; 0: no limit",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )

    def _check_together(self) -> None:
        self._check_names()
        self._check_range()
        if self.replay and self.max_image_age_s > 0:
            raise ConfigError(
                f"cameras.max_image_age_s is {self.max_image_age_s:g}, must be 0 if "
                "cameras.replay is true: replay drops no images"
            )
        if self.replay and self.reliability == "best_effort":
            raise ConfigError(
                "cameras.reliability is 'best_effort', must be auto or reliable if "
                "cameras.replay is true: best effort loses images"
            )

    def _check_names(self) -> None:
        names = list(self.names)
        for name in names:
            if names != [""] and not re.fullmatch(NAME_PATTERN, name):
                raise ConfigError(
                    f"cameras.names is {names}, but {name!r} is not a valid name: letters, "
                    "digits and _, not starting with a digit"
                )
        if len(set(names)) < len(names):
            raise ConfigError(f"cameras.names is {names}, must not contain a name twice")
        for field_name in ("image_transport", "rectified", "rotate"):
            self.check_each(f"cameras.{field_name}", getattr(self, field_name))

    def check_each(self, name: str, values: Sequence[object]) -> None:
        """Raise ConfigError unless there is one value for all cameras or one for each."""
        if len(values) not in (1, len(self.names)):
            raise ConfigError(
                f"{name} is {list(values)}, must be one for all cameras or one for each of "
                f"{list(self.names)}"
            )

    def _check_range(self) -> None:
        values = self.mono16_range
        if values != (0, 0) and not (len(values) == 2 and values[0] < values[1]):
            raise ConfigError(
                f"cameras.mono16_range is {list(values)}, must be two values, the first below "
                "the second, or 0, 0"
            )

    def of(self, camera: str, values: Sequence[Any]) -> Any:
        """Return a camera's value where there is one for all cameras or one for each."""
        return values[0] if len(values) == 1 else values[self.names.index(camera)]


@dataclass(frozen=True, slots=True)
class DepthConfig(_Group):
    """The 3D positions of people."""

    prefix: ClassVar[str] = "depth"

    target_frame: str = _param(
        "",
        "TF frame of the 3D positions; empty: the optical frame of the camera",
    )
    image_transport: tuple[str, ...] = _param(
        ("raw",),
        "type of the depth topic: raw (sensor_msgs/Image) or compressed (CompressedImage: "
        "compressedDepth, PNG or RVL); one for all cameras or one for each",
        choices=("raw", "compressed"),
    )
    slop_s: float = _param(
        0.02,
        "maximum difference between the stamps of an image and its depth image, seconds",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    wait_s: float = _param(
        0.2,
        "maximum time to wait, from the arrival of an image, for its depth image, its transform "
        "and the first camera_info, seconds; only publishing waits, not the network; 0: use what "
        "has arrived",
        minimum=0.0,
        maximum=10.0,
        live=True,
    )
    max_m: float = _param(
        20.0,
        "depths beyond this are unknown, metres",
        minimum=0.1,
        maximum=1e6,
        live=True,
    )
    check_frames: bool = _param(
        True,
        "use a depth image or camera_info only if its frame_id is that of the image, or empty; "
        "false: use it anyway",
        live=True,
    )


@dataclass(frozen=True, slots=True)
class MarkersConfig(_Group):
    """Markers and annotated images."""

    prefix: ClassVar[str] = "markers"

    min_keypoint_score: float = _param(
        0.2,
        "keypoints below this score are not drawn, in markers and annotated images, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    depth_m: float = _param(
        3.0,
        "distance from the camera at which markers are drawn without depth, metres",
        minimum=0.1,
        maximum=1000.0,
        live=True,
    )
    lifetime_s: float = _param(
        1.0,
        "markers disappear when they are not updated for this long, seconds; 0: never",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )


@dataclass(frozen=True, slots=True)
class DiagnosticsConfig(_Group):
    """Thresholds for warnings and errors in the diagnostics."""

    prefix: ClassVar[str] = "diagnostics"

    warn_silence_s: float = _param(
        3.0,
        "WARN, and one line in the log, after this long without an image, seconds",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )
    error_silence_s: float = _param(
        10.0,
        "ERROR after this long without an image, seconds",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )
    warn_latency_s: float = _param(
        0.5,
        "WARN when the p99 latency, from the arrival of an image to its messages, exceeds this, "
        "seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    error_latency_s: float = _param(
        2.0,
        "ERROR when the p99 latency exceeds this, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    warn_dropped: float = _param(
        0.5,
        "WARN when this share of the images of the last 5 s was dropped, or lost by best effort, "
        "[0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    error_dropped: float = _param(
        1.0,
        "ERROR when this share was dropped or lost, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )

    def _check_together(self) -> None:
        for name in ("silence_s", "latency_s", "dropped"):
            warn, error = (getattr(self, f"{level}_{name}") for level in ("warn", "error"))
            if warn > error:
                raise ConfigError(
                    f"diagnostics.warn_{name} is {warn:g}, must not exceed "
                    f"diagnostics.error_{name}, {error:g}"
                )


@dataclass(frozen=True, slots=True)
class WindowsConfig(_Group):
    """How poses are collected for action recognition."""

    prefix: ClassVar[str] = "windows"

    duration_s: float = _param(3.0, "length of a window, seconds", minimum=0.1, maximum=60.0)
    rate_hz: float = _param(
        30.0, "rate to which poses are resampled, Hz", minimum=1.0, maximum=120.0
    )
    stride_s: float = _param(
        0.5,
        "time from the end of a window to the end of the next one, seconds; it is rounded to "
        "whole samples, at least one",
        minimum=0.0,
        maximum=60.0,
    )
    max_gap_s: float = _param(
        0.3,
        "poses are interpolated between two observations that are at most this far apart, seconds",
        minimum=0.0,
        maximum=10.0,
    )
    min_observed: float = _param(
        0.8,
        "minimum share of the samples of a window that must be observed or interpolated, [0, 1]",
        minimum=0.01,
        maximum=1.0,
    )
    max_people: int = _param(
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
class BehaviorsConfig(_Group):
    """When a behavior is recognized. Lengths are in scales: the length of the torso."""

    prefix: ClassVar[str] = "behaviors"

    min_keypoint_score: float = _param(
        0.2, "keypoints below this score are unknown, [0, 1]", minimum=0.0, maximum=1.0
    )
    hold_s: float = _param(
        0.3,
        "a behavior becomes active after its condition has held for this long, seconds",
        minimum=0.0,
        maximum=60.0,
    )
    release_s: float = _param(
        0.3,
        "a behavior ends after its condition has failed for this long, seconds",
        minimum=0.0,
        maximum=60.0,
    )
    hysteresis: float = _param(
        0.05,
        "how far a measure must fall short of its threshold to end a state, torso lengths",
        minimum=0.0,
        maximum=0.5,
    )
    max_gap_s: float = _param(
        2.0,
        "all states of a person who was not observed for longer than this are reset, seconds",
        minimum=0.0,
        maximum=3600.0,
    )
    max_people: int = _param(
        100,
        "maximum number of people of one camera whose states are kept; the one unseen for longest "
        "makes room",
        minimum=1,
        maximum=1000,
    )
    hand_raised_min_height: float = _param(
        0.15,
        "hand raised: minimum height of the wrist above the shoulder, torso lengths",
        minimum=-1.0,
        maximum=2.0,
    )
    waving_window_s: float = _param(
        1.5, "waving: time in which swings are counted, seconds", minimum=0.5, maximum=10.0
    )
    waving_amplitude: float = _param(
        0.08,
        "waving: minimum distance of the wrist from the middle of a swing, torso lengths",
        minimum=0.01,
        maximum=1.0,
    )
    waving_min_swings: int = _param(
        3, "waving: minimum number of swings, from side to side", minimum=1, maximum=20
    )
    max_interpolation_s: float = _param(
        0.3,
        "waving: poses are interpolated between observations at most this far apart, seconds",
        minimum=0.0,
        maximum=2.0,
    )
    lying_max_rise: float = _param(
        0.38,
        "lying: maximum height of the shoulders above the hips, torso lengths",
        minimum=0.0,
        maximum=1.0,
    )
    standing_min_reach: float = _param(
        1.18,
        "standing: minimum depth of the lower ankle below the hips, torso lengths",
        minimum=0.0,
        maximum=3.0,
    )
    crouching_min_lean_deg: float = _param(
        35.0,
        "crouching, with bent legs: minimum angle of the torso from the vertical, degrees; below "
        "it the person sits",
        minimum=0.0,
        maximum=90.0,
    )
    posture_hold_s: float = _param(
        0.5,
        "a posture changes after another one has been observed for this long, seconds; where it "
        "is not observed in every image it takes a little longer",
        minimum=0.0,
        maximum=60.0,
    )
    fall_time_s: float = _param(
        2.0,
        "fallen: maximum time from standing to lying, seconds",
        minimum=0.1,
        maximum=60.0,
    )
    fallen_hold_s: float = _param(
        1.0,
        "fallen: minimum time of lying after the fall, seconds",
        minimum=0.0,
        maximum=3600.0,
    )
    facing_min_width: float = _param(
        0.35,
        "facing the camera: minimum width of the shoulders in the image, torso lengths",
        minimum=0.0,
        maximum=2.0,
    )
    pointing_min_elbow_deg: float = _param(
        150.0,
        "pointing: minimum angle at the elbow, degrees; 180: straight",
        minimum=0.0,
        maximum=180.0,
    )
    pointing_min_raise_deg: float = _param(
        45.0,
        "pointing: minimum angle between the arm and downwards, degrees",
        minimum=0.0,
        maximum=180.0,
    )
    approaching_min_speed: float = _param(
        0.3,
        "approaching: minimum speed towards the origin of the 3D frame, metres a second",
        minimum=0.0,
        maximum=10.0,
    )
    personal_m: float = _param(
        0.45, "zones: from here the personal zone, metres", minimum=0.0, maximum=100.0
    )
    social_m: float = _param(
        1.2, "zones: from here the social zone, metres", minimum=0.0, maximum=100.0
    )
    public_m: float = _param(
        3.6, "zones: from here the public zone, metres", minimum=0.0, maximum=100.0
    )
    zone_margin_m: float = _param(
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
class PosesConfig(_Group):
    """Which tracked poses the action node subscribes to."""

    prefix: ClassVar[str] = "poses"

    topics: tuple[str, ...] = _param(
        ("tracked_poses",),
        "topics of poseflow_msgs/TrackedPoseArray, one for each camera",
    )


@dataclass(frozen=True, slots=True)
class ClassifierConfig(_Group):
    """Which network classifies windows of poses, and what it takes."""

    prefix: ClassVar[str] = "classifier"

    model: str = _param(
        "",
        "file of the network: .onnx (ONNX Runtime), .pt or .pts (TorchScript); empty: behaviors "
        "are published, actions are not",
    )
    labels: str = _param(
        "", "text file with the name of an action in each line, in the order of the outputs"
    )
    layout: str = _param(
        "nmtvc",
        "input: nmtvc (N, M, T, K, 3) of pyskl and MMAction2, nctvm (N, 3, T, K, M) of ST-GCN, or "
        "heatmaps (N, K, T, 64, 64) of PoseC3D",
        choices=("nmtvc", "nctvm", "heatmaps"),
    )
    normalization: str = _param(
        "pyskl",
        "coordinates of nmtvc and nctvm: pyskl [-1, 1], stgcn [-0.5, 0.5], or none (pixels)",
        choices=("pyskl", "stgcn", "none"),
    )
    keypoints: str = _param("coco17", "keypoints of the input", choices=("coco17", "openpose18"))
    frames: int = _param(
        100,
        "T, number of samples of the input, taken uniformly from a window",
        minimum=1,
        maximum=1000,
    )
    people: int = _param(
        2,
        "M, number of people of nmtvc and nctvm; those after the first are zeros",
        minimum=1,
        maximum=10,
    )
    outputs: str = _param(
        "logits",
        "outputs of the network: logits, of which the softmax is published, or scores",
        choices=("logits", "scores"),
    )
    top: int = _param(
        3, "number of labels that are published for each person", minimum=1, maximum=100
    )
    max_batch: int = _param(
        16, "maximum number of people in one call of the network", minimum=1, maximum=256
    )
    device: str = _param("cpu", "device of the network", choices=("cpu", "cuda"))
    threads: int = _param(
        0, "CPU threads of the network; 0: the library's choice", minimum=0, maximum=64
    )


ConfigT = TypeVar("ConfigT", bound="NodeConfig")


class NodeConfig:
    """All parameters of a node, in groups, each of which is a field."""

    __slots__ = ()

    @classmethod
    def groups(cls) -> dict[str, Any]:
        """Return the class of each group by its prefix."""
        return {item.name: item.default_factory for item in fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def from_parameters(cls: type[ConfigT], values: Mapping[str, object]) -> ConfigT:
        """Return the configuration with these values and the defaults of the rest.

        Args:
            values: full parameter name -> value.

        Raises:
            ConfigError: an unknown name, a wrong type or a value out of its range.
        """
        groups = cls.groups()
        given: dict[str, dict[str, object]] = {prefix: {} for prefix in groups}
        known = parameter_names(cls)
        for name, value in values.items():
            if name not in known:
                raise ConfigError(unknown_parameter(name, known))
            prefix, _, field_name = name.partition(".")
            given[prefix][field_name] = value
        return cls(**{prefix: groups[prefix](**fields_) for prefix, fields_ in given.items()})

    def as_parameters(self) -> dict[str, Any]:
        """Return every parameter's full name and value."""
        return {
            parameter.name: getattr(getattr(self, prefix), field_name)
            for parameter in parameters(type(self))
            for prefix, _, field_name in [parameter.name.partition(".")]
        }


@dataclass(frozen=True, slots=True)
class Config(NodeConfig):
    """All parameters of the PoseFlow node."""

    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)
    movenet: MovenetConfig = field(default_factory=MovenetConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    classic: ClassicConfig = field(default_factory=ClassicConfig)
    cameras: CamerasConfig = field(default_factory=CamerasConfig)
    depth: DepthConfig = field(default_factory=DepthConfig)
    markers: MarkersConfig = field(default_factory=MarkersConfig)
    diagnostics: DiagnosticsConfig = field(default_factory=DiagnosticsConfig)

    def __post_init__(self) -> None:
        self.cameras.check_each("depth.image_transport", self.depth.image_transport)


@dataclass(frozen=True, slots=True)
class ActionConfig(NodeConfig):
    """All parameters of the action node."""

    poses: PosesConfig = field(default_factory=PosesConfig)
    windows: WindowsConfig = field(default_factory=WindowsConfig)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    behaviors: BehaviorsConfig = field(default_factory=BehaviorsConfig)


def parameters(config: type[NodeConfig] = Config) -> Iterator[Parameter]:
    """Yield every parameter of a node, group by group."""
    for prefix, group in config.groups().items():
        for item in fields(group):
            yield Parameter(f"{prefix}.{item.name}", item.default, item.metadata["spec"])


def choices(name: str) -> tuple[str, ...]:
    """Return the allowed strings of a parameter, by its full name."""
    return next(parameter.spec.choices for parameter in parameters() if parameter.name == name)


def parameter_names(config: type[NodeConfig] = Config) -> list[str]:
    """Return the full names of all parameters of a node."""
    return [parameter.name for parameter in parameters(config)]


def unknown_parameter(name: object, known: Sequence[str] = ()) -> str:
    """Return one line about a parameter that does not exist, with the closest name if any.

    Args:
        name: of the parameter.
        known: the names that exist; empty: those of the PoseFlow node.
    """
    known = known or parameter_names()
    # Without its group a name is still recognized.
    full_names = {full.partition(".")[2]: full for full in known} | {full: full for full in known}
    given = str(name)
    near = [part for part in (given, given.rpartition(".")[2]) if part in full_names]
    near = near or difflib.get_close_matches(given, full_names, n=1)
    hint = f"did you mean {full_names[near[0]]}?" if near else "known: " + ", ".join(known)
    return f"unknown parameter {name}; {hint}"
