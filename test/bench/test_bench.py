"""`bench` as a command: what it measures, writes and refuses."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_recording import N_FRAMES, RATE_HZ, make_detections, truth_lines

from poseflow_ros.__main__ import main
from poseflow_ros.bench.lanes import Lanes
from poseflow_ros.bench.metrics import Score
from poseflow_ros.bench.recording import Recording, shake_px, shifted
from poseflow_ros.config import Config, TrackerConfig, choices
from poseflow_ros.estimation.recorded import RecordedPoses
from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.imaging.video import VideoWriter
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.tracker import PoseFlowTracker

pytest.importorskip("trackeval", reason="trackeval is not installed")
pytest.importorskip("matplotlib", reason="matplotlib is not installed")

SHARED = Path(__file__).resolve().parents[3] / "shared"
PETS = SHARED / "data" / "pets09-s2l1"
EVALUATE = SHARED / "tools" / "evaluate_tracking.py"
ASSOCIATIONS = choices("tracker.association")
CLASSIC = ["--association", "classic"]

FIGURES = {
    *("HOTA", "AssA", "DetA", "IDF1", "MOTA"),
    *("switches", "identities", "true_identities", "ms_per_frame", "ms_per_frame_p99"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a video of 12 frames, perfect detections of two people and the truth.

    Person 2 has the id 5 in the truth and is not there in the first frame.
    """
    folder = tmp_path_factory.mktemp("made")
    with VideoWriter(folder / "video.mp4", RATE_HZ) as writer:
        for _ in range(N_FRAMES):
            writer.write(np.full((120, 160, 3), 128, np.uint8))
    make_detections(folder / "poses.npz")
    lines = truth_lines()
    (folder / "gt.txt").write_text("\n".join(lines) + "\n")
    (folder / "only_1.txt").write_text("\n".join(x for x in lines if ",1," in x[:5]) + "\n")
    (folder / "late.txt").write_text("\n".join(lines) + "\n13,1,0,0,5,5,1,-1,-1,-1\n")
    entry = "{detections: poses.npz, gt: gt.txt, fps: 8, name: %s}"
    (folder / "two.yaml").write_text(f"sequences: [{entry % 'one'}, {entry % 'two'}]")
    (folder / "text.txt").write_text("hello\n")
    (folder / "twice.txt").write_text(f"{lines[0]}\n{lines[0]}\n")
    return folder


@pytest.fixture
def bench(made, tmp_path):
    """Return a function that runs `bench tracking` on what was made; gives the report."""

    def run(*arguments):
        files = [str(made / name) for name in ("video.mp4", "poses.npz", "gt.txt")]
        out = tmp_path / "report.json"
        assert main(["bench", "tracking", *files, "--report", str(out), *arguments]) == 0
        return json.loads(out.read_text())

    return run


