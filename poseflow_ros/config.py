"""Every parameter once: its default, range, unit and meaning.

The groups are what the parts of the program are made from; their field names are the names of
the ROS parameters, which are flat.
"""

import contextlib
import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

NAME_PATTERN = "[A-Za-z_][A-Za-z0-9_]*"
"""What a part of a topic's name looks like, without the tricks that ROS allows."""


class ConfigError(ValueError):
    """A parameter that cannot be used; the text names it, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a parameter means and what it may be.

    Attributes:
        description: one line, with the unit.
        minimum, maximum: the allowed range, both ends included; None where there is none.
        step: the value is a multiple of it; 0 for any.
        choices: the allowed words, of a list for each of its words; empty for any.
        pattern: what decides in place of the choices, where N among them stands for a number.
        live: it may change while the node is active, and counts from the next image on.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    step: int = 0
    choices: tuple[str, ...] = ()
    pattern: str = ""
    live: bool = False

    def allowed(self) -> str:
        """Return what is allowed, in words."""
        if self.choices:
            return "must be one of " + ", ".join(self.choices)
        if self.minimum is None or self.maximum is None:
            return ""
        words = f"must be from {self.minimum:g} to {self.maximum:g}"
        return words + f" in steps of {self.step}" if self.step else words

    def admits(self, value: object) -> bool:
        """Return whether the value, of the right type, is allowed."""
        if self.pattern:
            return re.fullmatch(self.pattern, str(value)) is not None
        if self.choices:
            words = value if isinstance(value, tuple) else (value,)
            return all(word in self.choices for word in words)
        if self.minimum is None or self.maximum is None or not isinstance(value, int | float):
            return True
        in_range = math.isfinite(value) and self.minimum <= value <= self.maximum
        return in_range and not (self.step and value % self.step)


def _param(default: Any, description: str, **limits: Any) -> Any:
    return field(default=default, metadata={"spec": Spec(description, **limits)})


def spec_of(item: Field[Any]) -> Spec:
    """Return the specification of one parameter's field."""
    spec: Spec = item.metadata["spec"]
    return spec


def _check(name: str, value: object, item: Field[Any]) -> object:
    """Return the value in its parameter's type; raise ConfigError where it cannot be used."""
    kind, given = type(item.default), value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            value = float(value)
    if kind is tuple:
        value = _words(name, value)
    if type(value) is not kind:
        raise ConfigError(f"{name} is {value!r}, must be of type {kind.__name__}")
    spec = spec_of(item)
    if not spec.admits(value):
        raise ConfigError(f"{name} is {given!r}, {spec.allowed()}")
    return value


def _words(name: str, value: object) -> tuple[str, ...]:
    """Return a list of words; one alone is a list of one."""
    if isinstance(value, str):
        return (value,)
    words = tuple(value) if isinstance(value, Sequence) else ()
    if not words or not all(isinstance(word, str) for word in words):
        raise ConfigError(f"{name} is {value!r}, must be a list of at least one str")
    return words


