"""What robots get: the files of a wheel and of `colcon build`, and the commands that run there."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("config", "launch", "poseflow_ros", "resource")
FILES = ("package.xml", "pyproject.toml", "setup.cfg", "setup.py")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the sources, because building writes beside them."""
    folder = tmp_path_factory.mktemp("source")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


def unpack_wheel(source, folder):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return folder / "unpacked"


def build_with_colcon(source, folder):
    command = [sys.executable, "-m", "colcon", "--log-base", folder / "log", "build"]
    command += ["--base-paths", source, "--build-base", folder / "build"]
    command += ["--install-base", folder / "install"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    (package,) = (folder / "install").rglob("poseflow_ros/__init__.py")
    return package.parents[1]


@pytest.fixture(scope="module", params=[unpack_wheel, build_with_colcon], ids=["wheel", "colcon"])
def site_packages(request, source, tmp_path_factory):
    """The folder on Python's path that an installation makes."""
    return request.param(source, tmp_path_factory.mktemp("installation"))


def modules(folder):
    return {path.relative_to(folder).as_posix() for path in folder.glob("poseflow_ros/**/*.py")}


def run_installed(site_packages, *arguments):
    path = os.pathsep.join([str(site_packages), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True,
        cwd=site_packages, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


def test_everything_but_the_benchmarks_is_installed(site_packages, source):
    missing = modules(source) - modules(site_packages)
    assert modules(site_packages) < modules(source)
    assert missing == {name for name in modules(source) if name.startswith("poseflow_ros/bench/")}


def test_the_commands_run_without_benchmarks(site_packages):
    result = run_installed(site_packages, "-m", "poseflow_ros", "weights", "--help")
    assert (result.returncode, result.stderr) == (0, "")


def test_bench_reports_in_one_line_that_it_is_not_installed(site_packages):
    result = run_installed(
        site_packages, "-m", "poseflow_ros", "bench", "tracker", "--people", "3"
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "poseflow_ros: benchmarks are not installed; run this command in the source checkout\n"
    )


@pytest.mark.skipif(not importlib.util.find_spec("rclpy"), reason="no ROS 2 environment")
def test_the_node_needs_no_benchmark(site_packages):
    code = "import poseflow_ros.ros.node, poseflow_ros.ros.video_publisher as m; print(m.__file__)"
    result = run_installed(site_packages, "-c", code)
    assert result.stderr == ""
    assert Path(result.stdout.strip()).is_relative_to(site_packages)


def test_the_source_checkout_has_the_benchmarks():
    command = [sys.executable, "-m", "poseflow_ros", "bench", "--help"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert all(name in result.stdout for name in ("tracker", "tracking", "estimator", "node"))
