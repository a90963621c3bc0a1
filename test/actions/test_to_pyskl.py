"""The example that converts recordings into training data of pyskl."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bodies import image_of, raised_arm, standing

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "to_pyskl.py"
MESSAGES = EXAMPLE.parents[1] / "poseflow_msgs" / "msg"
RATE_HZ, N_FRAMES, START_S = 10, 21, 100
SIZE = (480, 640)
PERSON = image_of(standing()).astype(np.float32)


def person_at(i):
    """Return (17, 3) the person, who moves to the right by a pixel with each image."""
    return PERSON + np.array([i, 0, 0], np.float32)


def convert(*arguments):
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def write_json(path):
    """Write what `track --json` writes of one person."""
    frames = [
        {
            "frame": i,
            "stamp_s": i / RATE_HZ,
            "image_size": SIZE,
            "people": [
                {
                    "track_id": 7,
                    "state": "confirmed",
                    "score": 0.9,
                    "box": [0, 0, 9, 9],
                    "keypoints": person_at(i).tolist(),
                }
            ],
        }
        for i in range(N_FRAMES)
    ]
    names = [str(k) for k in range(17)]
    path.write_text(json.dumps({"skeleton": "coco17", "keypoint_names": names, "frames": frames}))


def write_bag(path):
    """Write a bag with the messages of the same person, as `ros2 bag record` does."""
    from rosbags.rosbag2 import Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    for name in ("Keypoint", "Keypoint3D", "TrackedPose", "TrackedPoseArray"):
        text = (MESSAGES / f"{name}.msg").read_text()
        store.register(get_types_from_msg(text, f"poseflow_msgs/msg/{name}"))
    array_type = "poseflow_msgs/msg/TrackedPoseArray"
    with Writer(path, version=9) as writer:
        topic = writer.add_connection("/poseflow/tracked_poses", array_type, typestore=store)
        for i in range(N_FRAMES):
            stamp_ns = START_S * 10**9 + i * 10**9 // RATE_HZ
            data = store.serialize_cdr(array_message(store.types, i, stamp_ns), array_type)
            writer.write(topic, stamp_ns, data)


def array_message(types, i, stamp_ns):
    duration = types["builtin_interfaces/msg/Duration"](0, 0)
    nan = float("nan")
    person = types["poseflow_msgs/msg/TrackedPose"](
        track_id=7, state=1, score=0.9, match_score=0.0, age=duration,
        time_since_update=duration, hits=1, box=np.zeros(4, np.float32),
        velocity=np.zeros(2, np.float32),
        keypoints=[types["poseflow_msgs/msg/Keypoint"](*map(float, k)) for k in person_at(i)],
        keypoints_3d=[],
        position=types["geometry_msgs/msg/Point"](nan, nan, nan),
        velocity_3d=types["geometry_msgs/msg/Vector3"](nan, nan, nan),
    )  # fmt: skip
    stamp = types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
    return types["poseflow_msgs/msg/TrackedPoseArray"](
        header=types["std_msgs/msg/Header"](stamp, "camera"), camera="", skeleton="coco17",
        frame_3d="", image_width=SIZE[1], image_height=SIZE[0], epoch=0, sequence=i,
        dropped_since_last=0, poses=[person],
    )  # fmt: skip


def read(path):
    return pickle.loads(path.read_bytes())


@pytest.mark.parametrize("kind", ["json", "bag"])
def test_a_recording_becomes_labelled_windows_of_each_person(kind, tmp_path):
    recording = tmp_path / ("wave.json" if kind == "json" else "wave")
    if kind == "json":
        write_json(recording)
    else:
        pytest.importorskip("rosbags")
        write_bag(recording)
    done = convert(tmp_path / "out.pkl", f"4={recording}", "--duration", 1, "--stride", 0.5)
    assert (done.returncode, done.stderr) == (0, "")
    # Windows of 30 samples end 29, 44 and 59 samples of 1 / 30 s after the first image.
    assert done.stdout.startswith("3 windows of 1 recordings")
    data = read(tmp_path / "out.pkl")
    names = [annotation["frame_dir"] for annotation in data["annotations"]]
    assert data["split"] == {"train": names}
    assert len(set(names)) == 3
    for n, annotation in enumerate(data["annotations"]):
        assert annotation["label"] == 4
        assert (annotation["img_shape"], annotation["total_frames"]) == (SIZE, 30)
        # A pixel for each image is a third of one for each sample.
        shift = (15 * n + np.arange(30)) / 3
        expected = PERSON[None, None, :, :2] + shift[None, :, None, None] * np.array([1.0, 0.0])
        np.testing.assert_allclose(annotation["keypoint"], expected, atol=1e-3)
        np.testing.assert_allclose(annotation["keypoint_score"], 0.9, atol=1e-6)


def test_the_json_of_track_is_read(tmp_path):
    from poseflow_ros.__main__ import main
    from poseflow_ros.imaging.video import VideoWriter

    with VideoWriter(tmp_path / "video.mp4", RATE_HZ) as writer:
        for _ in range(N_FRAMES):
            writer.write(np.full((*SIZE, 3), 60, np.uint8))
    body = image_of(raised_arm(standing(), 0))
    box = [*body[:, :2].min(axis=0), *body[:, :2].max(axis=0)]
    poses = tmp_path / "poses.npz"
    np.savez(
        poses, frame=np.arange(N_FRAMES), box=np.tile(box, (N_FRAMES, 1)),
        score=np.full(N_FRAMES, 0.9), keypoints=np.tile(body, (N_FRAMES, 1, 1)), n_frames=N_FRAMES,
    )  # fmt: skip
    out = tmp_path / "raised.json"
    video = str(tmp_path / "video.mp4")
    assert main(["track", video, "--detections", str(poses), "--json", str(out)]) == 0
    done = convert(tmp_path / "out.pkl", f"0={out}", "--duration", 1, "--split", "val")
    assert done.returncode == 0
    data = read(tmp_path / "out.pkl")
    assert list(data["split"]) == ["val"]
    assert data["annotations"]
    for annotation in data["annotations"]:
        expected = np.tile(body[:, :2], (1, 30, 1, 1))
        np.testing.assert_allclose(annotation["keypoint"], expected, atol=0.5)


@pytest.mark.parametrize("wrong", ["wave.json", "a=wave.json", "3=missing.json"])
def test_what_is_no_recording_is_refused_in_one_line(wrong, tmp_path):
    done = convert(tmp_path / "out.pkl", wrong)
    assert done.returncode == 1
    assert done.stderr == f"{wrong!r} is not a number, = and an existing recording\n"
