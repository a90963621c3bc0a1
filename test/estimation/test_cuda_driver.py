"""What a driver's library answers, and what is made of it."""

import shutil
import subprocess

import pytest

from poseflow_ros.estimation.cuda_driver import driver_problem

SOURCE = """
int cuInit(unsigned int flags) {{ return {init}; }}
int cuDeviceGetCount(int *count) {{ *count = {count}; return {result}; }}
"""


@pytest.fixture
def driver(tmp_path):
    """A function that builds a driver with these answers and returns its path."""
    if not (compiler := shutil.which("cc")):
        pytest.skip("there is no C compiler")

    def build(**answers):
        source, library = tmp_path / "cuda.c", tmp_path / "libcuda.so"
        source.write_text(SOURCE.format(**{"init": 0, "count": 0, "result": 0} | answers))
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        return str(library)

    return build


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        pytest.param({"count": 1}, "", id="one device"),
        pytest.param({"count": 0}, "the CUDA driver finds no device", id="none"),
        pytest.param(
            {"init": 100}, "the CUDA driver finds no device (cuInit returns 100)", id="no hardware"
        ),
        pytest.param(
            {"count": 1, "result": 3},
            "the CUDA driver does not respond (cuDeviceGetCount returns 3)",
            id="a broken driver",
        ),
    ],
)
def test_the_driver_is_asked(driver, answers, problem):
    assert driver_problem(driver(**answers)) == problem


def test_a_missing_driver_is_named():
    assert driver_problem("libnone.so.1") == "the CUDA driver (libnone.so.1) is not installed"
