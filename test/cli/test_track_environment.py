"""`track` and `weights` with unusual names, users and parameters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from made_video import made_image, make_video
from test_track_incomplete import poses

from poseflow_ros.__main__ import main
from poseflow_ros.estimation.movenet import MOVENET_MULTIPOSE
from poseflow_ros.estimation.weights import cached


@pytest.fixture
def made(tmp_path):
    """A folder with a short video and poses."""
    make_video(tmp_path / "v.mp4", [0.0, 0.04, 0.08])
    poses(tmp_path / "poses.npz", 3)
    return tmp_path


def track(made, *arguments):
    """Return the frames that `track` writes."""
    out = made / "out.json"
    command = ["track", "--detections", str(made / "poses.npz"), "--json", str(out)]
    assert main([*command, *map(str, arguments)]) == 0
    return json.loads(out.read_text())["frames"]


def test_names_that_are_not_utf_8_work_for_inputs_and_outputs(made):
    name = os.fsdecode(b"caf\xe9 2026-01-02T10:11:12")
    (made / "v.mp4").rename(made / f"{name}.mp4")
    outputs = ["--video", made / f"{name}.out.mp4", "--mot", made / f"{name}.txt"]
    assert len(track(made, made / f"{name}.mp4", *outputs)) == 3
    assert (made / f"{name}.out.mp4").exists() and (made / f"{name}.txt").exists()


def test_a_name_that_is_not_utf_8_is_named_in_an_error(made):
    command = [sys.executable, "-m", "poseflow_ros", "track", os.fsencode(made) + b"/caf\xe9.mp4"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "caf\\udce9.mp4 is not a file" in result.stderr


def test_a_name_that_is_not_utf_8_is_printed(made):
    path = made / os.fsdecode(b"caf\xe9.tflite")
    path.write_bytes(cached(MOVENET_MULTIPOSE).read_bytes())
    command = [sys.executable, "-m", "poseflow_ros", "weights", "verify", str(path)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "caf\\udce9.tflite" in result.stdout


def test_a_photo_shows_tentative_people(made):
    image = cv2.imencode(".png", made_image(0))[1].tobytes()
    (made / "photo.png").write_bytes(image)
    poses(made / "poses.npz", 1, score=0.45)  # too uncertain to be confirmed at once
    ((person,),) = (frame["people"] for frame in track(made, made / "photo.png"))
    assert person["state"] == "tentative"
    assert person["box"] == [40.0, 20.0, 80.0, 80.0]


def params(made, text):
    path = made / "p.yaml"
    path.write_text(text)
    return path


def test_tentative_people_are_written_where_the_parameters_ask_for_them(made):
    poses(made / "poses.npz", 3, score=0.45)
    without = track(made, made / "v.mp4")
    path = params(made, "/**:\n  ros__parameters:\n    tracker: {publish_tentative: true}\n")
    with_tentative = track(made, made / "v.mp4", "--params", path)
    assert without[0]["people"] == []
    assert with_tentative[0]["people"][0]["state"] == "tentative"


def test_parameters_that_are_not_used_are_reported(made, capfd):
    text = """
/**:
  ros__parameters:
    use_sim_time: true
    tracker: {publish_lost: true, max_lost_s: 3.0}
    cameras: {names: [front], reliability: auto}
    diagnostics: {warn_latency_s: 0.2}
"""
    track(made, made / "v.mp4", "--params", params(made, text))
    (line,) = capfd.readouterr().err.splitlines()
    assert line == (
        "poseflow_ros: warning: parameters of the node that this command does not use: "
        "use_sim_time, tracker.publish_lost, cameras.names, diagnostics.warn_latency_s"
    )


def test_the_package_s_own_parameter_file_gives_no_warning(made, capfd):
    path = Path(__file__).parents[2] / "config" / "poseflow.yaml"
    track(made, made / "v.mp4", "--params", path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("poseflw:\n  ros__parameters: {tracker: {num: 1}}", "it names /poseflw; use /poseflow"),
        ("/r/poseflow:\n  ros__parameters: {tracker: {num: 1}}", "it names /r/poseflow; use"),
        (
            "/**:\n  ros__parameters:\n    tracker: {max_lst_s: 1.0}",
            "did you mean tracker.max_lost",
        ),
        ("/**:\n  ros__parameters:\n", "ros__parameters: is empty"),
        ("tracker: {max_lost_s: 1.0}", "expected ros__parameters: below /poseflow: or /**:"),
    ],
)
def test_a_mistake_in_a_parameter_file_is_refused(text, said, made, capfd):
    command = ["track", str(made / "v.mp4"), "--params", str(params(made, text))]
    assert main(command) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert said in line


def test_the_later_section_of_a_file_applies(made):
    # As in ROS: the order in the file decides, not the kind of the name.
    text = (
        "poseflow:\n  ros__parameters: {tracker: {min_pose_score: 0.0}}\n"
        "/**:\n  ros__parameters: {tracker: {min_pose_score: 1.0}}\n"
    )
    frames = track(made, made / "v.mp4", "--params", params(made, text))
    assert [frame["people"] for frame in frames] == [[], [], []]


HOMELESS = """
import os, sys
from poseflow_ros.__main__ import main
import mmap, poseflow_ros.estimation.detectron2_rcnn, poseflow_ros.estimation.movenet
import poseflow_ros.estimation.onnx_estimator, poseflow_ros.estimation.torchvision_rcnn
for name in ("HOME", "XDG_CACHE_HOME", "TORCH_HOME", "FVCORE_CACHE"):
    os.environ.pop(name, None)
os.environ["TMPDIR"] = sys.argv[1]
os.setgid(54321), os.setuid(54321)
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become an unknown user")
def test_an_unknown_user_without_a_home_has_a_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("homeless")
    for parent in (folder, *list(folder.parents)[:3]):  # a level more in a worker of xdist
        parent.chmod(0o777)
    arguments = [sys.executable, "-c", HOMELESS, str(folder), "weights", "list"]
    result = subprocess.run(arguments, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) > 2
    assert all(f"{folder / 'poseflow_ros_54321'}/." in line for line in lines)