def test_bench_tracker_prints_and_writes_the_results_of_every_association(tmp_path):
    command = [sys.executable, "-m", "poseflow_ros", "bench", "tracker", "--people", "3"]
    command += ["--seconds", "4", "--seed", "7", "--report", tmp_path / "r.json"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    head, *rows = result.stdout.splitlines()
    assert head.split()[:3] == ["association", "HOTA", "AssA"]
    assert [row.split()[0] for row in rows] == list(ASSOCIATIONS)
    report = json.loads((tmp_path / "r.json").read_text())
    settings = {"people": 3, "seconds": 4, "seed": 7, "fps": 10, "frames": 40}
    assert settings.items() <= report.items()
    assert (report["scene"], report["camera"], report["no_image"]) == ("street", "still", False)
    assert list(report["associations"]) == list(ASSOCIATIONS)
    for figures in report["associations"].values():
        assert set(figures) == FIGURES
        assert 0 < figures["HOTA"] <= 100
        assert 1 <= figures["true_identities"] <= 3
        assert 0 < figures["ms_per_frame"] <= figures["ms_per_frame_p99"]


def test_bench_tracker_is_reproducible_with_a_seed(tmp_path):
    def quality(*arguments):
        out = tmp_path / "r.json"
        command = ["bench", "tracker", "--people", "6", "--seconds", "5", *CLASSIC, *arguments]
        assert main([*command, "--report", str(out)]) == 0
        figures = json.loads(out.read_text())["associations"]["classic"]
        return {name: value for name, value in figures.items() if not name.startswith("ms")}

    first = quality("--camera", "shake")
    assert quality("--camera", "shake") == first
    assert quality("--camera", "shake", "--seed", "2") != first


@pytest.mark.parametrize("scene", ["sport", "close"])
def test_bench_tracker_reports_the_scene_and_the_rotation(tmp_path, scene):
    out = tmp_path / "r.json"
    command = [
        "bench",
        "tracker",
        "--people",
        "6",
        "--seconds",
        "3",
        *CLASSIC,
        "--report",
        str(out),
    ]
    arguments = ["--scene", scene, "--camera", "rotate", "--rotation", "45", "--fps", "30"]
    assert main([*command, *arguments, "--no-image"]) == 0
    report = json.loads(out.read_text())
    assert (report["scene"], report["camera"], report["rotation"]) == (scene, "rotate", 45)
    assert (report["no_image"], report["frames"]) == (True, 90)
    assert report["associations"]["classic"]["HOTA"] > 0


def test_bench_tracker_counts_confirmed_people_only(monkeypatch, tmp_path):
    update = PoseFlowTracker.update

    def tentative(self, *arguments):
        tracked = update(self, *arguments)
        tracked.states[:] = 0
        return tracked

    monkeypatch.setattr(PoseFlowTracker, "update", tentative)
    out = tmp_path / "r.json"
    command = ["bench", "tracker", "--people", "3", "--seconds", "2", "--report", str(out)]
    assert main([*command, *CLASSIC]) == 0
    assert json.loads(out.read_text())["associations"]["classic"]["identities"] == 0


def test_memory_is_measured_after_a_minute_and_at_the_end(tmp_path, capfd):
    out = tmp_path / "r.json"
    command = ["bench", "tracker", "--people", "1", "--seconds", "61", "--fps", "2", "--memory"]
    assert main([*command, *CLASSIC, "--report", str(out)]) == 0
    report = json.loads(out.read_text())
    assert set(report["memory_mib"]) == {"after_a_minute", "at_the_end"}
    assert all(10 < mib < 10000 for mib in report["memory_mib"].values())
    assert set(report["associations"]["classic"]) == {"ms_per_frame", "ms_per_frame_p99"}
    assert "memory" in capfd.readouterr().out


def test_bench_tracking_of_perfect_detections_is_perfect(bench):
    report = bench(*CLASSIC)
    assert report["frames"] == N_FRAMES
    figures = report["associations"]["classic"]
    assert set(figures) == FIGURES
    assert (figures["HOTA"], figures["IDF1"], figures["MOTA"]) == (100, 100, 100)
    assert (figures["switches"], figures["identities"], figures["true_identities"]) == (0, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "frames"),
    [
        pytest.param("--every 3", 4, id="every third frame"),
        pytest.param("--every 5 --no-image", 3, id="every fifth without images"),
        pytest.param("--shake 12", 12, id="shaken"),
        pytest.param("--shake 12 --no-image --every 2", 6, id="all of it"),
    ],
)
def test_truth_and_detections_stay_aligned(arguments, frames, bench):
    report = bench(*CLASSIC, *arguments.split())
    figures = report["associations"]["classic"]
    assert report["frames"] == frames
    assert (figures["DetA"], figures["MOTA"]) == (100, 100)


@pytest.fixture
def bench_dataset(made, tmp_path):
    """Return a function that runs `bench tracking --dataset` on a YAML text; gives the report."""

    def run(sequences, *arguments):
        (made / "data.yaml").write_text(f"sequences: {sequences}")
        out = tmp_path / "report.json"
        command = ["bench", "tracking", "--dataset", str(made / "data.yaml"), *CLASSIC]
        assert main([*command, "--report", str(out), *arguments]) == 0
        return json.loads(out.read_text())

    return run


WITH_VIDEO = "{name: yard, video: video.mp4, detections: poses.npz, gt: gt.txt}"
WITHOUT_VIDEO = "{detections: poses.npz, gt: gt.txt, fps: 8}"
ONLY_1 = "{name: part, detections: poses.npz, gt: only_1.txt, fps: 8, partial: true}"


def test_sequences_of_a_data_set_are_scored_together_and_individually(bench_dataset):
    report = bench_dataset(f"[{WITH_VIDEO}, {WITHOUT_VIDEO}]")
    assert (report["dataset"], report["frames"]) == ("data.yaml", 2 * N_FRAMES)
    together = report["associations"]["classic"]
    assert (together["HOTA"], together["switches"]) == (100, 0)
    assert (together["identities"], together["true_identities"]) == (4, 4)
    yard, other = report["sequences"]
    assert (yard["name"], other["name"]) == ("yard", "poses.npz")
    for alone in (yard, other):
        assert alone["frames"] == N_FRAMES
        assert set(alone["associations"]["classic"]) == FIGURES
        assert alone["associations"]["classic"]["identities"] == 2


