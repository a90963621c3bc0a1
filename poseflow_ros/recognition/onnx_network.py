"""Networks in ONNX files, by ONNX Runtime."""

from pathlib import Path

from poseflow_ros.action_config import ClassifierConfig
from poseflow_ros.actions.windows import Float32Array
from poseflow_ros.estimation.errors import first_line
from poseflow_ros.estimation.libraries import import_problem
from poseflow_ros.recognition.network import ClassifierError

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxNetwork:
    """The network of an ONNX file; its first input and its first output are used."""

    def __init__(self, path: Path, config: ClassifierConfig) -> None:
        """Load the file.

        Raises:
            ClassifierError: ONNX Runtime, the device or the file cannot be used.
        """
        if problem := import_problem("onnxruntime"):
            raise ClassifierError(f"{problem}; classifier.model {path} needs it: pip install it")
        import onnxruntime

        provider = _PROVIDERS[config.device]
        if provider not in onnxruntime.get_available_providers():
            raise ClassifierError(
                f"classifier.device is {config.device!r}, but this ONNX Runtime has no {provider}"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = config.threads
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=[provider])
        except Exception as error:  # onnxruntime's errors have no common class of their own
            raise ClassifierError(f"classifier.model {path}: {first_line(error)}") from error
        first = self._session.get_inputs()[0]
        self._input = first.name
        self.batch = first.shape[0] if isinstance(first.shape[0], int) else 0

    def __call__(self, tensor: Float32Array) -> Float32Array:
        """Return the first output."""
        output: Float32Array = self._session.run(None, {self._input: tensor})[0]
        return output
