"""Parameter files whose node name does not match."""

import pytest

from poseflow_ros.parameter_files import read_parameters, unmatched_files
from poseflow_ros.parameter_group import ConfigError

BODY = "\n  ros__parameters:\n    tracker:\n      max_lost_s: 3.0\n"


@pytest.fixture
def lines_for(tmp_path):
    """A function that returns the lines about a file with this text."""

    def check(text, node_name="/poseflow"):
        path = tmp_path / "params.yaml"
        path.write_text(text)
        arguments = ["poseflow_node", "--ros-args", "--params-file", str(path), "-r", "__ns:=/a"]
        return [line.replace(str(path), "FILE") for line in unmatched_files(arguments, node_name)]

    return check


@pytest.mark.parametrize(
    ("key", "node_name"),
    [
        pytest.param("/**", "/poseflow", id="every node"),
        pytest.param("/**", "/robot/left/poseflow", id="every node, in a namespace"),
        pytest.param("poseflow", "/poseflow", id="the name"),
        pytest.param("/poseflow", "/poseflow", id="the full name"),
        pytest.param("/robot/poseflow", "/robot/poseflow", id="in its namespace"),
        pytest.param("/*/poseflow", "/robot/poseflow", id="any namespace"),
        pytest.param("/**/poseflow", "/a/b/poseflow", id="any number of namespaces"),
        pytest.param("/**/poseflow", "/poseflow", id="none of any number"),
        pytest.param("/*", "/poseflow", id="any name"),
    ],
)
def test_file_that_names_the_node_is_accepted(key, node_name, lines_for):
    assert lines_for(f"{key}:{BODY}", node_name) == []


def test_name_nested_in_namespaces_is_accepted(lines_for):
    text = "robot:\n  poseflow:\n    ros__parameters:\n      estimator: {name: movenet}\n"
    assert lines_for(text, "/robot/poseflow") == []


@pytest.mark.parametrize(
    ("key", "node_name", "named"),
    [
        pytest.param("posflow", "/poseflow", "/posflow", id="a typing error"),
        pytest.param("poseflow", "/robot/poseflow", "/poseflow", id="without its namespace"),
        pytest.param("/*/poseflow", "/poseflow", "/*/poseflow", id="a namespace too many"),
        pytest.param("/camera", "/poseflow", "/camera", id="another node"),
    ],
)
def test_another_name_is_reported_in_one_line(key, node_name, named, lines_for):
    assert lines_for(f"{key}:{BODY}", node_name) == [
        f"FILE sets no parameters of {node_name}: it names {named}; use {node_name} or /**"
    ]


def test_of_several_names_the_closest_is_reported(lines_for):
    (line,) = lines_for(f"camera:{BODY}poseflo:{BODY}lidar:{BODY}")
    assert "it names /poseflo;" in line


def test_of_several_names_one_that_matches_is_enough(lines_for):
    assert lines_for(f"camera:{BODY}poseflow:{BODY}") == []


@pytest.mark.parametrize("text", ["", "poseflow: 3\n", "- a\n", "tracker: {max_lost_s: 3.0}\n"])
def test_a_file_without_any_parameters_is_reported(text, lines_for):
    assert lines_for(text) == [
        "FILE sets no parameters: expected ros__parameters: below /poseflow: or /**:"
    ]


def test_several_files_get_a_line_each(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name}:{BODY}")
    arguments = ["--params-file", str(tmp_path / "a"), "--params-file", str(tmp_path / "b")]
    assert len(unmatched_files(arguments, "/poseflow")) == 2
    assert unmatched_files([], "/poseflow") == []
    assert unmatched_files(["--params-file"], "/poseflow") == []


@pytest.mark.parametrize("option", ["-p", "--param"])
@pytest.mark.parametrize(
    ("assignment", "is_reported"),
    [
        pytest.param("tracker.max_lost_s:=3.0", False, id="of every node"),
        pytest.param("poseflow:tracker.max_lost_s:=3.0", False, id="the name"),
        pytest.param("estimator.weights:=/a:b", False, id="a value with a colon"),
        pytest.param("posflow:tracker.max_lost_s:=3.0", True, id="a typing error"),
    ],
)
def test_an_assignment_to_another_node_is_reported(option, assignment, is_reported):
    lines = unmatched_files([option, assignment], "/poseflow")
    # In a namespace the name alone is not the node's.
    assert len(unmatched_files([option, assignment], "/robot/poseflow")) == (
        is_reported or assignment.startswith("poseflow:")
    )
    assert len(lines) == is_reported
    if lines:
        assert lines[0].endswith("use -p tracker.max_lost_s:=3.0")


def test_of_several_sections_the_later_one_applies(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(
        "poseflow:\n  ros__parameters: {a: {b: 1, c: 1}}\n"
        "other:\n  ros__parameters: {a.b: 2}\n"
        "/**:\n  ros__parameters: {a.b: 3}\n"
    )
    assert read_parameters(path) == {"a.b": 3, "a.c": 1}


def test_the_words_of_the_node_and_the_commands_are_the_same(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(f"posflow:{BODY}")
    (line,) = unmatched_files(["--params-file", str(path)], "/poseflow")
    with pytest.raises(ConfigError) as caught:
        read_parameters(path)
    assert str(caught.value) == line
