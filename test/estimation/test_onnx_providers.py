"""Execution providers: which ones are asked for, in which order, with which options."""

import re

import pytest

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.onnx_providers import active_precision, choose_providers

ALL = [f"{name}ExecutionProvider" for name in ("CPU", "OpenVINO", "CUDA", "Tensorrt", "Azure")]
CPU_ONLY = ["AzureExecutionProvider", "CPUExecutionProvider"]


def chosen(available, **settings):
    providers = choose_providers(EstimatorConfig(**settings), available)
    return {name.removesuffix("ExecutionProvider"): options for name, options in providers}


@pytest.mark.parametrize(
    ("device", "available", "names"),
    [
        pytest.param("auto", ALL, ["Tensorrt", "CUDA", "OpenVINO", "CPU"], id="the best first"),
        pytest.param("auto", CPU_ONLY, ["CPU"], id="what the build has"),
        pytest.param("cpu", ALL, ["OpenVINO", "CPU"], id="the CPU"),
        pytest.param("cuda", ALL, ["Tensorrt", "CUDA", "CPU"], id="a GPU"),
        pytest.param("cuda:1", [*CPU_ONLY, ALL[2]], ["CUDA", "CPU"], id="without TensorRT"),
    ],
)
def test_providers_are_asked_for_in_order(device, available, names):
    assert list(chosen(available, device=device)) == names


def test_a_build_without_cuda_is_named():
    words = re.escape(
        "estimator.device is 'cuda', but the installed ONNX Runtime has only "
        "AzureExecutionProvider, CPUExecutionProvider; to install: python3 -m pip install "
        "onnxruntime-gpu"
    )
    with pytest.raises(EstimatorError, match=f"^{words}$"):
        choose_providers(EstimatorConfig(device="cuda"), CPU_ONLY)


def test_the_number_of_the_device_is_passed_on():
    providers = chosen(ALL, device="cuda:2")
    assert providers["CUDA"]["device_id"] == providers["Tensorrt"]["device_id"] == 2
    assert chosen(ALL)["CUDA"]["device_id"] == 0


def test_openvino_may_use_a_gpu_unless_the_cpu_is_asked_for():
    assert chosen(ALL)["OpenVINO"] == {"device_type": "AUTO"}
    assert chosen(ALL, device="cpu")["OpenVINO"] == {"device_type": "CPU"}


def test_tensorrt_keeps_its_engines_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = chosen(ALL)["Tensorrt"]
    assert options["trt_engine_cache_enable"]
    assert options["trt_engine_cache_path"] == f"{tmp_path}/poseflow_ros/tensorrt"


@pytest.mark.parametrize(
    ("precision", "float16", "tf32"),
    [("auto", True, True), ("float16", True, True), ("float32", False, False)],
)
def test_the_precision_is_an_option_of_the_gpu_s_providers(precision, float16, tf32):
    providers = chosen(ALL, precision=precision)
    assert providers["Tensorrt"]["trt_fp16_enable"] == float16
    assert providers["CUDA"]["use_tf32"] == tf32


@pytest.mark.parametrize(
    ("provider", "file", "precision", "active"),
    [
        ("CPU", "float32", "auto", "float32"),
        ("CPU", "float16", "auto", "float16"),
        ("CPU", "float32", "float32", "float32"),
        ("CUDA", "float16", "float16", "float16"),
        ("Tensorrt", "float32", "auto", "float16"),
        ("Tensorrt", "float32", "float32", "float32"),
        ("Tensorrt", "float16", "auto", "float16"),
    ],
)
def test_the_active_precision(provider, file, precision, active):
    config = EstimatorConfig(precision=precision)
    assert active_precision(config, f"{provider}ExecutionProvider", file) == active


@pytest.mark.parametrize(
    ("provider", "file", "precision"),
    [
        ("CUDA", "float32", "float16"),
        ("CPU", "float16", "float32"),
        ("Tensorrt", "float32", "bfloat16"),
    ],
)
def test_a_precision_to_which_the_provider_does_not_convert_is_refused(provider, file, precision):
    config = EstimatorConfig(precision=precision)
    with pytest.raises(EstimatorError, match=rf"^estimator.precision is {precision}, but .*must"):
        active_precision(config, f"{provider}ExecutionProvider", file)
