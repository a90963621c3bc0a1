"""Trackers of the package `trackers` beside ours: fitted thresholds, memory, ids."""

import json

import numpy as np
import pytest
from made_recording import N_FRAMES, make_detections, truth_lines

from poseflow_ros.__main__ import main
from poseflow_ros.bench.observation import Observation
from poseflow_ros.bench.peer_fit import fit, iou_candidates, run_peers, score_candidates
from poseflow_ros.bench.peers import PEERS, PeerSequence, replay
from poseflow_ros.bench.trial import figures

pytest.importorskip("trackeval", reason="trackeval is not installed")
pytest.importorskip("supervision", reason="supervision is not installed")
pytest.importorskip("trackers", reason="trackers is not installed")

PEOPLE = np.array([[10.0, 20, 40, 100], [200, 20, 230, 100]])
NOTHING = np.array([[400.0, 20, 430, 100]])
START, HIGH = "track_activation_threshold", "high_conf_det_threshold"


def observed(boxes, scores, truth=PEOPLE):
    """Return a frame with the first of the people of the truth as id 1 and so on."""
    return Observation(np.arange(1, len(truth) + 1), truth, np.array(boxes), np.array(scores))


def standing(n_frames, score):
    """Return frames of two people who stand still and are always detected."""
    return [observed(PEOPLE, [score, score]) for _ in range(n_frames)]


def lost_for(n_frames, score=0.9):
    """Return frames of two people of whom nobody is detected for some frames in between."""
    gap = [observed(PEOPLE[:0], []) for _ in range(n_frames)]
    return standing(10, score) + gap + standing(10, score)


def defaults(peer):
    return peer.defaults(peer.score_thresholds)


@pytest.mark.parametrize("name", PEERS)
def test_fitted_thresholds_accept_low_scores(name):
    sequences = [PeerSequence(standing(40, 0.2), 10)]
    peer = PEERS[name]
    with_defaults = figures(replay(peer, sequences, 1, defaults(peer)))
    assert with_defaults["identities"] == 0
    fitted = figures(replay(peer, sequences, 1, fit(peer, sequences, 1)))
    assert (fitted["identities"], fitted["switches"]) == (2, 0)
    assert fitted["MOTA"] >= 100 * 37 / 40  # three frames at most until a track is confirmed


@pytest.mark.parametrize("name", PEERS)
def test_fitted_thresholds_reject_false_positives(name):
    # Half of the detections are false, with the lower score.
    boxes = np.vstack([PEOPLE, NOTHING, NOTHING + 100])
    frames = [observed(boxes, [0.45, 0.45, 0.15, 0.15]) for _ in range(40)]
    sequences = [PeerSequence(frames, 10)]
    peer = PEERS[name]
    thresholds = fit(peer, sequences, 1)
    assert 0.15 < thresholds[peer.score_thresholds[-1]] <= 0.45
    assert figures(replay(peer, sequences, 1, thresholds))["identities"] == 2


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("rate_hz", [10, 20, 50])
def test_memory_is_in_seconds_at_any_rate(name, rate_hz):
    def ids(frames_lost, memory_s):
        sequences = [PeerSequence(lost_for(frames_lost), rate_hz)]
        return figures(replay(PEERS[name], sequences, memory_s, defaults(PEERS[name])))[
            "identities"
        ]

    second = rate_hz
    assert ids(second - 1, memory_s=1) == 2
    assert ids(second + 1, memory_s=1) == 4
    assert ids(second + 1, memory_s=2) == 2


def test_ids_start_at_1_and_boxes_equal_the_detections():
    (trial,) = replay(
        PEERS["SORT"], [PeerSequence(standing(5, 0.9), 10)], 1, {START: 0.5}, with_lanes=True
    )
    assert {found for sights in trial.lanes.found_as.values() for _, found in sights} == {1, 2}
    assert all((s == 1).sum() == 2 for s in trial.score.similarities[-2:])


def test_every_sequence_gets_a_fresh_tracker():
    sequences = [PeerSequence(standing(10, 0.9), 10)] * 2
    one, other = replay(PEERS["ByteTrack"], sequences, 1, {HIGH: 0.5, START: 0.5}, with_lanes=True)
    assert one.lanes.found_as == other.lanes.found_as


def test_unlabelled_people_are_ignored_in_a_partly_labelled_sequence():
    frames = [observed(np.vstack([PEOPLE, NOTHING]), [0.9] * 3) for _ in range(10)]
    for partial, identities in ((False, 3), (True, 2)):
        trials = replay(PEERS["SORT"], [PeerSequence(frames, 10, partial)], 1, {START: 0.5})
        assert figures(trials)["identities"] == identities


