"""What the text of an error says about the device: torch, ONNX Runtime, and CUDA's libraries."""

import re

# How torch, ONNX Runtime, CUDA's libraries and the CPU's allocators report that memory is
# exhausted. cuDNN 9 finds no engine where none has the memory it needs; cuBLAS reports that it is
# not initialized where there is no memory for its workspace.
_NO_MEMORY = re.compile(
    "out of memory|failed to allocate|ALLOC_FAILED|ALLOCATION_FAILED|unable to find an engine"
    "|CUBLAS_STATUS_NOT_INITIALIZED|DefaultCPUAllocator|bad_alloc",
    re.IGNORECASE,
)
# Who reports a failure of the GPU; "CUDA failure" is ONNX Runtime.
_SOURCE = (
    r"CUDA error|CUDA failure|CUDA driver error|Triton Error \[CUDA\]|CUDNN_STATUS_|CUBLAS_STATUS_"
)
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


def says_out_of_memory(text: str) -> bool:
    """Return whether the memory of the GPU or the CPU was exhausted."""
    return bool(_NO_MEMORY.search(text))


def says_device_lost(text: str) -> bool:
    """Return whether the GPU failed and this process cannot use it any more."""
    return bool(_DEVICE_LOST.search(text)) and not says_out_of_memory(text)
