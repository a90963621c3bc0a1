"""What an error of torch, CUDA, cuDNN, cuBLAS or Triton says about the device."""

import re

import torch

# How torch, CUDA's libraries and the CPU's allocators report that memory is exhausted. cuDNN 9
# finds no engine where none has the memory it needs; cuBLAS reports that it is not initialized
# where there is no memory for its workspace.
_NO_MEMORY = re.compile(
    "out of memory|ALLOC_FAILED|ALLOCATION_FAILED|unable to find an engine"
    "|CUBLAS_STATUS_NOT_INITIALIZED|DefaultCPUAllocator|std::bad_alloc",
    re.IGNORECASE,
)
# Who reports a failure of the GPU.
_SOURCE = r"CUDA error|CUDA driver error|Triton Error \[CUDA\]|CUDNN_STATUS_|CUBLAS_STATUS_"
# The failures after which, by CUDA's documentation, every further call in the process fails or
# the device is gone. Others, such as an invalid argument, are of one call.
_FATAL = (
    "EXECUTION_FAILED|illegal memory access|launch failure|launch timed out"
    "|device-side assert|hardware stack error|illegal instruction|misaligned address"
    "|not supported on global/shared address space|invalid program counter|ECC error|NVLink"
    "|context is destroyed|busy or unavailable|no CUDA-capable device|unknown error"
    "|initialization error|driver shutting down|external device failure|hardware error"
)
_DEVICE_LOST = re.compile(f"(?:{_SOURCE}).*?(?:{_FATAL})", re.IGNORECASE | re.DOTALL)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the memory of the GPU or the CPU was exhausted."""
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))
    )


def is_device_lost(error: BaseException) -> bool:
    """Return whether the GPU failed and this process cannot use it any more."""
    return (
        isinstance(error, RuntimeError)
        and not is_out_of_memory(error)
        and bool(_DEVICE_LOST.search(str(error)))
    )
