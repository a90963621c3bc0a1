"""Every parameter of the PoseFlow node once: its default, range, unit and meaning."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from poseflow_ros.parameter_group import ConfigError, Group, NodeConfig, param, parameters

NAME_PATTERN = "[A-Za-z_][A-Za-z0-9_]*"
"""Regular expression of one part of a topic name."""


@dataclass(frozen=True, slots=True)
class EstimatorConfig(Group):
    """The pose estimation network and its settings."""

    prefix: ClassVar[str] = "estimator"

    name: str = param(
        "auto",
        "pose estimation network: detectron2 or keypoint_rcnn (torchvision), best on a GPU; "
        "movenet (CPU); onnx: the model in the file estimator.weights; auto: the first of "
        "detectron2, keypoint_rcnn and movenet whose library and device are available",
    )
    weights: str = param(
        "default",
        "file of the network's weights; default: the published ones, downloaded if they are "
        "missing",
    )
    device: str = param(
        "auto",
        "Keypoint R-CNN and ONNX: device; auto: cuda if it is available, otherwise cpu; ONNX: "
        "OpenVINO before cpu",
        choices=("auto", "cpu", "cuda", "cuda:N"),
        pattern=r"auto|cpu|cuda(:\d+)?",
    )
    precision: str = param(
        "auto",
        "Keypoint R-CNN and ONNX: precision of the network; auto: float16 on a GPU, float32 on a "
        "CPU; ONNX: that of the file, float16 with TensorRT",
        choices=("auto", "float32", "float16", "bfloat16"),
    )
    compile: bool = param(
        False,
        "Keypoint R-CNN: compile the network with torch, which takes minutes when the node is "
        "configured",
    )
    cuda_graphs: str = param(
        "auto",
        "Keypoint R-CNN: launch a pass through the network as CUDA graphs, captured for each "
        "image size and number of cameras; auto: on a GPU, without graphs if the capture fails",
        choices=("auto", "true", "false"),
    )
    detectron2_config: str = param(
        "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml",
        "detectron2: keypoint configuration, by its name in the model zoo or by its path",
    )
    detector_weights: str = param(
        "",
        "ONNX: file of the person detector that a top-down model needs",
    )
    onnx_input_size: int = param(
        0,
        "ONNX: longer side of the input of models that accept any size, pixels; 0: that of the "
        "export, otherwise 640",
        minimum=0,
        maximum=4096,
    )
    image_min_side: int = param(
        800,
        "Keypoint R-CNN: scale images so that the shorter side has this many pixels",
        minimum=32,
        maximum=4096,
    )
    image_max_side: int = param(
        1333,
        "Keypoint R-CNN: maximum of the longer side after scaling, pixels",
        minimum=32,
        maximum=8192,
    )
    max_people: int = param(
        20,
        "Keypoint R-CNN and ONNX: maximum number of people per image; the highest scores are kept",
        minimum=1,
        maximum=100,
    )
    min_person_score: float = param(
        0.1, "people with a score below this are discarded, [0, 1]", minimum=0.0, maximum=1.0
    )
    threads: int = param(
        0, "CPU threads of the network; 0: one per core, at most four", minimum=0, maximum=64
    )
    timeout_s: float = param(
        30.0,
        "maximum time that the network may take for one image, seconds; if it is exceeded, the "
        "node goes through its error transition to unconfigured; 0: no limit",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )


@dataclass(frozen=True, slots=True)
class MovenetConfig(Group):
    """Parameters of MoveNet only."""

    prefix: ClassVar[str] = "movenet"

    tiles: str = param(
        "auto",
        "overlapping tiles in which the network looks for people; auto: around the people who are "
        "expected, and in turn elsewhere; 4x3: columns and rows, all of them and the whole image, "
        "every image; 1x1: the whole image in one pass",
        choices=("auto", "CxR (1x1 to 9x9)"),
        pattern=r"auto|[1-9]x[1-9]",
    )
    tile_size: int = param(
        256,
        "longer side of the input for a tile, pixels",
        minimum=64,
        maximum=1280,
        step=32,
    )
    search_passes: int = param(
        1,
        "tiles auto: number of passes per image that look for new people, at most half of the "
        "tiles; more where each tile would otherwise be scanned less than twice a second",
        minimum=1,
        maximum=100,
    )
    max_passes: int = param(
        0,
        "tiles auto: maximum number of passes per image, which bounds the time; people in tiles "
        "that are left out keep their state; 0: no limit",
        minimum=0,
        maximum=100,
    )
    keep_up: bool = param(
        True,
        "tiles auto: leave out up to half of the passes where otherwise images would be dropped; "
        "without effect with cameras.replay",
    )
    input_size: int = param(
        512,
        "one pass: longer side of the input, pixels; a smaller one is faster, a larger one finds "
        "smaller people",
        minimum=64,
        maximum=1280,
        step=32,
    )


@dataclass(frozen=True, slots=True)
class TrackerConfig(Group):
    """How detections become tracks, and which tracks are published."""

    prefix: ClassVar[str] = "tracker"

    association: str = param(
        "robust",
        "how detections are assigned to tracks: robust, or classic (PoseFlow as published)",
        choices=("robust", "classic"),
    )
    min_pose_score: float = param(
        0.25,
        "detections below this confidence are ignored, [0, 1]; the confidence is the mean of the "
        "person's score and the mean keypoint score",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    confident_pose_score: float = param(
        0.4,
        "robust: detections below this confidence extend existing tracks but do not start new "
        "ones, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    max_lost_s: float = param(
        20.0,
        "robust: how long a lost track is kept, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    flow_window_s: float = param(
        0.0,
        "robust: delay the output by this long to improve it, seconds; 0: no delay",
        minimum=0.0,
        maximum=60.0,
    )
    camera_motion: bool = param(
        True,
        "robust: compensate for the motion of the camera; false saves time if the camera does "
        "not move",
    )
    publish_lost: bool = param(
        False,
        "also publish tracks without a detection in the image, as STATE_LOST",
        live=True,
    )
    publish_tentative: bool = param(
        False,
        "also publish tracks that are not confirmed yet, as STATE_TENTATIVE",
        live=True,
    )


@dataclass(frozen=True, slots=True)
class ClassicConfig(Group):
    """Parameters of the `classic` association only, named as in the PoseFlow program."""

    prefix: ClassVar[str] = "classic"

    orb_features: int = param(
        1000,
        "maximum number of ORB features per image; 0: no correspondences",
        minimum=0,
        maximum=10000,
    )
    num: int = param(
        7,
        "number of keypoints, the most similar ones, used for the similarity of two poses",
        minimum=1,
        maximum=100,
        live=True,
    )
    mag: float = param(
        30.0,
        "half the side of the box around a keypoint, pixels",
        minimum=1.0,
        maximum=1000.0,
        live=True,
    )
    match: float = param(
        0.2,
        "minimum grade at which a detection extends a track, [0, 6]: correspondences 1 + 1, "
        "IoU 2 + 2",
        minimum=0.0,
        maximum=6.0,
        live=True,
    )
    link_len: int = param(
        100,
        "number of frames for which a lost track is kept",
        minimum=1,
        maximum=10000,
        live=True,
    )


@dataclass(frozen=True, slots=True)
class CamerasConfig(Group):
    """The cameras, and the settings of their subscriptions."""

    prefix: ClassVar[str] = "cameras"

    names: tuple[str, ...] = param(
        ("",),
        "names of the cameras, used in their topics: front/image and ~/front/tracked_poses; a "
        "single camera may have no name: image and ~/tracked_poses",
    )
    image_transport: tuple[str, ...] = param(
        ("raw",),
        "type of the image topic: raw (sensor_msgs/Image) or compressed (CompressedImage); one "
        "for all cameras or one for each",
        choices=("raw", "compressed"),
    )
    reliability: str = param(
        "auto",
        "QoS reliability of the image subscriptions; auto: reliable if all publishers offer it",
        choices=("auto", "reliable", "best_effort"),
    )
    replay: bool = param(
        False,
        "for bags: process every image in order, drop none, and use /clock",
    )
    rectified: tuple[str, ...] = param(
        ("auto",),
        "whether images are rectified, so that P of camera_info applies and not K and D; auto: if "
        "a part of the image topic's name begins with image_rect; one for all cameras or one for "
        "each",
        choices=("auto", "true", "false"),
    )
    rotate: tuple[int, ...] = param(
        (0,),
        "clockwise rotation that makes an image upright, degrees, for a camera that is mounted "
        "sideways or upside down; keypoints and boxes refer to the image as received; one for "
        "all cameras or one for each",
        choices=("0", "90", "180", "270"),
    )
    mono16_range: tuple[int, ...] = param(
        (0, 0),
        "values of 16-bit images that become black and white; 0, 0: percentiles of the image, "
        "smoothed over time",
        minimum=0,
        maximum=65535,
    )
    max_backward_s: float = param(
        1.0,
        "an image whose stamp is older than that of the image before is dropped up to this "
        "difference, and resets the tracking beyond it, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    max_image_age_s: float = param(
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
class DepthConfig(Group):
    """The 3D positions of people."""

    prefix: ClassVar[str] = "depth"

    target_frame: str = param(
        "",
        "TF frame of the 3D positions; empty: the optical frame of the camera",
    )
    image_transport: tuple[str, ...] = param(
        ("raw",),
        "type of the depth topic: raw (sensor_msgs/Image) or compressed (CompressedImage: "
        "compressedDepth, PNG or RVL); one for all cameras or one for each",
        choices=("raw", "compressed"),
    )
    slop_s: float = param(
        0.02,
        "maximum difference between the stamps of an image and its depth image, seconds",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    wait_s: float = param(
        0.2,
        "maximum time to wait, from the arrival of an image, for its depth image, its transform "
        "and the first camera_info, seconds; only publishing waits, not the network; 0: use what "
        "has arrived",
        minimum=0.0,
        maximum=10.0,
        live=True,
    )
    max_m: float = param(
        20.0,
        "depths beyond this are unknown, metres",
        minimum=0.1,
        maximum=1e6,
        live=True,
    )
    check_frames: bool = param(
        True,
        "use a depth image or camera_info only if its frame_id is that of the image, or empty; "
        "false: use it anyway",
        live=True,
    )


@dataclass(frozen=True, slots=True)
class MarkersConfig(Group):
    """Markers and annotated images."""

    prefix: ClassVar[str] = "markers"

    min_keypoint_score: float = param(
        0.2,
        "keypoints below this score are not drawn, in markers and annotated images, [0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    depth_m: float = param(
        3.0,
        "distance from the camera at which markers are drawn without depth, metres",
        minimum=0.1,
        maximum=1000.0,
        live=True,
    )
    lifetime_s: float = param(
        1.0,
        "markers disappear when they are not updated for this long, seconds; 0: never",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    behaviors: bool = param(
        False,
        "write behaviors beside the track ids, in markers and annotated images; they are "
        "recognized only while somebody subscribes to one of these",
    )


@dataclass(frozen=True, slots=True)
class DiagnosticsConfig(Group):
    """Thresholds for warnings and errors in the diagnostics."""

    prefix: ClassVar[str] = "diagnostics"

    warn_silence_s: float = param(
        3.0,
        "WARN, and one line in the log, after this long without an image, seconds",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )
    error_silence_s: float = param(
        10.0,
        "ERROR after this long without an image, seconds",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )
    warn_latency_s: float = param(
        0.5,
        "WARN when the p99 latency, from the arrival of an image to its messages, exceeds this, "
        "seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    error_latency_s: float = param(
        2.0,
        "ERROR when the p99 latency exceeds this, seconds",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    warn_dropped: float = param(
        0.5,
        "WARN when this share of the images of the last 5 s was dropped, or lost by best effort, "
        "[0, 1]",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    error_dropped: float = param(
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


def choices(name: str) -> tuple[str, ...]:
    """Return the allowed strings of a parameter, by its full name."""
    return next(
        parameter.spec.choices for parameter in parameters(Config) if parameter.name == name
    )