def test_thresholds_to_try_are_the_defaults_and_quantiles_of_the_scores():
    scores = np.append(np.linspace(0, 1, 101), np.nan)
    sort = score_candidates(PEERS["SORT"], scores)
    assert [c[START] for c in sort] == pytest.approx([0.25, 0, 0.1, 0.2, 0.4, 0.6, 0.8], abs=0.001)
    byte = score_candidates(PEERS["ByteTrack"], scores)
    assert byte[0] == {HIGH: 0.6, START: 0.7}
    assert len(byte) == 1 + 6 * 7 / 2  # pairs of six levels, of which the first is not higher
    assert all(c[HIGH] <= c[START] for c in byte)
    assert len(score_candidates(PEERS["OC-SORT"], np.full(9, 0.3))) == 2


def test_thresholds_on_iou_times_score_are_lowered_with_the_scores():
    first, *lower = iou_candidates(PEERS["C-BIoU"])
    assert list(first.values()) == [0.2, 0.3]
    assert [list(c.values()) for c in lower] == [[0.1, 0.15], [0.05, 0.075]]


def test_equal_metrics_keep_the_defaults():
    sequences = [PeerSequence(standing(10, 0.9), 10)]
    for peer in PEERS.values():
        assert fit(peer, sequences, 1).items() >= defaults(peer).items()


def test_invalid_detections_are_ignored():
    bad = np.vstack([PEOPLE, [[np.nan, 0, 1, 1]], [[5, 5, 5, 9]], PEOPLE[:1] + 300])
    frames = [observed(bad, [0.9, 0.9, 0.9, 0.9, np.nan]) for _ in range(10)]
    for result in run_peers([PeerSequence(frames, 10)], 1).values():
        assert figures(result.trials)["identities"] == 2


def test_no_detections_give_no_tracks():
    frames = [observed(PEOPLE[:0], []) for _ in range(5)]
    for result in run_peers([PeerSequence(frames, 10)], 1).values():
        assert figures(result.trials)["HOTA"] == 0


@pytest.fixture
def recording(tmp_path):
    make_detections(tmp_path / "poses.npz", score=0.3)
    (tmp_path / "gt.txt").write_text("\n".join(truth_lines()))
    entry = "detections: poses.npz, gt: gt.txt"
    lines = [f"- {{name: {name}, fps: {fps}, {entry}}}" for name, fps in (("a", 8), ("b", 16))]
    (tmp_path / "two.yaml").write_text("\n".join(["sequences:", *lines]))
    (tmp_path / "one.yaml").write_text("\n".join(["sequences:", *lines[:1]]))
    return tmp_path


def run(command, out, capfd):
    assert main([*command.split(), "--association", "classic", "--report", str(out)]) == 0
    return json.loads(out.read_text()), capfd.readouterr().out.splitlines()


def test_bench_tracking_lists_the_peers_below_the_associations(recording, capfd):
    command = f"bench tracking --dataset {recording}/two.yaml --peers --peer-memory 2 --every 2"
    report, (head, *lines) = run(command, recording / "r.json", capfd)
    assert head.split()[0] == "tracker"
    assert [line.split()[0] for line in lines[:5]] == ["classic", *PEERS]
    assert "memory 2 s" in lines[5]
    assert list(report["peers"]) == list(PEERS)
    assert report["peer_memory_s"] == 2
    assert report["peer_package"].startswith("trackers 2.")
    for name, line in zip(PEERS, lines[6:], strict=True):
        figures = report["peers"][name]
        assert set(PEERS[name].score_thresholds) <= set(figures["thresholds"])
        assert line.strip().startswith(f"{name}: ")
        for key, value in figures["thresholds"].items():
            assert f"{key} {value:g}" in line
        assert figures["true_identities"] == 4
        assert figures["ms_per_frame"] > 0
    assert [one["frames"] for one in report["sequences"]] == [N_FRAMES / 2] * 2
    assert all(set(one["peers"]) == set(PEERS) for one in report["sequences"])


def test_bench_tracking_plots_the_peers(recording, monkeypatch, capfd):
    drawn = {}
    monkeypatch.setattr(
        "poseflow_ros.bench.commands.tracking.draw",
        lambda path, lanes, frame_s: drawn.update(lanes),
    )
    plot = recording / "lanes.png"
    command = f"bench tracking --dataset {recording}/one.yaml --peers --plot {plot}"
    run(command, recording / "r.json", capfd)
    assert list(drawn) == ["classic", *PEERS]
    assert all(lanes.frames == N_FRAMES for lanes in drawn.values())


def test_bench_tracker_runs_the_peers_on_the_same_crowd(tmp_path, capfd):
    command = "bench tracker --people 3 --seconds 4 --seed 7 --peers"
    report, _ = run(command, tmp_path / "r.json", capfd)
    true = report["associations"]["classic"]["true_identities"]
    assert {figures["true_identities"] for figures in report["peers"].values()} == {true}
    assert all(figures["HOTA"] > 0 for figures in report["peers"].values())
