"""What an error of torch says about the device."""

import torch

from poseflow_ros.estimation.device_messages import says_device_lost, says_out_of_memory


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the memory of the GPU or the CPU was exhausted."""
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and says_out_of_memory(str(error))
    )


def is_device_lost(error: BaseException) -> bool:
    """Return whether the GPU failed and this process cannot use it any more."""
    return (
        isinstance(error, RuntimeError)
        and not is_out_of_memory(error)
        and says_device_lost(str(error))
    )