@pytest.mark.parametrize(
    ("arguments", "frames"),
    [
        pytest.param("--every 5", 6, id="every fifth frame"),
        pytest.param("--no-image", 24, id="without images"),
    ],
)
def test_options_apply_to_every_sequence_of_a_data_set(arguments, frames, bench_dataset):
    report = bench_dataset(f"[{WITH_VIDEO}, {WITHOUT_VIDEO}]", *arguments.split())
    assert report["frames"] == frames
    assert report["associations"]["classic"]["DetA"] == 100


def test_sequence_without_video_uses_its_rate(made):
    config = Config(tracker=TrackerConfig(association="classic"))
    recording = Recording("", made / "poses.npz", made / "gt.txt", every=2, fps=25)
    ages = [tracked.ages_s[0] for _, _, tracked in recording.replay(config)]
    assert ages == pytest.approx([2 * k / 25 for k in range(6)])


def test_the_rate_of_a_sequence_replaces_that_of_its_video(made):
    config = Config(tracker=TrackerConfig(association="classic"))
    files = (str(made / "video.mp4"), made / "poses.npz", made / "gt.txt")
    ages = [t.ages_s[0] for _, _, t in Recording(*files, fps=50).replay(config)]
    assert ages == pytest.approx([k / 50 for k in range(N_FRAMES)])


def test_unlabelled_people_are_ignored_in_a_partly_labelled_sequence(bench_dataset):
    # Person 2 is found in 11 frames and nobody in the truth: MOTA (12 - 11) / 12.
    whole = bench_dataset(f"[{ONLY_1.replace('true', 'false')}]")["associations"]["classic"]
    assert (whole["identities"], whole["MOTA"]) == (2, pytest.approx(100 / 12, abs=0.01))
    for sequence, option in ((ONLY_1, []), (ONLY_1.replace("true", "false"), ["--partial"])):
        report = bench_dataset(f"[{sequence}]", *option)
        assert report["sequences"][0]["partial"] is True
        part = report["associations"]["classic"]
        assert (part["identities"], part["MOTA"], part["HOTA"]) == (1, 100, 100)


def test_data_set_of_one_sequence_can_be_plotted(bench_dataset, tmp_path):
    bench_dataset(f"[{WITHOUT_VIDEO}]", "--plot", str(tmp_path / "lanes.png"))
    assert cv2.imread(str(tmp_path / "lanes.png")) is not None


def test_missing_peers_are_reported_before_the_run(monkeypatch, made, capfd):
    monkeypatch.setitem(sys.modules, "trackers", None)
    monkeypatch.setattr(Recording, "replay", lambda *_: pytest.fail("the work began"))
    files = [str(made / name) for name in ("video.mp4", "poses.npz", "gt.txt")]
    assert main(["bench", "tracking", *files, "--peers"]) == 2
    out, err = capfd.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "pip install trackers supervision" in err


def outcomes(made, **options):
    files = (str(made / "video.mp4"), made / "poses.npz", made / "gt.txt")
    config = Config(tracker=TrackerConfig(association="classic"))
    times_s = []
    frames = list(Recording(*files, **options).replay(config, times_s.append))
    assert len(times_s) == len(frames)
    assert min(times_s) > 0
    return frames


@pytest.mark.parametrize("with_images", [True, False])
def test_every_third_frame_keeps_its_stamp_and_people(with_images, made):
    shown = outcomes(made, every=3, with_images=with_images)
    assert len(shown) == 4
    for k, (ids, boxes, tracked) in enumerate(shown):
        assert ids.tolist() == ([1] if k == 0 else [1, 5])
        assert boxes[0].tolist() == [20 + 6 * k, 20, 52 + 6 * k, 100]
        assert tracked.ages_s[0] == pytest.approx(3 * k / RATE_HZ)


def test_shake_shifts_people_with_the_image(made):
    shifts = shake_px(N_FRAMES, 12)
    for k, (_, boxes, tracked) in enumerate(outcomes(made, shake_px=12, with_images=False)):
        expected = np.array([20 + 2 * k, 20, 52 + 2 * k, 100]) + np.tile(shifts[k], 2)
        np.testing.assert_array_equal(boxes[0], expected)
        np.testing.assert_array_equal(tracked.poses.boxes[0], expected)


