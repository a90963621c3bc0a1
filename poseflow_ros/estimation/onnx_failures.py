"""What a failed run of ONNX Runtime means, by its text: its exceptions have no types for that."""

import re

_NO_MEMORY = re.compile("out of memory|[Ff]ailed to allocate|bad_alloc|ALLOC_FAILED")
_DEVICE_LOST = re.compile(r"CUDA (failure|error)|(CUDNN|CUBLAS) failure")


def is_out_of_memory(text: str) -> bool:
    """Return whether the memory of the GPU or the CPU was exhausted."""
    return bool(_NO_MEMORY.search(text))


def is_device_lost(text: str) -> bool:
    """Return whether the GPU failed and does not recover by itself."""
    return bool(_DEVICE_LOST.search(text)) and not is_out_of_memory(text)
