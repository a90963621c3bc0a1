"""Simulated detections of a crowd, frame by frame, with ground truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from poseflow_ros.bench.camera import Camera
from poseflow_ros.bench.camera_motion import camera_motion
from poseflow_ros.bench.camera_view import CameraView, look
from poseflow_ros.bench.crowd import Crowd
from poseflow_ros.bench.detector import MIN_VISIBLE, Detector, cut
from poseflow_ros.bench.detector_model import DetectorModel
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.scene import Scene
from poseflow_ros.imaging.camera_motion import estimate_camera_motion
from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.tracking.cues import Cues

_LIMITS = {
    "people": (1, 1000),
    "seconds": (0.1, 86400),
    "seed": (0, 2**32 - 1),
    "fps": (1, 120),
    "rotation_deg_s": (1, 360),
}

_BACKGROUND_MATCHES, _MATCHES_ON_PERSON = 300, 6
_OUTLIERS, _MATCH_STD_PX = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a simulation.

    Attributes:
        people: number of people; most of them are in the image.
        seconds: duration.
        seed: of the world and the detector; equal seeds give equal simulations.
        fps: images per second; the simulated world does not depend on it.
        scene: the place and the behaviour of its people.
        camera: how the camera moves, one of `CAMERA_MOTIONS`.
        rotation_deg_s: the highest pan rate of a camera that rotates.
        correspondences: whether correspondences are simulated for a moving camera.
        model: of the detector.

    Raises:
        BenchError: a number is out of its range.
    """

    people: int
    seconds: float
    seed: int
    fps: float
    scene: Scene
    camera: str
    rotation_deg_s: float
    correspondences: bool
    model: DetectorModel

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise BenchError(f"{name} is {value}, must be from {low:g} to {high:g}")

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return max(1, round(self.seconds * self.fps))


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedFrame:
    """One frame.

    Attributes:
        stamp_s: seconds.
        truth_ids: (T,) true ids of the people of whom at least a quarter is visible.
        truth_boxes: (T, 4) pixels, of their whole bodies, clipped at the image border only.
        poses: the detections.
        matches: (C, 4) correspondences with the previous frame; (0, 4) for a camera at rest or
            without simulated correspondences.
    """

    stamp_s: float
    truth_ids: IntArray
    truth_boxes: FloatArray
    poses: Poses
    matches: FloatArray

    @property
    def cues(self) -> Cues:
        """The cues of the frame; appearances are not simulated."""
        camera_motion = estimate_camera_motion(self.matches, self.poses.boxes)
        return Cues(camera_motion, self.matches, np.zeros((len(self.poses), 0)))


def simulate(settings: Settings) -> Iterator[SimulatedFrame]:
    """Yield one frame after another; only the previous one is kept in memory."""
    rngs = [np.random.default_rng([settings.seed, i]) for i in range(4)]
    camera = Camera(settings.people, settings.scene)
    crowd = Crowd(camera, rngs[0])
    motion = camera_motion(settings.camera, camera, rngs[1], settings.rotation_deg_s)
    matched = settings.correspondences and settings.camera != "still"
    detector = Detector(settings.model, camera, rngs[2])
    previous: CameraView | None = None
    for k in range(settings.n_frames):
        stamp_s = k / settings.fps
        view = look(camera, crowd.at(stamp_s), motion.at(stamp_s))
        matches = np.zeros((0, 4))
        if previous is not None and matched:
            matches = _correspondences(previous, view, camera, rngs[3])
        visible = np.flatnonzero(view.hidden <= 1 - MIN_VISIBLE)
        boxes = cut(view.boxes[visible], camera.size_px)
        yield SimulatedFrame(
            stamp_s, visible + 1, boxes, detector.see(view, 1 / settings.fps), matches
        )
        previous = view


def _correspondences(
    before: CameraView, now: CameraView, camera: Camera, rng: np.random.Generator
) -> FloatArray:
    """Return the (C, 4) correspondences of background and people, with outliers."""
    size_px = camera.size_px
    ground = rng.uniform(0, size_px, (_BACKGROUND_MATCHES, 2))
    x, y = ground[:, :1], ground[:, 1:]
    x1, y1, x2, y2 = before.boxes.T
    ground = ground[~((x > x1) & (x < x2) & (y > y1) & (y < y2)).any(axis=1)]
    people = np.repeat(np.flatnonzero(np.maximum(before.hidden, now.hidden) < 0.5),
                       _MATCHES_ON_PERSON)  # fmt: skip
    share = rng.uniform(0.2, 0.8, (len(people), 2))
    starts, ends = (
        b[people, :2] + share * (b[people, 2:] - b[people, :2]) for b in (before.boxes, now.boxes)
    )
    starts = np.concatenate([ground, starts])
    ends = np.concatenate([camera.move(ground, before.offset, now.offset), ends])
    ends = ends + rng.normal(0, _MATCH_STD_PX, ends.shape)
    wrong = rng.random(len(ends)) < _OUTLIERS
    ends[wrong] = rng.uniform(0, size_px, (int(wrong.sum()), 2))
    inside = ((ends >= 0) & (ends < size_px)).all(axis=1)
    if camera.scene.truncates:
        inside &= ((starts >= 0) & (starts < size_px)).all(axis=1)
    return np.hstack([starts, ends])[inside]
