"""MoveNet MultiPose Lightning through LiteRT: people on a CPU, six at most."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.estimator import EstimatorError, cpu_threads
from poseflow_ros.estimation.weights import MOVENET_MULTIPOSE, find
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeleton import COCO_17

_STRIDE = 32
_OUTPUT_SHAPE = (1, 6, 56)
# From here on averaging 2 x 2 pixels first, for which OpenCV has a fast path, saves more than half
# of the time (1080p to 256: 3 instead of 9 ms), and changes the result by a third of a grey level.
_HALF_FIRST = 1 / 4
# The first image takes twice as long; a camera's first must not.
_WARM_UP_SHAPE = (480, 640, 3)


class MoveNet:
    """Pose estimator of six people at most, COCO keypoints.

    The network's scores of people and keypoints are sigmoids, in [0, 1] as they come.
    """

    skeleton = COCO_17
    batches = False
    device_bytes = 0

    def __init__(self, config: EstimatorConfig) -> None:
        self._long_side = config.input_size
        self._min_score = config.min_person_score
        threads = cpu_threads(config)
        self._interpreter = load(find(config.weights, lambda: MOVENET_MULTIPOSE), threads)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._padded: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)
        self.description = f"MoveNet MultiPose at {config.input_size} px, CPU, {threads} threads"
        self.estimate(np.zeros(_WARM_UP_SHAPE, np.uint8))

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) RGB image.

        The network always names six; those below `min_person_score` are noise of empty slots.
        """
        height, width = self._fit(image)
        self._interpreter.set_tensor(self._input, self._padded[None])
        self._interpreter.invoke()
        people = self._interpreter.get_tensor(self._output)[0].astype(float)
        people = people[people[:, 55] >= self._min_score]
        # Network coordinates are shares of the padded input, measured from its edge: to pixels of
        # the original, whose edge lies half a pixel before the centre of its first one.
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
        """Give back the network's memory and threads."""
        self._interpreter = None

    def _fit(self, image: Image) -> tuple[int, int]:
        """Scale the image into the upper left of the padded input; return its (height, width)."""
        factor = self._long_side / max(image.shape[:2])
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        shape = (_round_up(height), _round_up(width), 3)
        if self._padded.shape != shape:
            self._padded = np.zeros(shape, np.uint8)
            self._interpreter.resize_tensor_input(self._input, (1, *shape), strict=True)
            self._interpreter.allocate_tensors()
        self._padded[height:], self._padded[:, width:] = 0, 0  # what a slimmer image left
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
        EstimatorError: LiteRT is not installed, or the file is no MoveNet MultiPose.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise EstimatorError(
            f"estimator is 'movenet', which needs LiteRT ({error}); "
            "install it with: python3 -m pip install ai-edge-litert"
        ) from error
    try:
        interpreter = Interpreter(str(path), num_threads=threads)
        shape = tuple(int(n) for n in interpreter.get_output_details()[0]["shape"])
    except (ValueError, RuntimeError, IndexError) as error:
        first_line = str(error).splitlines()[0]
        raise EstimatorError(f"weights {path} are no LiteRT model: {first_line}") from error
    if shape != _OUTPUT_SHAPE:
        raise EstimatorError(
            f"weights {path} are of another network: its output is {shape}, "
            f"MoveNet MultiPose's {_OUTPUT_SHAPE}"
        )
    return interpreter
