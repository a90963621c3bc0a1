"""`track` with `markers.behaviors`: behaviors in the JSON file and in the video."""

import json

import numpy as np
import pytest
from bodies import LEFT, image_of, raised_arm, sitting, standing

from poseflow_ros.__main__ import main
from poseflow_ros.imaging.video import VideoWriter, open_source

N_FRAMES, RATE_HZ, SIZE = 12, 8, (480, 640)
PEOPLE = [(raised_arm(standing(), LEFT), -1.0), (sitting(), 1.0)]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A gray video, and the recorded poses of two people who keep still."""
    return record(tmp_path_factory.mktemp("recording"), PEOPLE)


def record(folder, people, size=SIZE):
    """Write a gray video and the recorded poses of people who keep still: (body, x in metres)."""
    with VideoWriter(folder / "video.mp4", RATE_HZ) as writer:
        for _ in range(N_FRAMES):
            writer.write(np.full((*size, 3), 60, np.uint8))
    poses = np.array([image_of(body, (x, 1.0, 4.0)) for body, x in people])
    boxes = np.hstack([poses[..., :2].min(axis=1), poses[..., :2].max(axis=1)])
    np.savez(
        folder / "poses.npz",
        frame=np.repeat(np.arange(N_FRAMES), len(people)),
        box=np.tile(boxes, (N_FRAMES, 1)),
        score=np.full(N_FRAMES * len(people), 0.9),
        keypoints=np.tile(poses, (N_FRAMES, 1, 1)),
        n_frames=N_FRAMES,
    )
    return folder


def track(recording, out, behaviors, rotate=0):
    """Return what the command writes: the JSON object and the images of the video."""
    out.mkdir()
    params = out / "params.yaml"
    groups = f"markers: {{behaviors: {behaviors}}}, cameras: {{rotate: [{rotate}]}}"
    params.write_text(f"/**:\n  ros__parameters: {{{groups}}}\n")
    command = ["track", str(recording / "video.mp4"), "--association", "classic"]
    command += ["--detections", str(recording / "poses.npz"), "--params", str(params)]
    command += ["--json", str(out / "people.json"), "--video", str(out / "annotated.mp4")]
    assert main(command) == 0
    images = [image for image, _ in open_source(str(out / "annotated.mp4"))]
    return json.loads((out / "people.json").read_text()), images


def test_behaviors_are_written_and_drawn_where_the_parameter_is_set(recording, tmp_path):
    with_them, drawn = track(recording, tmp_path / "with", "true")
    without, plain = track(recording, tmp_path / "without", "false")
    last = {len(p["behaviors"]): p["behaviors"] for p in with_them["frames"][-1]["people"]}
    raised, seated = last[3], last[2]
    assert raised == ["standing", "left_hand_raised", "facing_camera"]
    assert seated == ["sitting", "facing_camera"]
    assert all("behaviors" not in p for f in without["frames"] for p in f["people"])
    difference = np.abs(drawn[-1].astype(int) - plain[-1]).max(axis=2) > 100
    # The labels differ, 18 pixels high, and nothing else.
    assert difference.sum() > 500
    assert np.flatnonzero(difference.any(axis=1)).size < 3 * 18


def test_behaviors_of_a_rotated_camera_are_those_of_the_upright_image(tmp_path):
    recording = record(tmp_path, PEOPLE, size=SIZE[::-1])
    document, _ = track(recording, tmp_path / "out", "true", rotate=90)
    postures = [person["behaviors"][0] for person in document["frames"][-1]["people"]]
    assert sorted(postures) == ["sitting", "standing"]


def test_people_beyond_the_maximum_have_no_behaviors(tmp_path):
    crowd = [(standing(), x) for x in np.linspace(-60, 60, 101)]
    document, _ = track(record(tmp_path, crowd), tmp_path / "out", "true")
    behaviors = [person["behaviors"] for person in document["frames"][-1]["people"]]
    assert sum("standing" in names for names in behaviors) == 100
    assert sum(names == [] for names in behaviors) == 1


def test_a_skeleton_without_coco_keypoints_is_refused_in_one_line(recording, tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    onnx_models = pytest.importorskip("onnx_models", reason="onnx is not installed")
    no_scaling = (0.0,) * 3, (1.0,) * 3
    pose = onnx_models.simcc_spot(*no_scaling, n_keypoints=14)
    weights = onnx_models.save(tmp_path / "pose.onnx", pose)
    detector = onnx_models.save(tmp_path / "detector.onnx", onnx_models.detector_spot(*no_scaling))
    names = f"name: onnx, weights: {weights}, detector_weights: {detector}"
    params, out = tmp_path / "params.yaml", tmp_path / "out"
    out.mkdir()
    params.write_text(
        f"/**:\n  ros__parameters: {{estimator: {{{names}}}, markers: {{behaviors: true}}}}\n"
    )
    command = ["track", str(recording / "video.mp4"), "--params", str(params)]
    command += ["--json", str(out / "people.json"), "--video", str(out / "annotated.mp4")]
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "markers.behaviors is true, but the skeleton crowdpose14 does not begin" in line
    assert list(out.iterdir()) == []
