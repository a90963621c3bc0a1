"""Selection of the estimator, its log lines and imports."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.factory import NETWORKS, make_estimator, network
from poseflow_ros.estimation.movenet import MOVENET_MULTIPOSE
from poseflow_ros.estimation.weights import cache_path, cached

needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="torch is not installed")
needs_torchvision = pytest.mark.skipif(
    not find_spec("torchvision"), reason="torchvision is not installed"
)

# Makes importing a library fail as a missing one does, or as one that does not fit the others.
FINDER = """
import sys
from importlib.machinery import ModuleSpec

class Finder:
    def __init__(self, name, error):
        self.name, self.error = name, error
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == self.name:
            if self.error is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        raise self.error

def spoil(name, error=None):
    sys.meta_path.insert(0, Finder(name, error))
"""
MAKE = """
from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.factory import NETWORKS, make_estimator, network

def make(**settings):
    try:
        estimator = make_estimator(Config(estimator=EstimatorConfig(**settings)), print)
    except EstimatorError as error:
        print("EstimatorError:", error)
    else:
        print(type(estimator).__name__)
"""


# Where there is a driver, CUDA_VISIBLE_DEVICES hides its devices.
NO_DRIVER = r"the CUDA driver (\(libcuda.so.1\) is not installed|finds no device .*)"
DRIVER = "import poseflow_ros.estimation.factory as f; f.driver_problem = lambda: ''\n"


@pytest.fixture(scope="module", autouse=True)
def model():
    """Download MoveNet's model before the tests."""
    return cached(MOVENET_MULTIPOSE)


def lines_of(code):
    """Return what a new interpreter prints that runs the code."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-W", "ignore", "-c", FINDER + MAKE + code]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("spoilt", "device", "reason"),
    [
        pytest.param("", "cpu", "estimator.device is cpu", id="on the CPU"),
        pytest.param("", "auto", NO_DRIVER, id="without a GPU"),
        pytest.param("", "cuda:1", NO_DRIVER, id="without that GPU"),
        pytest.param(
            DRIVER, "auto", "torch finds no CUDA device", id="with a driver", marks=needs_torch
        ),
        pytest.param(
            DRIVER + "spoil('torch')", "auto", "torch is not installed", id="without torch"
        ),
        pytest.param(
            DRIVER + "spoil('torch', ImportError('libc10.so: cannot open shared object file'))",
            "auto",
            "torch cannot be imported: libc10.so: cannot open shared object file",
            id="with half a torch",
        ),
        pytest.param(
            DRIVER + "spoil('torch', OSError('first line\\nand pages more'))",
            "auto",
            "torch cannot be imported: first line",
            id="with an error of many lines",
        ),
        pytest.param(
            DRIVER + "spoil('torch', SystemError())",
            "auto",
            "torch cannot be imported: SystemError",
            id="with an error of no words",
        ),
    ],
)
def test_auto_selects_movenet_and_logs_the_reason(spoilt, device, reason):
    lines = lines_of(f"{spoilt}\nmake(device={device!r}, threads=1)")
    line, made = lines
    assert re.fullmatch(f"estimator.name auto selects movenet: {reason}", line)
    assert made == "MoveNet"


# A GPU as far as torch says; the operators run on the CPU.
FAKE_GPU = (
    DRIVER
    + """