class _Checked:
    """Checks every field once, at construction."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            value = _check(item.name, getattr(self, item.name), item)
            object.__setattr__(self, item.name, value)
        self._check_together()

    def _check_together(self) -> None:
        """Raise ConfigError where values that are allowed alone cannot be used together."""


@dataclass(frozen=True, slots=True)
class EstimatorConfig(_Checked):
    """Which network finds the poses, and how."""

    estimator: str = _param(
        "auto",
        "network that finds the poses: detectron2 or keypoint_rcnn (torchvision), best on a GPU; "
        "movenet (CPU); auto: the first of them whose library and device are available",
    )
    weights: str = _param(
        "default",
        "file of the network's weights; default: the published ones, downloaded if they are "
        "missing",
    )
    detectron2_config: str = _param(
        "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml",
        "detectron2: the network, a keypoint configuration of its model zoo or a path",
    )
    device: str = _param(
        "auto",
        "Keypoint R-CNN: device; auto: cuda if it is available, otherwise cpu",
        choices=("auto", "cpu", "cuda", "cuda:N"),
        pattern=r"auto|cpu|cuda(:\d+)?",
    )
    precision: str = _param(
        "auto",
        "Keypoint R-CNN: precision of the network; auto: float16 on a GPU, float32 on a CPU",
        choices=("auto", "float32", "float16", "bfloat16"),
    )
    compile: bool = _param(
        False,
        "Keypoint R-CNN: compile the network with torch, which takes a minute per image size",
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
        "Keypoint R-CNN: maximum number of people per image, those of the highest score",
        minimum=1,
        maximum=100,
    )
    min_person_score: float = _param(
        0.1, "minimum score of a person that the network returns, [0, 1]", minimum=0.0, maximum=1.0
    )
    input_size: int = _param(
        512,
        "MoveNet: longer side of the input, pixels; smaller is faster, larger finds smaller "
        "people",
        minimum=64,
        maximum=1280,
        step=32,
    )
    threads: int = _param(
        0, "CPU threads of the network; 0: one per core, at most four", minimum=0, maximum=64
    )


@dataclass(frozen=True, slots=True)
class MatcherConfig(_Checked):
    """How correspondences between consecutive images are found."""

    camera_motion: bool = _param(
        True,
        "robust: take the motion of the camera out of that of people; false saves time where the "
        "camera stands still",
    )
    orb_features: int = _param(
        1000,
        "classic: ORB features looked for in an image; 0: no correspondences",
        minimum=0,
        maximum=10000,
    )


@dataclass(frozen=True, slots=True)
class TrackerConfig(_Checked):
    """How poses become people over time."""

    association: str = _param(
        "robust",
        "how poses are given to tracks: robust, or classic (PoseFlow as published)",
        choices=("robust", "classic"),
    )
    min_pose_score: float = _param(
        0.25,
        "poses of less are not tracked, [0, 1]: half the person's score, half the keypoints' mean",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    confident_pose_score: float = _param(
        0.4,
        "robust: poses of less continue people, but begin none, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    max_lost_s: float = _param(
        20.0,
        "robust: for how long a person who is not seen is remembered, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    flow_window_s: float = _param(
        0.0,
        "robust: seconds by which the answer is held back to be better; 0: at once",
        minimum=0.0,
        maximum=60.0,
    )
    num: int = _param(
        7, "classic: keypoints that count in the similarity of two poses, the best ones",
        minimum=1, maximum=100,
        live=True,
    )  # fmt: skip
    mag: float = _param(
        30.0,
        "classic: how far the box around a keypoint reaches to each side, pixels",
        minimum=1.0,
        maximum=1000.0,
        live=True,
    )
    match: float = _param(
        0.2,
        "classic: grade above which a pose continues a track, [0, 6]: correspondences 1 + 1, "
        "IoU 2 + 2",
        minimum=0.0,
        maximum=6.0,
        live=True,
    )
    link_len: int = _param(
        100,
        "classic: frames for which a person who is not seen is remembered",
        minimum=1,
        maximum=10000,
        live=True,
    )


@dataclass(frozen=True, slots=True)
class NodeConfig(_Checked):
    """How the node talks to the rest of the robot."""

    cameras: tuple[str, ...] = _param(
        ("",),
        "names of the cameras; each is a part of its topics' names: front/image and "
        "~/front/tracked_poses; one without a name: image and ~/tracked_poses",
    )
    image_transport: tuple[str, ...] = _param(
        ("raw",),
        "type of the image topic: raw (sensor_msgs/Image) or compressed (CompressedImage); one "
        "for all cameras or one for each",
        choices=("raw", "compressed"),
    )
    image_reliability: str = _param(
        "auto",
        "QoS reliability of the input; auto: reliable where all publishers offer it",
        choices=("auto", "reliable", "best_effort"),
    )
    replay: bool = _param(
        False,
        "true, for bags: every image is processed in order, none is dropped, and the clock is "
        "/clock",
    )
    max_image_age_s: float = _param(
        0.0,
        "images older than this when their turn comes are dropped, seconds; 0: none is too old",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    target_frame: str = _param(
        "",
        "frame of 3D positions, through TF; empty: the camera's optical frame",
    )
    depth_slop_s: float = _param(
        0.02,
        "how far the stamps of an image and its depth image may lie apart, seconds",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    estimator_timeout_s: float = _param(
        30.0,
        "a network busy for longer with one image is given up: the node goes through its error "
        "transition to unconfigured; seconds; 0: never",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    publish_lost: bool = _param(
        False,
        "true: people not seen in this image are published too, as STATE_LOST",
        live=True,
    )
    publish_tentative: bool = _param(
        False,
        "true: what may turn out to be no person is published too, as STATE_TENTATIVE",
        live=True,
    )
    min_keypoint_score: float = _param(
        0.2,
        "keypoints with a lower score are not drawn, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    marker_depth_m: float = _param(
        3.0,
        "distance of the plane that markers lie on where there is no depth, metres",
        minimum=0.1,
        maximum=1000.0,
        live=True,
    )
    marker_lifetime_s: float = _param(
        1.0, "markers vanish when not renewed for this long, seconds; 0: never",
        minimum=0.0, maximum=3600.0,
        live=True,
    )  # fmt: skip
    warn_silence_s: float = _param(
        3.0,
        "diagnostics WARN, and a line in the log, after so long without an image, seconds",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )
    error_silence_s: float = _param(
        10.0,
        "diagnostics ERROR after so long without an image, seconds",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )
    warn_latency_s: float = _param(
        0.5,
        "diagnostics WARN where the p99 latency, from receiving an image to publishing its "
        "messages, exceeds this, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    error_latency_s: float = _param(
        2.0,
        "diagnostics ERROR where the p99 latency exceeds this, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    warn_dropped: float = _param(
        0.5,
        "diagnostics WARN where this share of the latest 5 s' images is dropped, or lost on the "
        "way by best effort, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    error_dropped: float = _param(
        1.0,
        "diagnostics ERROR where this share is dropped or lost, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )

    def _check_together(self) -> None:
        self._check_cameras()
        if self.replay and self.max_image_age_s > 0:
            raise ConfigError(
                f"max_image_age_s is {self.max_image_age_s:g}, must be 0 where replay is true, "
                "which drops no image"
            )
        if self.replay and self.image_reliability == "best_effort":
            raise ConfigError(
                "image_reliability is 'best_effort', must be auto or reliable where replay is "
                "true: best effort loses images"
            )
        for name in ("silence_s", "latency_s", "dropped"):
            warn, error = (getattr(self, f"{level}_{name}") for level in ("warn", "error"))
            if warn > error:
                raise ConfigError(
                    f"warn_{name} is {warn:g}, must be no more than error_{name}, {error:g}"
                )

    def _check_cameras(self) -> None:
        names = list(self.cameras)
        for name in names:
            if names != [""] and not re.fullmatch(NAME_PATTERN, name):
                raise ConfigError(
                    f"cameras is {names}, but {name!r} is no name: letters, digits and _, which "
                    "does not begin with a digit"
                )
        if len(set(names)) < len(names):
            raise ConfigError(f"cameras is {names}, must be names that differ")
        if len(self.image_transport) not in (1, len(names)):
            raise ConfigError(
                f"image_transport is {list(self.image_transport)}, must be one for all cameras "
                f"or one for each of {names}"
            )

    @property
    def transports(self) -> dict[str, str]:
        """The image transport of each camera, by its name."""
        each = self.image_transport
        if len(each) == 1:
            each *= len(self.cameras)
        return dict(zip(self.cameras, each, strict=True))


@dataclass(frozen=True, slots=True)
class Config:
    """All parameters, in groups."""

    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)
    matcher: MatcherConfig = field(default_factory=MatcherConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    node: NodeConfig = field(default_factory=NodeConfig)

    @classmethod
    def from_parameters(cls, values: Mapping[str, object]) -> "Config":
        """Return the configuration with these values and the defaults of the rest.

        Args:
            values: parameter name -> value.

        Raises:
            ConfigError: an unknown name, a wrong type or a value out of its range.
        """
        known = [item.name for item in parameters()]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(known)
                raise ConfigError(f"unknown parameter {name}; {hint}")
        return cls(
            **{
                name: group(**{i.name: values[i.name] for i in fields(group) if i.name in values})
                for name, group in _GROUPS.items()
            }
        )

    def as_parameters(self) -> dict[str, Any]:
        """Return every parameter's name and value."""
        groups = [getattr(self, name) for name in _GROUPS]
        return {item.name: getattr(group, item.name) for group in groups for item in fields(group)}


_GROUPS: dict[str, Any] = {item.name: item.default_factory for item in fields(Config)}


def parameters() -> Iterator[Field[Any]]:
    """Yield the field of every parameter, group by group."""
    for group in _GROUPS.values():
        yield from fields(group)
