"""YOLO models that Ultralytics exports: poses and detections, raw or end-to-end."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.onnx_input import ULTRALYTICS
from poseflow_ros.estimation.onnx_one_stage import OneStageModel
from poseflow_ros.estimation.onnx_session import OnnxSession, Outputs
from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.skeletons.table import SKELETONS

POSE_TYPES = (
    "YOLO pose, raw: (B, 4 + classes + 3 K, A)",
    "YOLO pose, end-to-end: (B, N, 6 + 3 K)",
)
DETECTOR_TYPES = (
    "YOLO detector, raw: (B, 4 + classes, A)",
    "YOLO detector, end-to-end: (B, N, 6)",
)

_LONG_SIDE = 640
_STRIDE = 32
# Ultralytics' default of `iou` in predictions.
_MAX_IOU = 0.7
# Candidates that the suppression of duplicates looks at, those of the highest score.
_MAX_CANDIDATES = 1000


@dataclass(frozen=True, slots=True)
class YoloDecoder:
    """Returns the people in a YOLO's output.

    Attributes:
        end_to_end: rows of corners, score, class and keypoints, without duplicates; otherwise
            columns of centre, size, a score for each class and keypoints.
        person: index of the class.
        n_classes: number of classes, of a raw output.
        n_keypoints: of each person, 0 of a detector.
        n_values: values of a keypoint: 3 with a score, otherwise 2.
        min_score: people below it are left out before the suppression of duplicates.
    """

    end_to_end: bool
    person: int
    n_classes: int
    n_keypoints: int
    n_values: int
    min_score: float

    def __call__(self, outputs: Outputs) -> Poses:
        """Return the people, in pixels of the input."""
        (output,) = outputs
        if self.end_to_end:
            rows = output[output[:, 5] == self.person].astype(float)
            return self._poses(rows[:, :4], rows[:, 4], rows[:, 6:])
        best = np.argsort(-output[4 + self.person], kind="stable")[:_MAX_CANDIDATES]
        best = best[output[4 + self.person, best] >= self.min_score]
        columns = output[:, best].astype(float)
        center, half = columns[:2].T, columns[2:4].T / 2
        boxes, scores = np.hstack([center - half, center + half]), columns[4 + self.person]
        kept = _without_duplicates(boxes, scores)
        return self._poses(boxes[kept], scores[kept], columns[4 + self.n_classes :, kept].T)

    def _poses(self, boxes: FloatArray, scores: FloatArray, values: FloatArray) -> Poses:
        scores = scores.clip(0, 1)
        values = values.reshape(len(boxes), self.n_keypoints, self.n_values)
        # A model without keypoint scores says only how sure it is of the person.
        keypoint_scores = (
            values[..., 2].clip(0, 1)
            if self.n_values == 3
            else np.broadcast_to(scores[:, None], values.shape[:2])
        )
        return Poses(values[..., :2], keypoint_scores, boxes, scores)


def match_pose(session: OnnxSession, config: EstimatorConfig) -> OneStageModel | None:
    """Return a pose model; None if the output is not that of one."""
    if session.metadata.get("task", "pose") != "pose":
        return None
    match _metadata(session, "kpt_shape"):
        case [int(n_keypoints), (2 | 3) as n_values]:
            candidates = [(n_keypoints, n_values)]
        case _:  # without the metadata, the number must be that of a known skeleton
            candidates = [(n_keypoints, 3) for n_keypoints in SKELETONS]
    for n_keypoints, n_values in candidates:
        if model := _match(session, config, "YOLO pose model", n_keypoints, n_values):
            return model
    return None


def match_detector(session: OnnxSession, config: EstimatorConfig) -> OneStageModel | None:
    """Return a detector; None if the output is not that of one."""
    if session.metadata.get("task", "detect") != "detect":
        return None
    return _match(session, config, "YOLO", 0, 3)


def _match(
    session: OnnxSession, config: EstimatorConfig, title: str, n_keypoints: int, n_values: int
) -> OneStageModel | None:
    """Return a model with this number of keypoints; None if the output does not fit it."""
    names = _metadata(session, "names")
    names = names if isinstance(names, dict) else {}
    match list(session.output_shapes.values()):
        case [(rows, columns)]:
            end_to_end = columns == 6 + n_keypoints * n_values
            n_classes = 0 if end_to_end else rows - 4 - n_keypoints * n_values
        case _:
            return None
    if not end_to_end and n_classes not in _allowed_classes(names, n_keypoints, columns):
        return None
    decoder = YoloDecoder(
        end_to_end, _person(names), n_classes, n_keypoints, n_values, config.min_person_score
    )
    return OneStageModel(
        session,
        f"{title}, end-to-end" if end_to_end else title,
        n_keypoints,
        ULTRALYTICS,
        decoder,
        config,
        *_exported_size(session),
    )


def _allowed_classes(names: dict[int, str], n_keypoints: int, n_candidates: int) -> Sequence[int]:
    """Return how many classes a raw output may have."""
    if names:
        return (len(names),)
    # Without metadata other numbers than one would fit too many outputs of pose models.
    return (1,) if n_keypoints else range(1, n_candidates - 4)


def _exported_size(session: OnnxSession) -> tuple[int, int]:
    """Return the longer side of the input at the export and the stride, pixels."""
    match _metadata(session, "imgsz"), _metadata(session, "stride"):
        case [int(height), int(width)], int(stride):
            return max(height, width), stride
    return _LONG_SIDE, _STRIDE


def _metadata(session: OnnxSession, key: str) -> Any:
    """Return a value that Ultralytics stores as Python text; None where it is missing."""
    try:
        return ast.literal_eval(session.metadata.get(key, "None"))
    except (ValueError, SyntaxError):
        return None


def _person(names: dict[int, str]) -> int:
    """Return the index of the class; 0, as in COCO, where no class is named so."""
    return next((index for index, name in names.items() if name == "person"), 0)


def _without_duplicates(boxes: FloatArray, scores: FloatArray) -> IntArray:
    """Return the indices of the boxes that overlap none of higher score, best first."""
    corners = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, _MAX_IOU)
    return np.asarray(kept, dtype=np.int64).reshape(-1)
