"""The files of the package are consistent with each other and with the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from catkin_pkg.package import parse_package

import poseflow_ros
from poseflow_ros.action_config import ActionConfig
from poseflow_ros.bridge_config import BridgeConfig
from poseflow_ros.config import Config
from poseflow_ros.parameter_group import parameters

ROOT = Path(__file__).resolve().parent.parent
PARAMETER_FILES = pytest.mark.parametrize(
    ("file", "config"), [("poseflow.yaml", Config), ("action.yaml", ActionConfig),
     ("bridge.yaml", BridgeConfig)],
)  # fmt: skip


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
def test_package_xml_has_no_warnings(folder, name, build_type):
    warnings = []
    package = parse_package(str(ROOT / folder / "package.xml"), warnings=warnings)
    assert warnings == []
    assert (package.name, package.package_format) == (name, 3)
    assert package.licenses == ["Apache-2.0"]
    assert package.get_build_type() == build_type


@PARAMETER_FILES
def test_parameter_file_contains_every_parameter_with_its_default(file, config):
    document = yaml.safe_load((ROOT / "config" / file).read_text())
    assert list(document) == ["/**"]
    assert list(document["/**"]) == ["ros__parameters"]
    values = {
        f"{group}.{name}": tuple(value) if isinstance(value, list) else value
        for group, members in document["/**"]["ros__parameters"].items()
        for name, value in members.items()
    }
    assert values == {parameter.name: parameter.default for parameter in parameters(config)}
    # ROS reads 30 as an integer where 30.0 is declared, and rejects it.
    assert {n: type(v) for n, v in values.items()} == {
        parameter.name: type(parameter.default) for parameter in parameters(config)
    }


@PARAMETER_FILES
def test_every_parameter_in_the_file_has_its_description_above_it(file, config):
    lines = [line.strip() for line in (ROOT / "config" / file).read_text().splitlines()]
    index = 0
    for parameter in parameters(config):
        name = parameter.name.partition(".")[2]
        index = next(i for i in range(index, len(lines)) if lines[i].startswith(f"{name}:"))
        first = index
        while lines[first - 1].startswith("# "):
            first -= 1
        comment = " ".join(line.removeprefix("# ") for line in lines[first:index])
        assert comment.lower().startswith(parameter.spec.description.lower()), parameter.name
        assert comment.endswith(" Live.") == parameter.spec.live, parameter.name


@pytest.mark.parametrize(
    "module",
    [
        "poseflow_ros.pipeline",
        "poseflow_ros.actions",
        "poseflow_ros.recognition.action_classifier",
        "poseflow_ros.__main__",
        "poseflow_ros.bench.commands",
    ],
)
def test_neither_ros_nor_a_network_is_imported_before_it_is_needed(module):
    heavy = [
        "torch",
        "onnxruntime",
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
