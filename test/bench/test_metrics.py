"""Figures of cases worked out by hand, and what is refused as truth."""

import numpy as np
import pytest

from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.metrics import Score, combined_figures, read_mot

pytest.importorskip("trackeval", reason="trackeval is not installed")

FRAMES = 10
BOXES = np.array([[0.0, 0, 10, 20], [100, 0, 110, 20]])


def scored(found, frames=FRAMES):
    """Return the score where `found(frame)` gives the ids of the two people, 0: not found."""
    score = Score()
    for frame in range(frames):
        ids = np.array(found(frame))
        score.add(np.array([1, 2]), BOXES, ids[ids > 0], BOXES[ids > 0])
    return score


def figures(found):
    return scored(found).figures()


def test_perfect_tracking_is_100_per_cent():
    expected = dict.fromkeys(("HOTA", "AssA", "DetA", "IDF1", "MOTA"), 100.0)
    expected |= {"switches": 0, "identities": 2, "true_identities": 2}
    assert figures(lambda _: [71, 5]) == expected


def test_swap_of_two_ids_is_counted():
    # Both switch: MOTA 1 - 2 / 20. An id is right in half of its frames: IDF1 50. Of each pair's 5
    # frames, 5 others have the person and 5 the id: AssA 5 / 15; HOTA is the root of it, as all
    # are detected.
    swapped = figures(lambda frame: [1, 2] if frame < 5 else [2, 1])
    assert (swapped["switches"], swapped["identities"]) == (2, 2)
    assert swapped["MOTA"] == 90
    assert swapped["IDF1"] == 50
    assert swapped["DetA"] == 100
    assert swapped["AssA"] == pytest.approx(100 / 3, abs=0.01)
    assert swapped["HOTA"] == pytest.approx(100 / 3**0.5, abs=0.01)


def test_person_who_is_never_detected():
    missed = figures(lambda _: [1, 0])
    assert missed["MOTA"] == 50
    assert missed["IDF1"] == pytest.approx(200 / 3, abs=0.01)  # 10 right, 10 missing: 20 / 30
    assert (missed["switches"], missed["identities"], missed["true_identities"]) == (0, 1, 2)


def test_no_detections_at_all():
    nothing = figures(lambda _: [0, 0])
    assert (nothing["HOTA"], nothing["IDF1"], nothing["MOTA"]) == (0, 0, 0)
    assert nothing["identities"] == 0


def test_the_counts_of_several_sequences_are_summed():
    # Both of 10 frames' two people found, one of 30 frames' two: 50 boxes found, 30 missed.
    perfect, missed = scored(lambda _: [71, 5]), scored(lambda _: [5, 0], frames=30)
    together = combined_figures([perfect, missed])
    assert together["MOTA"] == together["DetA"] == 62.5  # 50 / 80
    assert together["IDF1"] == pytest.approx(100 * 100 / 130, abs=0.01)  # 2 x 50 / (80 + 50)
    assert together["AssA"] == 100
    assert together["HOTA"] == pytest.approx(100 * 0.625**0.5, abs=0.01)
    assert (together["switches"], together["identities"], together["true_identities"]) == (0, 3, 4)
    assert combined_figures([perfect]) == perfect.figures()


def write(path, *rows):
    path.write_text("\n".join(rows) + "\n")
    return path


def test_truth_is_read_without_ignored_rows(tmp_path):
    path = write(tmp_path / "gt.txt", "1,7,10,20,30,40,1,-1,-1,-1", "1,8,0,0,5,5,0,-1,-1,-1",
                 "3,7,11,21,30,40,1,-1,-1,-1", "3,9,0,0,5,6,1,-1,-1,-1")  # fmt: skip
    truth = read_mot(path)
    assert sorted(truth) == [0, 2]
    assert truth[0][0].tolist() == [7]
    assert truth[0][1].tolist() == [[10, 20, 40, 60]]
    assert truth[2][0].tolist() == [7, 9]
    assert truth[2][1].tolist() == [[11, 21, 41, 61], [0, 0, 5, 6]]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        pytest.param([], "0 columns", id="nothing"),
        pytest.param(["hello"], "hello", id="a word"),
        pytest.param(["1,1,0,0,5,5"], "6 columns", id="no conf"),
        pytest.param(["1,1,0,0,5,5,1", "1,2,0,0,5"], "columns", id="a short row"),
        pytest.param(["1,1,0,0,5,5,1", "0,1,0,0,5,5,1"], "row 2 has a frame", id="frame 0"),
        pytest.param(["1.5,1,0,0,5,5,1"], "row 1 has a frame", id="half a frame"),
        pytest.param(["1e12,1,0,0,5,5,1"], "row 1 has a frame above", id="a far frame"),
        pytest.param(["1,1.5,0,0,5,5,1"], "row 1 has an id", id="half an id"),
        pytest.param(["1,1,nan,0,5,5,1"], "row 1 holds a number", id="not a number"),
        pytest.param(["1,1,0,0,5,0,1"], "row 1 has a box without area", id="no height"),
        pytest.param(["1,1,0,0,5,5,1"] * 2, "row 2 has an id that its frame", id="an id twice"),
        pytest.param(["1,1,0,0,5,5,0"], "counts nobody", id="nobody counts"),
    ],
)
def test_invalid_truth_is_rejected_with_its_row(rows, named, tmp_path):
    path = write(tmp_path / "gt.txt", *rows)
    with pytest.raises(BenchError, match=named) as caught:
        read_mot(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_image_file_is_rejected_as_truth(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(BenchError, match="no MOTChallenge text"):
        read_mot(path)


def test_missing_trackeval_is_reported(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trackeval.metrics", None)
    monkeypatch.setitem(__import__("sys").modules, "trackeval", None)
    with pytest.raises(BenchError, match="pip install trackeval"):
        Score()
