"""The execution providers of ONNX Runtime: which ones to ask for, and with which options."""

from collections.abc import Sequence
from typing import Any

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.onnx_runtime import (
    CPU,
    CUDA_OPTIONS,
    GPU,
    OPENVINO,
    TENSORRT,
    Providers,
    check_device,
)
from poseflow_ros.estimation.weights import cache_folder


def choose_providers(config: EstimatorConfig, available: Sequence[str]) -> Providers:
    """Return the providers for the parameters `device` and `precision`, best first, with options.

    Args:
        config: the settings.
        available: the providers of the installed build.

    Raises:
        EstimatorError: the build has none for the device, or none that offers the precision.
    """
    check_device("estimator.device", config.device, available)
    # Each provider leaves the operators that it lacks to those after it; the CPU has all.
    wanted = {"cpu": (OPENVINO, CPU), "auto": (*GPU, OPENVINO, CPU)}
    names = wanted.get(config.device, (*GPU, CPU))
    return [(name, _options(name, config)) for name in names if name in available]


def device_id(config: EstimatorConfig) -> int:
    """Return the number of the GPU that the parameter `device` names."""
    return int(config.device.partition(":")[2] or 0)


def _options(provider: str, config: EstimatorConfig) -> dict[str, Any]:
    if provider in GPU:
        index = {"device_id": device_id(config)}
        return index | (_tensorrt(config) if provider == TENSORRT else _cuda(config))
    if provider == OPENVINO:
        return {"device_type": "CPU" if config.device == "cpu" else "AUTO"}
    return {}


def _tensorrt(config: EstimatorConfig) -> dict[str, Any]:
    return {
        "trt_fp16_enable": config.precision in ("auto", "float16"),
        # Building an engine takes minutes.
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(cache_folder() / "tensorrt"),
    }


def _cuda(config: EstimatorConfig) -> dict[str, Any]:
    return {**CUDA_OPTIONS, "use_tf32": config.precision != "float32"}


def active_precision(config: EstimatorConfig, provider: str, file_precision: str) -> str:
    """Return the precision in which the provider computes.

    Args:
        config: the settings.
        provider: the active one.
        file_precision: float32 or float16, the type of the model's input.

    Raises:
        EstimatorError: it is not the one of the parameter `precision`.
    """
    converts = provider == TENSORRT and file_precision == "float32"
    active = "float16" if converts and config.precision != "float32" else file_precision
    if config.precision not in ("auto", active):
        raise EstimatorError(
            f"estimator.precision is {config.precision}, but the model is {active} and {provider} "
            f"does not convert it; must be auto or {active}"
        )
    return active
