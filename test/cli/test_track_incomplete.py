"""`track` where the input or the outputs are not complete: names, exit codes, one line."""

import json
import resource
import signal
import subprocess
import sys
import threading
import time

import av
import cv2
import numpy as np
import pytest
from made_video import RATE_HZ, free_port, made_image, make_video

from poseflow_ros.__main__ import main

N = 150
OUTPUTS = {"video": "out.mp4", "json": "out.json", "mot": "out.txt", "report": "report.json"}


def poses(path, n_frames, score=0.9):
    """Save recorded poses: one person who stands still, found with this score."""
    keypoints = np.stack([np.full(17, 60.0), np.linspace(20, 80, 17), np.full(17, score)], axis=1)
    np.savez(
        path,
        frame=np.arange(n_frames),
        box=np.tile([40.0, 20.0, 80.0, 80.0], (n_frames, 1)),
        score=np.full(n_frames, score),
        keypoints=np.tile(keypoints, (n_frames, 1, 1)),
        n_frames=n_frames,
    )
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a video, one that is cut off, and poses for both."""
    folder = tmp_path_factory.mktemp("made")
    options = {"movflags": "faststart"}
    video = make_video(folder / "whole.mp4", [i / 25 for i in range(N)], options=options)
    data = video.read_bytes()
    (folder / "cut.mp4").write_bytes(data[: int(0.41 * len(data)) | 1])
    poses(folder / "poses.npz", N)
    return folder


def command(made, source, folder, *outputs):
    """Return the arguments of `track`, with the outputs in the folder."""
    arguments = ["track", str(source), "--detections", str(made / "poses.npz")]
    arguments += ["--association", "classic"]
    for output in outputs:
        arguments += [f"--{output}", str(folder / OUTPUTS[output])]
    return arguments


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def n_images(path):
    """Count the images of a video with an independent reader."""
    capture = cv2.VideoCapture(str(path))
    return sum(1 for _ in iter(lambda: capture.read()[0], False))


def test_complete_outputs_have_their_names_and_nothing_else_is_left(made, tmp_path):
    assert main(command(made, made / "whole.mp4", tmp_path, *OUTPUTS)) == 0
    assert names(tmp_path) == sorted(OUTPUTS.values())
    assert n_images(tmp_path / "out.mp4") == N


@pytest.mark.parametrize("window_s", [0.0, 0.5], ids=["no window", "a window"])
def test_a_video_that_is_cut_off_gives_partial_outputs(window_s, made, tmp_path, capfd):
    params = tmp_path / "p.yaml"
    params.write_text(f"/**:\n  ros__parameters:\n    tracker: {{flow_window_s: {window_s}}}\n")
    out = tmp_path / "out"
    out.mkdir()
    (out / "out.json").write_text("of an earlier run")
    arguments = command(made, made / "cut.mp4", out, *OUTPUTS)
    arguments[arguments.index("classic")] = "robust"
    assert main([*arguments, "--params", str(params)]) == 3
    (line,) = capfd.readouterr().err.splitlines()
    partial = ["out.partial.json", "out.partial.mp4", "out.partial.txt", "report.partial.json"]
    assert names(out) == sorted([*partial, "out.json"])
    assert (out / "out.json").read_text() == "of an earlier run"
    assert f"{made / 'cut.mp4'} is incomplete: " in line
    assert f" of {N} images were read" in line
    assert all(str(out / name) in line for name in partial)
    n_read = json.loads((out / "report.partial.json").read_text())["frames"]
    assert 0 < n_read < N
    assert f"incomplete: {n_read} of {N}" in line
    assert len(json.loads((out / "out.partial.json").read_text())["frames"]) == n_read
    assert n_images(out / "out.partial.mp4") == n_read


SLOW = """
import signal, sys, time
from poseflow_ros.__main__ import main
from poseflow_ros.estimation.recorded import RecordedPoses
estimate = RecordedPoses.estimate
def slowly(self, image):
    time.sleep(0.05)
    return estimate(self, image)
