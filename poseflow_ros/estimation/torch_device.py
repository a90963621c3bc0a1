"""The device on which torch computes: selection, precision and memory."""

import contextlib
import gc
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from poseflow_ros.estimation.errors import EstimatorError, first_line

_PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def choose_device(name: str) -> torch.device:
    """Return the device that the parameter `device` names.

    Raises:
        EstimatorError: it is not available.
    """
    if name == "auto":
        name = "cpu" if cuda_problem() else "cuda"
    if name != "cpu" and (problem := cuda_problem(name)):
        raise EstimatorError(
            f"estimator.device is {name!r}, but {problem}; must be auto, cpu or cuda:N"
        )
    return torch.device(name)


def cuda_problem(name: str = "cuda") -> str:
    """Return why a CUDA device cannot be used; empty if it can be."""
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    try:
        torch.zeros(1, device=name).item()
    except RuntimeError as error:
        return f"the CUDA device does not respond: {first_line(error)}"
    return ""


def operators_problem(name: str = "cuda") -> str:
    """Return why torchvision's operators do not run on a device; empty if they do.

    A torchvision built without CUDA, as is common on Jetson, can be imported and fails at its
    first operator on the device.
    """
    from torchvision.ops import nms

    try:
        nms(torch.zeros((1, 4), device=name), torch.zeros(1, device=name), 0.5)
    except (RuntimeError, NotImplementedError) as error:
        return f"torchvision has no operators for {name}: {first_line(error)}"
    return ""


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the type of the parameter `precision`; auto: float16 on a GPU, float32 on a CPU."""
    if name == "auto":
        name = "float16" if device.type == "cuda" else "float32"
    return _PRECISIONS[name]


@contextlib.contextmanager
def ieee_float32() -> Iterator[None]:
    """Compute float32 convolutions in float32 here; cuDNN takes TF32 otherwise."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def memory_format(precision: torch.dtype) -> torch.memory_format:
    """Return the memory layout of a network's tensors.

    Half precision is for speed: channels last. float32 is for exact results, equal to those of the
    library's own call: the library's layout.
    """
    return torch.contiguous_format if precision == torch.float32 else torch.channels_last


def convert(parts: Iterable[nn.Module], device: torch.device, precision: torch.dtype) -> None:
    """Move parts of a network to the device and convert them to the precision.

    Raises:
        EstimatorError: the precision cannot represent the weights.
    """
    for part in parts:
        part.to(device, precision, memory_format=memory_format(precision))
        if not all(x.isfinite().all() for x in part.parameters()):
            raise EstimatorError(
                f"estimator.precision is {precision_name(precision)}, which cannot represent "
                "the weights; try bfloat16 or float32"
            )


def compiled(part: nn.Module) -> Any:
    """Return the part compiled for images of any size: a compilation takes up to a minute."""
    return torch.compile(part, dynamic=True)


def precision_name(precision: torch.dtype) -> str:
    """Return the precision as a value of the parameter."""
    return str(precision).removeprefix("torch.")


def free_memory(device: torch.device) -> None:
    """Release the memory that torch no longer uses."""
    gc.collect()
    if device.type == "cuda":
        # A lost device cannot release memory; its failure has been reported already.
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()


def describe(device: torch.device) -> str:
    """Return the device's name for logs."""
    if device.type == "cpu":
        return "CPU"
    try:
        return torch.cuda.get_device_name(device)
    except RuntimeError:  # it does not respond
        return str(device)
