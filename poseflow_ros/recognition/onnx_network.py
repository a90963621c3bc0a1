"""Networks in ONNX files, by ONNX Runtime."""

from pathlib import Path
from typing import Any

from poseflow_ros.action_config import ClassifierConfig
from poseflow_ros.actions.windows import Float32Array
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.onnx_runtime import (
    CPU,
    CUDA,
    CUDA_OPTIONS,
    available_providers,
    check_device,
    check_started,
    open_session,
)
from poseflow_ros.recognition.network import ClassifierError


class OnnxNetwork:
    """The network of an ONNX file; its first input and its first output are used."""

    def __init__(self, path: Path, config: ClassifierConfig) -> None:
        """Load the file.

        Raises:
            ClassifierError: ONNX Runtime, the device or the file cannot be used.
        """
        try:
            self._session = _open(path, config)
        except EstimatorError as error:
            raise ClassifierError(str(error)) from error
        first = self._session.get_inputs()[0]
        self._input = first.name
        self.batch = first.shape[0] if isinstance(first.shape[0], int) else 0

    def __call__(self, tensor: Float32Array) -> Float32Array:
        """Return the first output."""
        output: Float32Array = self._session.run(None, {self._input: tensor})[0]
        return output


def _open(path: Path, config: ClassifierConfig) -> Any:
    """Return the session; TensorRT is not used, which would take minutes for each batch size."""
    check_device("classifier.device", config.device, available_providers())
    on_gpu = config.device == "cuda"
    providers = [(CUDA, CUDA_OPTIONS), (CPU, {})] if on_gpu else [(CPU, {})]
    session = open_session(path, "classifier.model", providers, config.threads)
    check_started(session, "classifier.device", config.device)
    return session