def test_shake_has_the_given_amplitude_and_limit():
    shifts = shake_px(3000, 12)
    steps = np.hypot(*np.diff(shifts, axis=0).T)
    assert 9 < steps.max() <= 12
    assert np.abs(shifts).max() <= 60
    assert np.ptp(shifts, axis=0).min() > 60
    np.testing.assert_array_equal(shifts, shake_px(3000, 12))
    assert not shake_px(10, 0).any()


def test_a_shifted_image_repeats_its_border():
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    moved = shifted(image, np.array([2, -1]))
    np.testing.assert_array_equal(moved[:4, 2:], image[1:, :5])
    np.testing.assert_array_equal(moved[4, 2:], image[4, :5])
    np.testing.assert_array_equal(moved[:4, 0], image[1:, 0])
    assert shifted(image, np.zeros(2, int)) is image


BOX = np.array([[0.0, 0, 10, 20], [50, 0, 60, 20], [90, 0, 99, 20]])


def test_lanes_contain_the_track_ids_of_each_person():
    lanes = Lanes()
    lanes.add(np.array([1, 2]), BOX[:2], np.array([10, 20, 99]), BOX)
    lanes.add(np.array([1, 2]), BOX[:2], np.array([20, 10]), BOX[:2])
    lanes.add(np.array([2]), BOX[1:2], np.array([30, 98]), BOX[[0, 2]])
    lanes.add(np.array([2]), BOX[1:2], np.array([98]), BOX[1:2])
    assert lanes.present == {1: [0, 1], 2: [0, 1, 2, 3]}
    assert lanes.found_as == {1: [(0, 10), (1, 20)], 2: [(0, 20), (1, 10), (3, 98)]}
    assert lanes.alone == {99: [0], 30: [2]}  # 98 was somebody in the end
    assert lanes.frames == 4


def test_lanes_continue_an_id_that_still_overlaps():
    lanes = Lanes()
    lanes.add(np.array([1]), BOX[:1], np.array([10]), BOX[:1])
    lanes.add(np.array([1]), BOX[:1], np.array([20, 10]), np.vstack([BOX[:1], BOX[:1] + 1]))
    assert lanes.found_as == {1: [(0, 10), (1, 10)]}


def test_plot_shows_each_person_in_the_color_of_the_id(bench, tmp_path):
    plot = tmp_path / "lanes.png"
    bench(*CLASSIC, "--no-image", "--plot", str(plot))
    image = cv2.imread(str(plot))[:, :, ::-1]
    rows = []
    for who in (1, 2):
        color = np.array(track_color(who)) * 0.65 + 0.35
        same = (np.abs(image / 255 - color) < 0.02).all(axis=2)
        assert same.sum() > 0.005 * same.size
        rows.append(np.nonzero(same)[0].mean())
    assert rows[0] < rows[1]  # the first to come is above


def test_metrics_equal_those_of_another_program(tmp_path):
    if not EVALUATE.is_file():
        pytest.skip(f"{EVALUATE} is missing")
    recorded = RecordedPoses(PETS / "detections_yolo11n_pose.npz")
    tracker, score = PoseFlowTracker(TrackerConfig(association="classic"), COCO_17), Score()
    gt = np.loadtxt(PETS / "gt.txt", delimiter=",")
    gt = gt[gt[:, 6] > 0]
    lines = []
    for frame in range(len(recorded)):
        rows = gt[gt[:, 0] == frame + 1]
        poses = recorded.estimate(np.zeros((1, 1, 3), np.uint8))
        tracked = tracker.update(poses, None, frame / 10)
        seen = tracked[tracked.visible]
        boxes = np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])
        score.add(rows[:, 1].astype(int), boxes, seen.track_ids, seen.poses.boxes)
        for who, (x1, y1, x2, y2) in zip(seen.track_ids, seen.poses.boxes, strict=True):
            lines.append(f"{frame + 1},{who},{x1:.9g},{y1:.9g},{x2 - x1:.9g},{y2 - y1:.9g},1")
    (tmp_path / "mot.txt").write_text("\n".join(lines) + "\n")
    command = [sys.executable, EVALUATE, PETS / "gt.txt", tmp_path / "mot.txt", "--json"]
    result = subprocess.run(
        [*command, "--frames", str(len(recorded))], check=True, capture_output=True, text=True
    )
    theirs, ours = json.loads(result.stdout), score.figures()
    for name in ("HOTA", "AssA", "DetA", "IDF1", "MOTA"):
        assert ours[name] == pytest.approx(theirs[name], abs=0.006)
    assert ours["switches"] == theirs["IDSW"]
    assert (ours["identities"], ours["true_identities"]) == (theirs["ids"], theirs["gt_ids"])


