"""Keypoint R-CNN in three ONNX files, as `python -m poseflow_ros export keypoint_rcnn` writes."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation import onnx_parts as names
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.heatmap_parts import MAX_VALUES_CPU, MAX_VALUES_GPU, split
from poseflow_ros.estimation.onnx_input import KEYPOINT_RCNN
from poseflow_ros.estimation.onnx_one_stage import OneStageModel
from poseflow_ros.estimation.onnx_runtime import CPU, CUDA
from poseflow_ros.estimation.onnx_session import OnnxSession, Outputs, open_model, run_bound
from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17

POSE_TYPE = "Keypoint R-CNN, exported by this package: task keypoint_rcnn"

# TensorRT in half precision cannot represent the boxes, and OpenVINO takes it on an Intel GPU.
_PROVIDERS = (CUDA, CPU)
_HOST = ("cpu", 0)
_NOBODY = (
    np.zeros((0, 4), np.float32),
    np.zeros((0, COCO_17.n_keypoints, 2), np.float32),
    np.zeros((0, COCO_17.n_keypoints), np.float32),
)


def match_pose(session: OnnxSession, config: EstimatorConfig) -> OneStageModel | None:
    """Return the model of an exported Keypoint R-CNN; None if the file is not one.

    Raises:
        EstimatorError: one of the other files is missing, of another export or cannot be loaded.
    """
    if session.metadata.get("task") != names.TASK:
        return None
    chain = KeypointRCNNSession(session, config)
    n_keypoints = COCO_17.n_keypoints
    return OneStageModel(chain, "Keypoint R-CNN", n_keypoints, KEYPOINT_RCNN, _decode, config)


class KeypointRCNNSession:
    """The dense part, and after it the parts that find people and their keypoints.

    The features stay on the device between the parts; the host reads the boxes of the people.

    Attributes:
        unsettled: number of images in which the suppression of overlapping boxes was not exact.
    """

    def __init__(self, dense: OnnxSession, config: EstimatorConfig) -> None:
        """Load the other parts.

        Raises:
            EstimatorError: a file is missing, of another export or cannot be loaded.
        """
        self._dense = dense
        _, *paths = names.parts(dense.path)
        self._people, self._keypoints = (_open_part(path, dense, config) for path in paths)
        self._min_score = np.array(config.min_person_score, np.float32)
        self._max_people = config.max_people
        max_values = MAX_VALUES_GPU if dense.on_gpu else MAX_VALUES_CPU
        self._max_pixels = max_values // COCO_17.n_keypoints
        self.unsettled = 0

    @property
    def batches(self) -> bool:
        """Whether a batch of images takes less time than the images one by one."""
        return self._dense.batches

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Height and width of the image."""
        return self._dense.fixed_size

    def run(self, inputs: NDArray[np.float32]) -> list[Outputs]:
        """Return boxes, scores, keypoints and keypoint scores for each image.

        Args:
            inputs: (N, 3, H, W) float32, any number of images.

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        try:
            return [self._run(image[None]) for image in inputs]
        except Exception as error:
            # ONNX Runtime's exceptions have no common type.
            raise self._dense.failure(error, 1) from error

    def values(self) -> dict[str, str]:
        """Return the values for diagnostics."""
        return {"images with inexact suppression": str(self.unsettled)}

    def close(self) -> None:
        """Release the memory of all parts; a second call does nothing."""
        self._dense.close()
        self._people = self._keypoints = None

    def _run(self, image: NDArray[np.float32]) -> Outputs:
        found = self._dense.run_on_device(image) | {names.MIN_SCORE: self._min_score}
        places = dict.fromkeys(names.PEOPLE_OUTPUTS, _HOST) | {names.CANVAS: self._dense.device}
        people = run_bound(self._people, found, places)
        canvas = people[names.CANVAS]
        boxes, scores, settled = (
            people[name].numpy() for name in (names.PEOPLE, names.SCORES, names.SETTLED)
        )
        self.unsettled += not settled
        n = min(int((scores > 0).sum()), self._max_people)
        return self._poses(canvas, boxes[:n], scores[:n])

    def _poses(
        self, canvas: Any, people: NDArray[np.float32], scores: NDArray[np.float32]
    ) -> Outputs:
        """Return the outputs for the people, as many at a time as fit into memory."""
        lengths = np.ceil(np.maximum(people[:, 2:] - people[:, :2], 1)).astype(int).tolist()
        rows = [_NOBODY]
        for part, _ in split(lengths, self._max_pixels) if lengths else ():
            inputs = {names.CANVAS: canvas, names.PEOPLE: np.ascontiguousarray(people[part])}
            outputs = run_bound(self._keypoints, inputs, dict.fromkeys(names.POSE_OUTPUTS, _HOST))
            rows.append(tuple(output.numpy() for output in outputs.values()))
        boxes, keypoints, keypoint_scores = (
            np.concatenate(values) for values in zip(*rows, strict=True)
        )
        return boxes, scores, keypoints, keypoint_scores


def _open_part(path: Path, dense: OnnxSession, config: EstimatorConfig) -> Any:
    """Return a session of ONNX Runtime with a part that continues after the dense one."""
    if not path.is_file():
        raise EstimatorError(
            f"{path} is missing; weights {dense.path} need all files of their export: "
            + ", ".join(each.name for each in names.parts(dense.path))
        )
    session = open_model(path, config, _PROVIDERS)
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    if metadata.get(names.EXPORT) != dense.metadata.get(names.EXPORT):
        raise EstimatorError(f"{path} is of another export than weights {dense.path}")
    return session


def _decode(outputs: Outputs) -> Poses:
    boxes, scores, keypoints, keypoint_scores = (output.astype(float) for output in outputs)
    return Poses(keypoints, keypoint_scores, boxes, scores)
