"""Pose networks in ONNX files, with ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation import onnx_keypoint_rcnn, onnx_mmlab, onnx_yolo
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.onnx_one_stage import OneStageModel
from poseflow_ros.estimation.onnx_session import ImageSession, OnnxSession
from poseflow_ros.estimation.onnx_top_down import TYPES, PoseHead, TopDownModel, match_head
from poseflow_ros.estimation.weights import ModelFile, find, named_file
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.skeletons.table import SKELETONS

_POSE_TYPES = (
    *(onnx_mmlab.POSE_TYPE, onnx_keypoint_rcnn.POSE_TYPE),
    *(*onnx_yolo.POSE_TYPES, *TYPES),
)
_DETECTOR_TYPES = (onnx_mmlab.DETECTOR_TYPE, *onnx_yolo.DETECTOR_TYPES)


def published() -> tuple[ModelFile, ...]:
    """Return no weights: models are the user's own."""
    return ()


def make(config: Config) -> "OnnxEstimator":
    """Return the estimator, its weights loaded.

    Raises:
        EstimatorError: ONNX Runtime, a parameter or a model is missing or cannot be used.
    """
    return OnnxEstimator(config.estimator)


def verify(path: Path, config: Config) -> str | None:
    """Load a file of weights; return the network's name, None if it is of another network.

    Raises:
        EstimatorError: the file is damaged or of no supported type, or ONNX Runtime is missing.
    """
    if path.suffix != ".onnx":
        return None
    session = OnnxSession(path, EstimatorConfig(device="cpu"))
    if pose := _match_pose(session, config.estimator):
        _skeleton(session, pose.n_keypoints)
        return f"{pose.title}, {pose.n_keypoints} keypoints, {pose.size_text}"
    if detector := _match_detector(session, config.estimator):
        return f"{detector.title} detector, {detector.size_text}"
    raise _unsupported(session, (*_POSE_TYPES, *_DETECTOR_TYPES))


class OnnxEstimator:
    """Pose estimator of a model in an ONNX file, whose type is read from its inputs and outputs.

    The score of a person is the model's or the detector's own, that of a keypoint the model's,
    both limited to [0, 1].
    """

    device_bytes = 0
    """ONNX Runtime does not report the memory that it takes on a GPU."""

    def __init__(self, config: EstimatorConfig) -> None:
        """Load the model, and the detector of a top-down model.

        Raises:
            EstimatorError: ONNX Runtime, a parameter or a model is missing or cannot be used.
        """
        session = OnnxSession(find(config.weights, None), config)
        model = _match_pose(session, config)
        if model is None:
            raise _unsupported(session, _POSE_TYPES)
        self._sessions: list[ImageSession] = [model.session]
        self.skeleton = _skeleton(session, model.n_keypoints)
        self._model: OneStageModel | TopDownModel
        if isinstance(model, PoseHead):
            detector = _load_detector(config, model)
            self._sessions.append(detector.session)
            self._model = TopDownModel(model, detector)
        else:
            self._model = model
        self.batches = all(each.batches for each in self._sessions)
        self.description = (
            f"ONNX {self._model.title}, {self.skeleton.name}, {model.size_text}, "
            f"{session.provider}, {session.precision}"
        )

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) uint8 RGB image, at most `max_people`.

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        return self.estimate_batch([image])[0]

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each image, those of the highest score first.

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        return self._model.estimate_batch(images)

    def values(self) -> dict[str, str]:
        """Return the values for diagnostics."""
        return self._sessions[0].values()

    def close(self) -> None:
        """Release the models' memory; a second call does nothing."""
        for session in self._sessions:
            session.close()


def _match_pose(session: OnnxSession, config: EstimatorConfig) -> OneStageModel | PoseHead | None:
    """Return the model of a pose network; None if it is of no supported type."""
    return (
        onnx_keypoint_rcnn.match_pose(session, config)
        or onnx_mmlab.match_pose(session, config)
        or onnx_yolo.match_pose(session, config)
        or match_head(session)
    )


def _match_detector(session: OnnxSession, config: EstimatorConfig) -> OneStageModel | None:
    """Return the model of a detector; None if it is of no supported type."""
    return onnx_mmlab.match_detector(session, config) or onnx_yolo.match_detector(session, config)


def _load_detector(config: EstimatorConfig, head: PoseHead) -> OneStageModel:
    path = named_file(config.detector_weights)
    if path is None:
        raise EstimatorError(
            f"estimator.detector_weights is {config.detector_weights!r}, must be the path of a "
            f"person detector, which the {head.title} {head.session.path} needs"
        )
    session = OnnxSession(path, config)
    detector = _match_detector(session, config)
    if detector is None:
        raise _unsupported(session, _DETECTOR_TYPES)
    return detector


def _skeleton(session: OnnxSession, n_keypoints: int) -> Skeleton:
    if n_keypoints not in SKELETONS:
        known = ", ".join(f"{n} ({skeleton.name})" for n, skeleton in SKELETONS.items())
        raise EstimatorError(
            f"weights {session.path} have {n_keypoints} keypoints per person, must be {known}"
        )
    return SKELETONS[n_keypoints]


def _unsupported(session: OnnxSession, types: Sequence[str]) -> EstimatorError:
    task = session.metadata.get("task", "")
    return EstimatorError(
        f"weights {session.path} are of no supported type: {session.summary()}"
        + (f"; task {task}" if task else "")
        + f"; supported: {'; '.join(types)}"
    )