RecordedPoses.estimate = slowly
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[1]))
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[2:]))
"""


def start(arguments, on_hangup="SIG_DFL"):
    """Start `track` at 20 images per second in a process of its own.

    The tests themselves may run under `nohup` or in the background of a script, where signals are
    ignored; processes inherit that.
    """
    command = [sys.executable, "-c", SLOW, on_hangup, *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for(path, process):
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_the_outputs_in_order(number, made, tmp_path):
    process = start(command(made, made / "whole.mp4", tmp_path, "video", "json", "mot"))
    wait_for(tmp_path / "out.partial.mp4", process)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert names(tmp_path) == ["out.partial.json", "out.partial.mp4", "out.partial.txt"]
    assert f"stopped by {number.name}" in stderr.splitlines()[-1]
    frames = json.loads((tmp_path / "out.partial.json").read_text())["frames"]
    assert 0 < len(frames) < N
    assert n_images(tmp_path / "out.partial.mp4") == len(frames)


@pytest.mark.slow
def test_nohup_is_respected(made, tmp_path):
    process = start(
        command(made, made / "whole.mp4", tmp_path, "json"),
        on_hangup="SIG_IGN",
    )
    wait_for(tmp_path / "out.partial.json", process)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert (process.returncode, names(tmp_path)) == (0, ["out.json"])


def test_a_stream_that_is_stopped_is_complete(made, tmp_path):
    port = free_port()
    sent = threading.Event()

    def send():
        with av.open(f"udp://127.0.0.1:{port}?pkt_size=1316", "w", format="mpegts") as container:
            stream = container.add_stream("mpeg4", rate=RATE_HZ)
            stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
            image = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
            while not sent.wait(1 / RATE_HZ):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        poses(tmp_path / "long.npz", 2000)
        arguments = command(made, f"udp://127.0.0.1:{port}", tmp_path, "json", "video")
        arguments[arguments.index("--detections") + 1] = str(tmp_path / "long.npz")
        process = start(arguments)
        wait_for(tmp_path / "out.partial.mp4", process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        sent.set()
        sender.join()
    assert process.returncode == 0
    assert names(tmp_path) == ["long.npz", "out.json", "out.mp4"]
    frames = json.loads((tmp_path / "out.json").read_text())["frames"]
    assert n_images(tmp_path / "out.mp4") == len(frames) > 0


def limited(arguments, n_bytes):
    """Run `track` where no file may exceed this size, as on a full disk."""
    return subprocess.run(
        [sys.executable, "-m", "poseflow_ros", *arguments],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes)),
    )


@pytest.mark.parametrize("output", ["video", "json", "mot"])
@pytest.mark.parametrize("n_bytes", [pytest.param(100, marks=pytest.mark.slow), 5000])
def test_an_output_that_cannot_be_written_completely_is_reported(output, n_bytes, made, tmp_path):
    result = limited(command(made, made / "whole.mp4", tmp_path, output), n_bytes)
    assert result.returncode == 3
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("poseflow_ros: ")
    assert "File too large" in result.stderr
    assert OUTPUTS[output] not in names(tmp_path)


@pytest.fixture
def full_disk(tmp_path):
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_reported(full_disk, made, capfd):
    assert main(command(made, made / "whole.mp4", full_disk, "video", "json")) == 3
    (line,) = capfd.readouterr().err.splitlines()
    assert "No space left on device" in line
    assert not {"out.mp4", "out.json"} & set(names(full_disk))


def test_a_report_that_cannot_be_written_is_reported(full_disk, made, capfd):
    (full_disk / "filler").write_bytes(bytes(64 * 1024))
    assert main(command(made, made / "whole.mp4", full_disk, "report")) == 3
    assert "No space left on device" in capfd.readouterr().err
    assert "report.json" not in names(full_disk)


def test_a_folder_with_a_damaged_image_gives_partial_outputs(made, tmp_path, capfd):
    images = tmp_path / "images"
    images.mkdir()
    jpeg = cv2.imencode(".jpg", made_image(0))[1]
    for i in range(4):
        (images / f"{i}.jpg").write_bytes(jpeg.tobytes())
    (images / "2.jpg").write_bytes(jpeg.tobytes()[: len(jpeg) // 2] + b"\xff\xd9")
    out = tmp_path / "out"
    out.mkdir()
    assert main(command(made, images, out, "json")) == 3
    (line,) = capfd.readouterr().err.splitlines()
    assert str(images / "2.jpg") in line
    assert len(json.loads((out / "out.partial.json").read_text())["frames"]) == 2


def test_an_input_without_any_image_is_refused_and_leaves_no_output(made, tmp_path, capfd):
    images = tmp_path / "images"
    images.mkdir()
    (images / "0.jpg").write_bytes(b"\xff\xd8\xff")
    out = tmp_path / "out"
    out.mkdir()
    assert main(command(made, images, out, "json", "video")) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert names(out) == []


def test_a_device_is_written_directly(made, tmp_path):
    arguments = command(made, made / "whole.mp4", tmp_path)
    result = subprocess.run(
        [sys.executable, "-m", "poseflow_ros", *arguments, "--mot", "/dev/stdout"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert result.stdout.splitlines()[0].startswith("1,1,40.00,20.00,40.00,60.00,")


def test_two_outputs_of_one_name_are_refused(made, tmp_path, capfd):
    arguments = command(made, made / "whole.mp4", tmp_path, "json")
    assert main([*arguments, "--report", str(tmp_path / "out.json")]) == 2
    assert "out.json" in capfd.readouterr().err


def test_stamps_of_the_input_are_kept_in_all_outputs(made, tmp_path):
    stamps_s = [0.0, 0.033, 0.1, 0.5, 0.507, 0.9, 1.9]
    video = make_video(tmp_path / "uneven.mp4", stamps_s)
    assert main(command(made, video, tmp_path, "json", "video")) == 0
    frames = json.loads((tmp_path / "out.json").read_text())["frames"]
    np.testing.assert_allclose([frame["stamp_s"] for frame in frames], stamps_s, atol=1e-4)
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, stamps_s, atol=1e-4)


def test_stamps_from_names_are_those_of_the_json(made, tmp_path, capfd):
    images = tmp_path / "images"
    images.mkdir()
    png = cv2.imencode(".png", np.zeros((96, 128, 3), np.uint8))[1].tobytes()
    for name in ("1305031102.175304", "1305031102.211214", "1305031102.5"):
        (images / f"{name}.png").write_bytes(png)
    arguments = command(made, images, tmp_path, "json")
    assert main(arguments) == 0
    assert "--stamps names" in capfd.readouterr().err.splitlines()[0]
    assert main([*arguments, "--stamps", "names"]) == 0
    frames = json.loads((tmp_path / "out.json").read_text())["frames"]
    assert [f["stamp_s"] for f in frames] == [1305031102.175304, 1305031102.211214, 1305031102.5]
