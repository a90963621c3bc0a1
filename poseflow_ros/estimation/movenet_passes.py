"""Passes of MoveNet MultiPose over parts of an image, with LiteRT."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.estimation.errors import EstimatorError, OutOfMemoryError, first_line
from poseflow_ros.estimation.libraries import require
from poseflow_ros.poses import Image, Poses

# Weight of the latest images in the mean time of a pass.
_TIME_GAIN = 0.2
_OUTPUT_SHAPE = (1, 6, 56)
# Below this scale, averaging 2 x 2 pixels first, for which OpenCV has a fast path, saves more than
# half of the time (1080p to 256: 3 instead of 9 ms) and changes the result by 1/3 grey level.
_HALF_FIRST = 1 / 4


class ParallelPasses:
    """Runs passes over several images, as many at a time as there are interpreters."""

    def __init__(self, path: Path, n_interpreters: int, threads: int, min_score: float) -> None:
        """Load the network.

        Args:
            path: file of the weights.
            n_interpreters: how many passes run at a time.
            threads: of each.
            min_score: people below this score are left out, [0, 1].

        Raises:
            EstimatorError: LiteRT cannot be imported, or the file is not a MoveNet MultiPose.
        """
        self._idle: SimpleQueue[SinglePass] = SimpleQueue()
        for _ in range(n_interpreters):
            self._idle.put(SinglePass(path, threads, min_score))
        self._executor = ThreadPoolExecutor(n_interpreters) if n_interpreters > 1 else None
        self.pass_s = math.inf
        """Mean time per pass in the latest images, seconds; inf before the first."""

    def run(self, images: Sequence[Image], input_shape: tuple[int, int]) -> list[Poses]:
        """Return the people in each (H, W, 3) RGB image, in its pixels.

        Args:
            images: of any size.
            input_shape: (height, width) of the network's input, multiples of 32.
        """
        start_s = perf_counter()
        apply = map if self._executor is None or len(images) == 1 else self._executor.map
        found = list(apply(lambda image: self._run(image, input_shape), images))
        pass_s = (perf_counter() - start_s) / len(images)
        before_s = self.pass_s if math.isfinite(self.pass_s) else pass_s
        self.pass_s = before_s + _TIME_GAIN * (pass_s - before_s)
        return found

    def close(self) -> None:
        """Release the network's memory and threads; a second call does nothing."""
        if self._executor is not None:
            self._executor.shutdown()
        self._idle = SimpleQueue()

    def _run(self, image: Image, input_shape: tuple[int, int]) -> Poses:
        idle = self._idle.get()
        try:
            return idle.run(image, input_shape)
        finally:
            self._idle.put(idle)


class SinglePass:
    """One interpreter of the network and its input."""

    def __init__(self, path: Path, threads: int, min_score: float) -> None:
        self._min_score = min_score
        self._interpreter = load(path, threads)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._padded: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)

    def run(self, image: Image, input_shape: tuple[int, int]) -> Poses:
        """Return the people in an image; see ParallelPasses.run.

        The network always returns six; those below the minimum score are noise and left out.

        Raises:
            OutOfMemoryError: LiteRT cannot run the network, which it can with enough memory.
        """
        try:
            height, width = self._fit(image, input_shape)
            self._interpreter.set_tensor(self._input, self._padded[None])
            self._interpreter.invoke()
        except (MemoryError, RuntimeError, cv2.error) as error:
            self._padded = self._padded[:0]  # the next image allocates the tensors again
            raise OutOfMemoryError(
                f"MoveNet failed, probably for lack of memory: {first_line(error)}"
            ) from error
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

    def _fit(self, image: Image, input_shape: tuple[int, int]) -> tuple[int, int]:
        """Scale the image into the upper left of the padded input; return (height, width)."""
        factor = min(n / side for n, side in zip(input_shape, image.shape[:2], strict=True))
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        if self._padded.shape[:2] != input_shape:
            shape = (*input_shape, 3)
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
