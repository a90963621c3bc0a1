"""The device that torch computes on: which, how precisely, and what its failures mean."""

import contextlib
import gc
import re
from collections.abc import Iterable

import torch
from torch import nn

from poseflow_ros.estimation.estimator import EstimatorError

_PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
# How torch, CUDA's libraries and the CPU's allocators say that there is no memory left.
_NO_MEMORY = re.compile("out of memory|ALLOC_FAILED|DefaultCPUAllocator|std::bad_alloc")


def choose_device(name: str) -> torch.device:
    """Return the device that the parameter `device` names.

    Raises:
        EstimatorError: it does not answer.
    """
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


def memory_format(precision: torch.dtype) -> torch.memory_format:
    """Return how a network's tensors lie in memory.

    Half precision is there to be fast: colours together. float32 is there to be exact: every
    number is that of the library's own call.
    """
    return torch.contiguous_format if precision == torch.float32 else torch.channels_last


def convert(parts: Iterable[nn.Module], device: torch.device, precision: torch.dtype) -> None:
    """Bring parts of a network onto the device and into its precision.

    Raises:
        EstimatorError: half precision cannot hold the weights.
    """
    for part in parts:
        part.to(device, precision, memory_format=memory_format(precision))
        if not all(x.isfinite().all() for x in part.parameters()):
            raise EstimatorError(
                f"precision is {precision_name(precision)}, which cannot hold the weights; "
                "try bfloat16 or float32"
            )


def precision_name(precision: torch.dtype) -> str:
    """Return the precision as the parameter calls it."""
    return str(precision).removeprefix("torch.")


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
        # A device that is lost cannot free anything, and has been told of already.
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()


def describe(device: torch.device) -> str:
    """Return the device's name, for people."""
    if device.type == "cpu":
        return "CPU"
    try:
        return torch.cuda.get_device_name(device)
    except RuntimeError:  # it does not answer
        return str(device)


def first_line(error: BaseException) -> str:
    """Return the beginning of what an error says: torch says pages."""
    return next(iter(str(error).splitlines()), type(error).__name__)