from poseflow_ros.estimation import torch_device
torch_device.cuda_problem = lambda name="cuda": ""
run = torch_device.operators_problem
torch_device.operators_problem = lambda name: run("cpu")
"""
)


@pytest.mark.skipif(not find_spec("detectron2"), reason="detectron2 is not installed")
def test_a_gpu_with_detectron2_selects_it():
    first, second = lines_of(FAKE_GPU + "make(weights='/nowhere')")
    assert first == (
        "estimator.name auto selects detectron2: detectron2 can be imported and a CUDA device is "
        "available"
    )
    assert second.startswith(
        "EstimatorError: estimator.weights is '/nowhere', which is not a file"
    )


@needs_torch
def test_gpu_without_libraries_selects_movenet_and_names_both():
    code = FAKE_GPU + "spoil('detectron2'); spoil('torchvision'); make(threads=1)"
    assert lines_of(code) == [
        "estimator.name auto selects movenet: detectron2 is not installed, and torchvision is not "
        "installed",
        "MoveNet",
    ]


@pytest.mark.slow
@needs_torchvision
def test_a_gpu_with_torchvision_alone_selects_keypoint_rcnn():
    code = FAKE_GPU + "spoil('detectron2', RuntimeError('built for another torch'))\n"
    first, second = lines_of(code + "make(weights='/nowhere')")
    assert first == (
        "estimator.name auto selects keypoint_rcnn: a CUDA device is available, and detectron2 "
        "cannot be imported: built for another torch"
    )
    # The device is a pretended one, and so the network does not get there.
    assert second.startswith("EstimatorError: ")


@pytest.mark.slow
@needs_torchvision
def test_a_torchvision_without_cuda_operators_is_left_to_movenet():
    code = (
        f"{FAKE_GPU}\ntorch_device.operators_problem = lambda name: run('meta')\nmake(threads=1)"
    )
    line, made = lines_of(code)
    assert line.startswith(
        "estimator.name auto selects movenet: torchvision has no operators for meta: "
    )
    assert made == "MoveNet"


@pytest.mark.parametrize(
    ("spoilt", "problem"),
    [
        ("spoil('torchvision')", "torchvision is not installed"),
        ("spoil('torch')", "torch is not installed"),
        (
            "spoil('torchvision', RuntimeError('operator torchvision::nms does not exist'))",
            "torchvision cannot be imported: operator torchvision::nms does not exist",
        ),
    ],
    ids=["missing", "torch missing", "of another torch"],
)
@needs_torchvision
def test_missing_torchvision_is_reported_with_install_command(spoilt, problem):
    advice = "to install it: python3 -m pip install torch torchvision"
    lines = lines_of(f"{spoilt}\nmake(name='keypoint_rcnn', device='cpu')")
    assert lines == [f"EstimatorError: {problem}; {advice}"]


def test_missing_detectron2_is_reported_with_the_page_that_describes_its_installation():
    lines = lines_of("spoil('detectron2')\nmake(name='detectron2')")
    assert lines == [
        "EstimatorError: detectron2 is not installed; to install it from its main branch: see "
        "docs/models.md"
    ]


def test_missing_onnxruntime_is_reported_with_the_packages_that_have_it(tmp_path):
    (tmp_path / "m.onnx").touch()
    code = f"spoil('onnxruntime')\nmake(name='onnx', weights={str(tmp_path / 'm.onnx')!r})"
    assert lines_of(code) == [
        "EstimatorError: onnxruntime is not installed; to install it: python3 -m pip install "
        "onnxruntime (NVIDIA GPU: onnxruntime-gpu, Intel: onnxruntime-openvino)"
    ]


def test_unknown_estimator_is_rejected_with_the_allowed_names():
    with pytest.raises(EstimatorError) as caught:
        make_estimator(Config(estimator=EstimatorConfig(name="yolo")))
    assert str(caught.value) == (
        "estimator.name is 'yolo', must be one of auto, movenet, keypoint_rcnn, detectron2, onnx"
    )


def test_published_files_have_unique_names_and_paths():
    files = [file for name in NETWORKS for file in network(name).published()]
    assert len({file.title for file in files}) == len(files) == 7
    assert len({cache_path(file) for file in files}) == len(files)


def test_explicit_estimator_is_made_without_a_log_line():
    assert lines_of("make(name='movenet', threads=1)") == ["MoveNet"]


LIBRARIES = "{'torch', 'torchvision', 'detectron2', 'onnxruntime'}"
IMPORTED = f"print(sorted({LIBRARIES} & sys.modules.keys()))"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("", id="to import the factory"),
        pytest.param(
            "for name in NETWORKS: network(name).published()", id="to list published weights"
        ),
        pytest.param(
            "import numpy\n"
            "config = Config(estimator=EstimatorConfig(name='movenet', threads=1))\n"
            "movenet = make_estimator(config)\n"
            "movenet.estimate(numpy.zeros((48, 64, 3), numpy.uint8)); movenet.close()",
            id="to run MoveNet",
        ),
        pytest.param(
            "make_estimator(Config(estimator=EstimatorConfig(device='cpu', threads=1))).close()",
            id="to choose for the CPU",
        ),
        pytest.param(
            "make_estimator(Config(estimator=EstimatorConfig(threads=1))).close()",
            id="to choose on a machine without a GPU",
        ),
    ],
)
def test_libraries_that_are_not_needed_are_not_imported(code):
    assert lines_of(f"{code}\n{IMPORTED}")[-1] == "[]"


def test_the_reason_is_logged_only_to_a_given_function():
    said = []
    make_estimator(Config(estimator=EstimatorConfig(device="cpu", threads=1)), said.append).close()
    assert said == ["estimator.name auto selects movenet: estimator.device is cpu"]
    make_estimator(Config(estimator=EstimatorConfig(device="cpu", threads=1))).close()


@needs_torchvision
@pytest.mark.parametrize("estimator", ["keypoint_rcnn"])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"device": "cpu", "weights": "/no/file"},
            "^estimator.weights is '/no/file', which is not a",
        ),
        (
            {"device": "cpu", "weights": os.devnull},
            r"^estimator.weights is '/dev/null', which is not a file",
        ),
    ],
    ids=["weights", "a device for a file"],
)
def test_invalid_keypoint_rcnn_parameter_is_reported(settings, words, estimator):
    with pytest.raises(EstimatorError) as caught:
        make_estimator(Config(estimator=EstimatorConfig(name=estimator, **settings)))
    assert re.search(words, str(caught.value))
    assert len(str(caught.value).splitlines()) == 1


LOW_MEMORY = """
import resource, sys
import ai_edge_litert.interpreter, cv2
from poseflow_ros.__main__ import main
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main(["track", sys.argv[2], "--estimator", "movenet"]))
"""


@pytest.mark.parametrize("free_mib", [2, 10, 20, 30, 50, 80])
def test_exhausted_memory_is_reported_in_one_line(free_mib, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes())
    command = [sys.executable, "-c", LOW_MEMORY, str(free_mib), str(path)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("INFO: ")]
    assert result.returncode == 2
    assert len(lines) == 1, result.stderr
    assert "probably for lack of memory" in lines[0]
