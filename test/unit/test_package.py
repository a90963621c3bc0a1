"""The package's files agree with each other and with the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from catkin_pkg.package import parse_package

import poseflow_ros
from poseflow_ros.config import parameters

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS_FILE = ROOT / "config" / "poseflow.yaml"


def test_versions_are_equal():
    changelog = (ROOT / "CHANGELOG.rst").read_text()
    found = {
        "package.xml": parse_package(str(ROOT / "package.xml")).version,
        "poseflow_msgs": parse_package(str(ROOT / "poseflow_msgs" / "package.xml")).version,
        "setup.py": re.search(r'version="(.+?)"', (ROOT / "setup.py").read_text())[1],
        # A version's header is underlined; the first one is the newest.
        "CHANGELOG.rst": re.search(r"^(\d\S+) \(\d{4}-\d\d-\d\d\)\n-+$", changelog, re.M)[1],
    }
    assert found == dict.fromkeys(found, poseflow_ros.__version__)


@pytest.mark.parametrize(
    ("folder", "name", "build_type"),
    [("", "poseflow_ros", "ament_python"), ("poseflow_msgs", "poseflow_msgs", "ament_cmake")],
)
def test_package_xml_is_one_without_warnings(folder, name, build_type):
    warnings = []
    package = parse_package(str(ROOT / folder / "package.xml"), warnings=warnings)
    assert warnings == []
    assert (package.name, package.package_format) == (name, 3)
    assert package.licenses == ["Apache-2.0"]
    assert package.get_build_type() == build_type


def test_the_parameter_file_holds_every_parameter_and_its_default():
    document = yaml.safe_load(PARAMETERS_FILE.read_text())
    assert list(document) == ["/**"]
    assert list(document["/**"]) == ["ros__parameters"]
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in document["/**"]["ros__parameters"].items()
    }
    assert values == {item.name: item.default for item in parameters()}
    # ROS takes 30 for an integer where 30.0 is declared, and refuses it.
    assert {n: type(v) for n, v in values.items()} == {
        item.name: type(item.default) for item in parameters()
    }


def test_every_parameter_in_the_file_stands_below_a_comment():
    lines = PARAMETERS_FILE.read_text().splitlines()
    for item in parameters():
        (index,) = (i for i, line in enumerate(lines) if line.strip().startswith(f"{item.name}:"))
        assert lines[index - 1].strip().startswith("# "), item.name


@pytest.mark.parametrize(
    "module", ["poseflow_ros.pipeline", "poseflow_ros.__main__", "poseflow_ros.bench.commands"]
)
def test_neither_ros_nor_a_network_is_imported_before_it_is_needed(module):
    heavy = [
        "torch",
        "rclpy",
        "ai_edge_litert",
        "poseflow_msgs",
        "trackeval",
        "matplotlib",
        "trackers",
    ]
    code = f"import {module}, sys; print([name for name in {heavy} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
