"""The list of a robot's cameras."""

from pathlib import Path

import pytest

from poseflow_ros.cameras_file import CameraEntry, read_cameras
from poseflow_ros.parameter_group import ConfigError

EXAMPLE = Path(__file__).resolve().parent.parent / "config" / "cameras.yaml"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "robot.yaml"
        path.write_text(text)
        return path

    return write


def test_example_file_has_a_camera_with_depth_and_a_compressed_camera():
    front, rear = read_cameras(EXAMPLE)
    assert (front.name, front.image_transport) == ("front", "raw")
    assert front.remappings() == [
        ("front/image", "front_camera/image_raw"),
        ("front/camera_info", "front_camera/camera_info"),
        ("front/depth", "front_camera/depth/image_raw"),
    ]
    assert (rear.name, rear.image_transport) == ("rear", "compressed")
    assert rear.remappings() == [
        ("rear/image", "rear_camera/image_raw/compressed"),
        ("rear/camera_info", "rear_camera/camera_info"),
    ]


def test_only_name_and_image_are_required(write):
    path = write("cameras: [{name: top_2, image: ~/eye/Image_1}]")
    assert read_cameras(path) == [CameraEntry(name="top_2", image="~/eye/Image_1")]


@pytest.mark.parametrize(
    ("cameras", "said"),
    [
        pytest.param("[{image: /a}]", "camera number 1 has no name", id="no name"),
        pytest.param("[{name: a, image: /a}, {name: rear}]", "camera rear has no image",
                     id="no image"),
        pytest.param("[{name: a, image: /a, imagetransport: raw}]",
                     "camera a: unknown key 'imagetransport'; known: name, image, camera_info, "
                     "depth, image_transport", id="an unknown key"),
        pytest.param("[{name: a-b, image: /a}]", "camera a-b: name is 'a-b', must be letters",
                     id="a name that is no part of a topic"),
        pytest.param("[{name: 2, image: /a}]", "camera number 1: name is 2, must be letters",
                     id="a number for a name"),
        pytest.param("[{name: '', image: /a}]", "name is '', must be letters", id="an empty name"),
        pytest.param("[{name: a, image: /a b}]", "camera a: image is '/a b', must be a topic name",
                     id="a topic with a space"),
        pytest.param("[{name: a, image: /a/}]", "image is '/a/', must be a topic name",
                     id="a topic that ends in a slash"),
        pytest.param("[{name: a, image: /a, depth: }]", "camera a: depth is None, must be a topic",
                     id="a key without a value"),
        pytest.param("[{name: a, image: /a, image_transport: theora}]",
                     "camera a: image_transport is 'theora', must be raw or compressed",
                     id="a transport that there is not"),
        pytest.param("[{name: a, image: /a}, {name: a, image: /b}]", "2 cameras named a",
                     id="two of one name"),
        pytest.param("[front]", "camera number 1 is 'front', must be a mapping such as {name: ",
                     id="a word for a camera"),
        pytest.param("[]", "must contain only the key cameras:", id="an empty list"),
        pytest.param("{name: a, image: /a}", "must contain only the key cameras:",
                     id="a camera for a list"),
        pytest.param("[{name: a, image: /a}]\nother: 1", "must contain only the key cameras:",
                     id="something beside the list"),
        pytest.param("[{name: a", "is not valid YAML: while parsing a flow", id="invalid YAML"),
    ],
)  # fmt: skip
def test_invalid_camera_is_reported_with_its_file(write, cameras, said):
    path = write(f"cameras: {cameras}")
    with pytest.raises(ConfigError) as error:
        read_cameras(path)
    line = str(error.value)
    assert said in line
    assert line.startswith(str(path))
    assert "\n" not in line


def test_missing_file_is_reported_by_name(tmp_path):
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read: No such file"):
        read_cameras(path)
