"""The sequences of a data set."""

import pytest

from poseflow_ros.bench.dataset import read_dataset
from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.recording import Recording
from poseflow_ros.parameter_group import ConfigError


@pytest.fixture
def write(tmp_path):
    folder = tmp_path / "set"
    (folder / "a").mkdir(parents=True)
    for name in ("a/poses.npz", "a/gt.txt", "b.npz", "video.mp4"):
        (folder / name).touch()

    def write(text):
        path = folder / "data.yaml"
        path.write_text(text)
        return path

    return write


def test_paths_are_relative_to_the_file_and_a_name_is_that_of_the_detections(write):
    path = write("""
        sequences:
          - {detections: a/poses.npz, gt: a/gt.txt, video: video.mp4}
          - {name: b, detections: b.npz, gt: a/gt.txt, fps: 12.5, partial: true}
    """)
    here = path.parent
    poses, gt = here / "a/poses.npz", here / "a/gt.txt"
    assert read_dataset(path) == [
        Recording(str(here / "video.mp4"), poses, gt, name="a/poses.npz"),
        Recording("", here / "b.npz", gt, fps=12.5, partial=True, name="b"),
    ]


def test_a_folder_of_images_takes_a_rate(write):
    path = write("sequences: [{detections: b.npz, gt: a/gt.txt, video: a, fps: 30}]")
    (recording,) = read_dataset(path)
    assert (recording.video, recording.rate_hz) == (str(path.parent / "a"), 30)


GOOD = "detections: b.npz, gt: a/gt.txt"


@pytest.mark.parametrize(
    ("sequences", "said"),
    [
        pytest.param("[]", "must contain only the key sequences:", id="an empty list"),
        pytest.param(f"{{{GOOD}}}", "must contain only the key sequences:", id="no list"),
        pytest.param(f"[{{{GOOD}, fps: 9}}]\nother: 1", "must contain only the key sequences:",
                     id="more"),
        pytest.param("[yard]", "sequence number 1 is 'yard', must be such as {detections: ",
                     id="a word for a sequence"),
        pytest.param("[{gt: a/gt.txt, fps: 9}]", "sequence number 1 has no detections",
                     id="no detections"),
        pytest.param("[{name: yard, detections: b.npz, fps: 9}]", "sequence yard has no gt",
                     id="no truth"),
        pytest.param(f"[{{{GOOD}}}]", "sequence number 1 has neither video nor fps",
                     id="no rate"),
        pytest.param(f"[{{{GOOD}, fsp: 9}}]", "unknown key 'fsp'; did you mean fps[?]",
                     id="a key misspelt"),
        pytest.param(f"[{{{GOOD}, zebra: 9}}]", "unknown key 'zebra'; known: name, detections",
                     id="an unknown key"),
        pytest.param(f"[{{{GOOD}, fps: 0}}]", "fps is 0, must be frames per second, above 0 and "
                     "up to 1000", id="a rate of 0"),
        pytest.param(f"[{{{GOOD}, fps: .nan}}]", "fps is nan, must be", id="a rate of nan"),
        pytest.param(f"[{{{GOOD}, fps: .inf}}]", "fps is inf, must be", id="an endless rate"),
        pytest.param(f"[{{{GOOD}, fps: true}}]", "fps is True, must be", id="true for a rate"),
        pytest.param(f"[{{{GOOD}, fps: '9'}}]", "fps is '9', must be", id="a text for a rate"),
        pytest.param(f"[{{{GOOD}, fps: 9, partial: 1}}]", "partial is 1, must be true or false",
                     id="a number for partial"),
        pytest.param(f"[{{{GOOD}, fps: 9, name: 7}}]", "name is 7, must be a name",
                     id="a number for a name"),
        pytest.param("[{detections: [b.npz], gt: a/gt.txt}]", r"detections is \['b.npz'\], must "
                     "be the path of an archive", id="a list for a path"),
        pytest.param("[{detections: c.npz, gt: a/gt.txt, fps: 9}]", "detections is 'c.npz', must "
                     "be there: .*set/c.npz is not", id="no such detections"),
        pytest.param(f"[{{{GOOD}, video: no.mp4}}]", "video is 'no.mp4', must be there",
                     id="no such video"),
        pytest.param(f"[{{{GOOD}, fps: 9}}, {{{GOOD}, fps: 8}}]", "2 sequences named b.npz",
                     id="two of one name"),
    ],
)  # fmt: skip
def test_invalid_sequence_is_reported_with_its_file(write, sequences, said):
    path = write(f"sequences: {sequences}")
    with pytest.raises(BenchError, match=said) as error:
        read_dataset(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["sequences: [{name: a", "sequences: [\xff"])
def test_invalid_yaml_is_rejected(write, text):
    path = write("")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="is not valid YAML"):
        read_dataset(path)
