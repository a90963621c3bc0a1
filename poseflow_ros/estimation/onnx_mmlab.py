"""One-stage pose models and detectors that MMDeploy exports."""

import numpy as np

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.onnx_graph import read_graph
from poseflow_ros.estimation.onnx_input import RTMDET, RTMO, YOLOX
from poseflow_ros.estimation.onnx_one_stage import OneStageModel
from poseflow_ros.estimation.onnx_session import OnnxSession, Outputs
from poseflow_ros.poses import Poses

POSE_TYPE = "one-stage pose (RTMO, YOLOX-Pose): dets (B, N, 5) and keypoints (B, N, K, 3)"
DETECTOR_TYPE = "RTMDet or YOLOX detector: dets (B, N, 5) and labels (B, N)"

_PERSON = 0
"""COCO's first class, and the only one of a person detector."""


def match_pose(session: OnnxSession, config: EstimatorConfig) -> OneStageModel | None:
    """Return a one-stage pose model; None if the outputs are not those of one."""
    match list(session.output_shapes.values()):
        case [(_, 5), (_, n_keypoints, 3)]:
            return OneStageModel(
                session, "one-stage pose model", n_keypoints, RTMO, _decode_poses, config
            )
    return None


def match_detector(session: OnnxSession, config: EstimatorConfig) -> OneStageModel | None:
    """Return a detector; None if the outputs are not those of one.

    YOLOX and RTMDet differ in their inputs alone. YOLOX begins by taking every other pixel (Ge et
    al., YOLOX, 2021: the Focus layer), which is exported as Slice.
    """
    match list(session.output_shapes.values()):
        case [(_, 5), (_,)]:
            is_yolox = "Slice" in read_graph(session.path, session.input_name).first
            title, input_format = ("YOLOX", YOLOX) if is_yolox else ("RTMDet", RTMDET)
            return OneStageModel(session, title, 0, input_format, _decode_boxes, config)
    return None


def _decode_poses(outputs: Outputs) -> Poses:
    boxes, keypoints = (output.astype(float) for output in outputs)
    return Poses(
        keypoints[..., :2], keypoints[..., 2].clip(0, 1), boxes[:, :4], boxes[:, 4].clip(0, 1)
    )


def _decode_boxes(outputs: Outputs) -> Poses:
    boxes, labels = outputs
    boxes = boxes[labels == _PERSON].astype(float)
    n = len(boxes)
    return Poses(np.zeros((n, 0, 2)), np.zeros((n, 0)), boxes[:, :4], boxes[:, 4].clip(0, 1))
