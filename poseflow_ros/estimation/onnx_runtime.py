"""Sessions of ONNX Runtime, for networks of images and of poses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from poseflow_ros.estimation.errors import EstimatorError, first_line
from poseflow_ros.estimation.libraries import require

TENSORRT, CUDA, OPENVINO, CPU = (
    f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "OpenVINO", "CPU")
)
GPU = (TENSORRT, CUDA)
# The default tries every algorithm whenever the number of people changes.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC"}
_ERRORS_ONLY = 3

Providers = list[tuple[str, dict[str, Any]]]
"""Names of execution providers, best first, each with its options."""


def available_providers() -> list[str]:
    """Return the execution providers of the installed build.

    Raises:
        EstimatorError: ONNX Runtime is missing.
    """
    require(
        "onnxruntime",
        "to install it: python3 -m pip install onnxruntime (NVIDIA GPU: onnxruntime-gpu, Intel: "
        "onnxruntime-openvino)",
    )
    import onnxruntime

    names: list[str] = onnxruntime.get_available_providers()
    return names


def check_device(parameter: str, device: str, available: Sequence[str]) -> None:
    """Raise EstimatorError where a GPU is asked for and the build has no provider for it.

    Args:
        parameter: name of the parameter.
        device: its value.
        available: the providers of the build.
    """
    if device.startswith("cuda") and not set(GPU) & set(available):
        raise EstimatorError(
            f"{parameter} is {device!r}, but the installed ONNX Runtime has only "
            f"{', '.join(available)}; to install: python3 -m pip install onnxruntime-gpu"
        )


def open_session(path: Path, subject: str, providers: Providers, threads: int) -> Any:
    """Return a session of ONNX Runtime.

    Args:
        path: the file.
        subject: what the file is, the first word of an error.
        providers: at least one.
        threads: CPU threads; 0: the library's choice.

    Raises:
        EstimatorError: the file cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # ONNX Runtime's exceptions have no common type.
        raise EstimatorError(
            f"{subject} {path} cannot be loaded as an ONNX model: {first_line(error)}"
        ) from error
    # Otherwise a run that fails on the GPU would be repeated, and continued, on the CPU.
    session.disable_fallback()
    return session


def check_started(session: Any, parameter: str, device: str) -> None:
    """Raise EstimatorError where a session does not use the GPU that was asked for."""
    if device.startswith("cuda") and session.get_providers()[0] not in GPU:
        raise EstimatorError(
            f"{parameter} is {device!r}, but neither TensorRT nor CUDA could be started; ONNX "
            "Runtime has logged the reason"
        )
