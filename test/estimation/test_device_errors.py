"""Which errors mean that memory is exhausted, and which that the device is lost."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from poseflow_ros.estimation.device_errors import (  # noqa: E402
    is_device_lost,
    is_out_of_memory,
)


def failure(cause):
    """Return what torch raises."""
    with pytest.raises(Exception) as caught:
        cause()
    return caught.value


def row(text, case):
    return pytest.param(RuntimeError(text), id=case)


NO_MEMORY = [
    pytest.param(failure(lambda: torch.empty(2**60)), id="the CPU allocator"),
    pytest.param(torch.cuda.OutOfMemoryError("CUDA out of memory."), id="torch's GPU allocator"),
    pytest.param(MemoryError(), id="NumPy"),
    row("std::bad_alloc", "C++"),
    row("CUDA error: out of memory\nCUDA kernel errors might be", "CUDA outside the allocator"),
    row("CUDA driver error: out of memory", "the CUDA driver"),
    row("Triton Error [CUDA]: out of memory", "Triton"),
    row("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "cuBLAS"),
    row(
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuBLAS without a workspace",
    ),
    row("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "cuDNN 8"),
    row("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED", "cuDNN 9, host"),
    row("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", "cuDNN 9, device"),
    row("GET was unable to find an engine to execute this computation", "cuDNN 9, no engine"),
    row("Unable to find an engine to execute this computation", "cuDNN, no engine"),
]
LOST = [
    pytest.param(
        # torch's own exception for it is younger than torch 2.6.
        getattr(torch, "AcceleratorError", RuntimeError)(
            "CUDA error: an illegal memory access was encountered\nCompile with"
        ),
        id="torch's own exception",
    ),
    row("CUDA error: unspecified launch failure", "a launch failure"),
    row("CUDA error: the launch timed out and was terminated", "a display's time limit"),
    row("CUDA error: device-side assert triggered", "an assertion in a kernel"),
    row("CUDA error: uncorrectable ECC error encountered", "defective memory"),
    row("CUDA error: CUDA-capable device(s) is/are busy or unavailable", "a device taken away"),
    row("CUDA error: unknown error", "a device off the bus"),
    row("CUDA driver error: unknown error", "the CUDA driver"),
    row("Triton Error [CUDA]: an illegal memory access was encountered", "Triton"),
    row("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "cuDNN"),
    row("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(`", "cuBLAS"),
]
NEITHER = [
    pytest.param(failure(lambda: torch.ones(2) @ torch.ones(3)), id="wrong sizes"),
    pytest.param(ValueError("CUDA error: unknown error"), id="not an error of torch"),
    row("CUDA error: invalid argument", "an invalid argument"),
    row("CUDA error: invalid configuration argument", "an invalid launch"),
    row("CUDA error: no kernel image is available for execution on the device", "an old device"),
    row("CUDA error: operation not permitted when stream is capturing", "a failed capture"),
    row("Triton Error [CUDA]: invalid argument", "an invalid argument of Triton"),
    row("cuDNN error: CUDNN_STATUS_BAD_PARAM", "a bad parameter of cuDNN"),
    row("unknown error", "an error of nobody known"),
]


@pytest.mark.parametrize("error", NO_MEMORY)
def test_exhausted_memory_is_recognized_and_does_not_count_as_a_lost_device(error):
    assert is_out_of_memory(error)
    assert not is_device_lost(error)


@pytest.mark.parametrize("error", LOST)
def test_a_failure_that_lasts_is_a_lost_device(error):
    assert is_device_lost(error)
    assert not is_out_of_memory(error)


@pytest.mark.parametrize("error", NEITHER)
def test_the_error_of_one_call_is_neither(error):
    assert not is_out_of_memory(error)
    assert not is_device_lost(error)