DATASET = "tracking --dataset {here}/two.yaml"
TRACKING = "tracking {video} {here}/poses.npz {here}/gt.txt"
BAD = [
    # arguments, what the line must name
    pytest.param("tracker --people 0", "people is 0, must be from 1", id="nobody"),
    pytest.param("tracker --seconds -1", "seconds is -1", id="negative seconds"),
    pytest.param("tracker --seconds nan", "seconds is nan", id="seconds that are no number"),
    pytest.param("tracker --fps nan", "fps is nan, must be from 1 to 120", id="no rate"),
    pytest.param("tracker --fps inf", "fps is inf", id="an endless rate"),
    pytest.param("tracker --seed -3", "seed is -3", id="a negative seed"),
    pytest.param("tracker --seconds 60 --memory", "above 60", id="a minute of memory"),
    pytest.param("tracker --report {here}/no/r.json", "no/r.json", id="no folder for the report"),
    pytest.param("tracker --params {here}/text.txt", "text.txt", id="no parameters"),
    pytest.param("tracker --peers --memory --seconds 61", "--memory", id="peers and memory"),
    pytest.param(
        "tracker --peers --peer-memory -1", "peer-memory is -1 s, must be from 0", id="no memory"
    ),
    pytest.param("tracking", "VIDEO DETECTIONS GT or --dataset", id="nothing to track"),
    pytest.param("tracking {video} {here}/poses.npz", "VIDEO DETECTIONS GT or", id="no GT"),
    pytest.param(DATASET + " {video}", "either VIDEO DETECTIONS GT or", id="a video and a set"),
    pytest.param(
        TRACKING + " --dataset {here}/two.yaml", "either VIDEO DETECTIONS GT", id="file and set"
    ),
    pytest.param(DATASET + " --plot {here}/p.png", "two.yaml has 2", id="a plot of two"),
    pytest.param(
        DATASET + " --shake 3", "shake is 3 px, must be 0 for one: it has no", id="shaken nothing"
    ),
    pytest.param(
        DATASET + " --report {here}/two.yaml", "two.yaml is an input", id="over the data set"
    ),
    pytest.param("tracking --dataset {here}/no.yaml", "no.yaml cannot be read", id="no data set"),
    pytest.param(TRACKING + " --every 0", "every is 0, must be from 1", id="every 0th frame"),
    pytest.param(
        TRACKING + " --shake nan", "shake is nan px, must be from 0 to 60", id="no shake"
    ),
    pytest.param(TRACKING + " --shake -2", "shake is -2 px", id="a negative shake"),
    pytest.param(TRACKING + " --plot {here}/plot.doc", "plot.doc", id="a plot of no kind"),
    pytest.param(TRACKING + " --plot {here}/no/p.png", "no/p.png", id="no folder for the plot"),
    pytest.param(TRACKING + " --report {here}/gt.txt", "gt.txt is an input", id="over the truth"),
    pytest.param("tracking {here}/no.mp4 {here}/poses.npz {here}/gt.txt", "no.mp4", id="no video"),
    pytest.param("tracking {video} {here}/no.npz {here}/gt.txt", "no.npz", id="no detections"),
    pytest.param("tracking {video} {here}/gt.txt {here}/gt.txt", "gt.txt", id="truth for poses"),
    pytest.param("tracking {video} {here}/poses.npz {here}/no.txt", "no.txt", id="no truth"),
    pytest.param("tracking {video} {here}/poses.npz {here}", "{here}", id="a folder for truth"),
    pytest.param("tracking {video} {here}/poses.npz {here}/text.txt", "text.txt", id="a text"),
    pytest.param("tracking {video} {here}/poses.npz {here}/poses.npz", "poses.npz", id="an npz"),
    pytest.param("tracking {video} {here}/poses.npz {here}/twice.txt", "row 2", id="an id twice"),
    pytest.param(
        "tracking {video} {here}/poses.npz {here}/late.txt", "late.txt has frames to 13", id="late"
    ),
]


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_invalid_input_is_rejected_in_one_line(arguments, named, made, capfd):
    before = (made / "gt.txt").read_text()
    filled = [word.format(here=made, video=made / "video.mp4") for word in arguments.split()]
    assert main(["bench", *filled]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("poseflow_ros: ")
    assert named.format(here=made) in err
    assert (made / "gt.txt").read_text() == before


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["tracker", "--people", "two"]])
def test_wrong_usage_prints_the_usage(arguments, capfd):
    with pytest.raises(SystemExit) as caught:
        main(["bench", *arguments])
    assert caught.value.code == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("poseflow_ros bench")
