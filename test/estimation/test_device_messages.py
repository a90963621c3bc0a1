"""What the texts of ONNX Runtime's exceptions mean, as its sources and users have them."""

import pytest

from poseflow_ros.estimation.device_messages import says_device_lost, says_out_of_memory

HEAD = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running "


@pytest.mark.parametrize(
    ("text", "no_memory", "lost"),
    [
        pytest.param(
            f"{HEAD}Conv node. Name:'/c' Status Message: bfc_arena.cc:376 AllocateRawInternal "
            "Failed to allocate memory for requested buffer of size 4831838208",
            True,
            False,
            id="the arena",
        ),
        pytest.param(
            "CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc", True, False, id="CUDA"
        ),
        pytest.param(
            "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", True, False, id="cuBLAS"
        ),
        pytest.param(
            "CUDNN_FE failure 11: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0",
            True,
            False,
            id="cuDNN 9",
        ),
        pytest.param(
            "CUBLAS failure 1: CUBLAS_STATUS_NOT_INITIALIZED ; GPU=0", True, False, id="workspace"
        ),
        pytest.param(
            "CUDA failure 1: invalid argument ; GPU=0 ; expr=cudaMemcpyAsync",
            False,
            False,
            id="the argument of one call",
        ),
        pytest.param("std::bad_alloc", True, False, id="the CPU"),
        pytest.param(
            "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; "
            "expr=cudaStreamSynchronize",
            False,
            True,
            id="an illegal access",
        ),
        pytest.param(
            f"{HEAD}Conv node. Status Message: CUDNN failure 5000: "
            "CUDNN_STATUS_EXECUTION_FAILED ; GPU=0",
            False,
            True,
            id="cuDNN",
        ),
        pytest.param(
            f"{HEAD}Reshape node. Name:'/r' Status Message: The input tensor cannot be reshaped",
            False,
            False,
            id="the model",
        ),
    ],
)
def test_the_text_distinguishes_failures_of_the_device(text, no_memory, lost):
    assert (says_out_of_memory(text), says_device_lost(text)) == (no_memory, lost)
