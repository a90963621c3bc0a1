"""Recorded poses: frame after frame as written, and what is refused."""

import numpy as np
import pytest

from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.recorded import RecordedPoses

IMAGE = np.zeros((4, 4, 3), np.uint8)


def arrays(frames=(0, 2, 2), n_frames=4):
    """Return the arrays of a file: person i has the box (i, ...), the score i / 10."""
    i = np.arange(len(frames), dtype=np.float32)
    keypoints = np.stack([i + 100, i + 200, i / 10], axis=1)[:, None].repeat(17, axis=1)
    return {
        "frame": np.array(frames, np.int32),
        "box": np.stack([i, i + 1, i + 2, i + 3], axis=1),
        "score": i / 10,
        "keypoints": keypoints,
        "n_frames": np.int64(n_frames),
    }


def written(path, **changed):
    np.savez(path, **{k: v for k, v in (arrays() | changed).items() if v is not None})
    return path


def test_each_call_returns_the_next_frame_and_no_people_after_the_last(tmp_path):
    recorded = RecordedPoses(written(tmp_path / "poses.npz"))
    assert len(recorded) == 4
    poses = [recorded.estimate(IMAGE) for _ in range(6)]
    assert [len(p) for p in poses] == [1, 0, 2, 0, 0, 0]
    np.testing.assert_allclose(poses[2].boxes, [[1, 2, 3, 4], [2, 3, 4, 5]])
    np.testing.assert_allclose(poses[2].scores, [0.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose(poses[2].keypoints[1], [[102, 202]] * 17)
    np.testing.assert_allclose(poses[2].keypoint_scores[1], [0.2] * 17, rtol=1e-6)
    assert poses[3].keypoints.shape == (0, 17, 2)
    recorded.close()


def test_people_need_not_be_sorted_by_frame(tmp_path):
    path = written(tmp_path / "poses.npz", **arrays((1, 0, 1), 2))
    recorded = RecordedPoses(path)
    assert [recorded.estimate(IMAGE).boxes[:, 0].tolist() for _ in range(2)] == [[1], [0, 2]]


def test_file_without_people(tmp_path):
    recorded = RecordedPoses(written(tmp_path / "poses.npz", **arrays((), 2)))
    assert [len(recorded.estimate(IMAGE)) for _ in range(3)] == [0, 0, 0]


def missing(path):
    return path


def folder(path):
    path.mkdir()
    return path


def empty(path):
    path.write_bytes(b"")
    return path


def text(path):
    path.write_text("frame,id,left,top\n")
    return path


def one_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    return path


def half_a_file(path):
    written(path)
    path.write_bytes(path.read_bytes()[:700])
    return path


def a_byte_changed(path):
    written(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"box.npy") + 200] ^= 0xFF  # in the array, behind its headers
    path.write_bytes(content)
    return path


def deflated_into_nonsense(path):
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays())
    content = bytearray(path.read_bytes())
    # Behind the first entry's header: 30 bytes and two texts whose lengths stand at its end.
    start = (
        30 + int.from_bytes(content[26:28], "little") + int.from_bytes(content[28:30], "little")
    )
    content[start] = 0xFF  # a kind of block that there is not
    path.write_bytes(content)
    return path


def objects(path):
    return written(path, score=np.array([None, "a", 3], object))


@pytest.mark.parametrize(
    "make",
    [
        *(missing, folder, empty, text, one_array, objects),
        *(half_a_file, a_byte_changed, deflated_into_nonsense),
    ],
)
def test_invalid_file_is_rejected_by_name(make, tmp_path):
    path = make(tmp_path / "poses.npz")
    with pytest.raises(EstimatorError) as caught:
        RecordedPoses(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param({"keypoints": None}, "keypoints", id="no keypoints"),
        pytest.param({"n_frames": None}, "n_frames", id="no number of frames"),
        pytest.param({"keypoints": np.zeros((3, 5, 3))}, "(N, 17, 3)", id="five keypoints"),
        pytest.param({"keypoints": np.zeros((3, 51))}, "keypoints", id="flat keypoints"),
        pytest.param({"keypoints": np.zeros((3, 17, 2))}, "", id="keypoints without scores"),
        pytest.param({"keypoints": np.float64(1)}, "", id="one number for keypoints"),
        pytest.param({"box": np.zeros((3, 5))}, "boxes", id="boxes of five"),
        pytest.param({"box": np.zeros((2, 4))}, "boxes", id="a box too few"),
        pytest.param({"frame": np.zeros(2, int)}, "frame", id="a frame too few"),
        pytest.param({"score": np.array(["a", "b", "c"])}, "", id="words for scores"),
        pytest.param({"n_frames": np.arange(2)}, "", id="two numbers of frames"),
    ],
)
def test_inconsistent_arrays_are_rejected(changed, says, tmp_path):
    path = written(tmp_path / "poses.npz", **changed)
    with pytest.raises(EstimatorError) as caught:
        RecordedPoses(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
