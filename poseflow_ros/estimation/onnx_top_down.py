"""Top-down models: the pose of each person that a detector finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.estimation.keypoint_peaks import decode_heatmaps, decode_simcc
from poseflow_ros.estimation.onnx_graph import read_graph
from poseflow_ros.estimation.onnx_input import TOP_DOWN
from poseflow_ros.estimation.onnx_one_stage import OneStageModel
from poseflow_ros.estimation.onnx_session import OnnxSession
from poseflow_ros.estimation.person_crops import PersonCrops, crop_people
from poseflow_ros.poses import FloatArray, Image, Poses
from poseflow_ros.skeletons.table import SKELETONS

TYPES = (
    "top-down SimCC (RTMPose): simcc_x (B, K, X) and simcc_y (B, K, Y)",
    "top-down heatmaps (ViTPose, HRNet): (B, K, H, W)",
)

# Of models whose size is not fixed: MMPose's and ViTPose's, height and width.
_SIZE = (256, 192)
# People in a batch. TensorRT builds an engine for each larger number that it meets.
_MAX_BATCH = 32

Decoder = Callable[[Sequence[NDArray[np.floating]]], tuple[FloatArray, FloatArray]]
"""Returns keypoints (N, K, 2), pixels of the input, and scores from the outputs for N people."""


@dataclass(frozen=True, slots=True)
class PoseHead:
    """A top-down model, without its detector.

    Attributes:
        session: the model.
        title: its type.
        n_keypoints: of each person.
        size: height and width of its input, pixels.
        decode: what its outputs mean.
    """

    session: OnnxSession
    title: str
    n_keypoints: int
    size: tuple[int, int]
    decode: Decoder

    @property
    def size_text(self) -> str:
        """The size of the input in words."""
        return f"{self.size[1]} x {self.size[0]} px"

    def estimate(self, crops: Sequence[Image]) -> tuple[FloatArray, FloatArray]:
        """Return keypoints (N, K, 2), pixels of the crops, and scores (N, K) of N people."""
        keypoints = [np.zeros((0, self.n_keypoints, 2))]
        scores = [np.zeros((0, self.n_keypoints))]
        for start in range(0, len(crops), _MAX_BATCH):
            part = crops[start : start + _MAX_BATCH]
            outputs = zip(*self.session.run(TOP_DOWN.pack(part)), strict=True)
            found = self.decode([np.stack(output) for output in outputs])
            keypoints.append(found[0])
            scores.append(found[1])
        return np.concatenate(keypoints), np.concatenate(scores)


class TopDownModel:
    """Finds people with a detector, then the keypoints of all people of all images together.

    Attributes:
        title: the type of the model and its detector.
        n_keypoints: of each person.
    """

    def __init__(self, head: PoseHead, detector: OneStageModel) -> None:
        """Put together the parts, and run the head once with its largest batch on a GPU.

        Args:
            head: finds the keypoints of a person.
            detector: finds the people.
        """
        self._head = head
        self._detector = detector
        self.title = f"{head.title} with {detector.title} {detector.size_text}"
        self.size_text = head.size_text
        self.n_keypoints = head.n_keypoints
        if head.session.on_gpu:
            head.estimate([np.zeros((*head.size, 3), np.uint8)] * _MAX_BATCH)

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each image.

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        people = self._detector.estimate_batch(images)
        crops = [
            crop_people(image, poses.boxes, self._head.size)
            for image, poses in zip(images, people, strict=True)
        ]
        keypoints, scores = self._head.estimate([crop for part in crops for crop in part.images])
        ends = np.cumsum([len(poses) for poses in people], dtype=int)
        parts = (np.split(values, ends)[:-1] for values in (keypoints, scores))
        return [_poses(*part) for part in zip(people, crops, *parts, strict=True)]


def _poses(people: Poses, crops: PersonCrops, keypoints: FloatArray, scores: FloatArray) -> Poses:
    return Poses(crops.to_image(keypoints), scores, people.boxes, people.scores)


def match_head(session: OnnxSession) -> PoseHead | None:
    """Return a top-down model; None if the outputs are not those of one."""
    size = session.fixed_size or _SIZE
    height, width = session.probe_size
    match list(session.output_shapes.values()):
        case [(k, x), (n, y)] if k == n and x * height == y * width:
            return PoseHead(
                session,
                "top-down SimCC model",
                k,
                size,
                lambda bins: decode_simcc(bins[0], bins[1], size),
            )
        case [(k, h, w)] if k in SKELETONS and h * width == w * height:
            # ViTPose is trained with unbiased heatmaps, convolutional networks mostly are not
            # (configs of MMPose); only transformers have Softmax.
            unbiased = "Softmax" in read_graph(session.path, session.input_name).all
            return PoseHead(
                session,
                "top-down heatmap model",
                k,
                size,
                lambda maps: decode_heatmaps(maps[0], size, unbiased),
            )
    return None
