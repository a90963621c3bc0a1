"""The device that torch computes on: which, how precisely, and what its failures mean."""

import gc
import re

import torch

from poseflow_ros.estimation.estimator import EstimatorError

_PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
# Not everything that finds no memory says so by torch's own exception.
_NO_MEMORY = re.compile(
    r"DefaultCPUAllocator|std::bad_alloc|CUDA error: out of memory|STATUS_ALLOC_FAILED"
)


def choose_device(name: str) -> torch.device:
    """Return the device that the parameter `device` names.

    Raises:
        EstimatorError: it names none, or one that does not answer.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise EstimatorError(f"device is {name!r}, must be auto, cpu, cuda or cuda:N")
    if name == "auto":
        name = "cpu" if cuda_trouble() else "cuda"
    if name != "cpu" and (trouble := cuda_trouble(name)):
        raise EstimatorError(f"device is {name!r}, and {trouble}; must be auto, cpu or cuda:N")
    return torch.device(name)


def cuda_trouble(name: str = "cuda") -> str:
    """Return why a CUDA device cannot be used; empty where it answers."""
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    try:
        torch.zeros(1, device=name).item()
    except RuntimeError as error:
        return f"the CUDA device does not answer: {first_line(error)}"
    return ""


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the type that the parameter `precision` names; auto: half on a GPU, else float32."""
    if name == "auto":
        name = "float16" if device.type == "cuda" else "float32"
    return _PRECISIONS[name]


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the device or the CPU had no memory left."""
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))
    )


def is_device_lost(error: BaseException) -> bool:
    """Return whether the GPU failed in a way that it does not come back from by itself."""
    return isinstance(error, RuntimeError) and "CUDA error" in str(error)


def free_memory(device: torch.device) -> None:
    """Give what nobody uses any more back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def describe(device: torch.device) -> str:
    """Return the device's name, for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def first_line(error: BaseException) -> str:
    """Return the beginning of what an error says: torch says pages."""
    return next(iter(str(error).splitlines()), type(error).__name__)
