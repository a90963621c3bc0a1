"""The video publisher as a process: stamps, streams that come back, mistakes in parameters."""

import os
import signal
import subprocess
import sys
import threading

import av
import numpy as np
import pytest
from made_video import RATE_HZ, free_port, made_image, make_video
from sensor_msgs.msg import Image

STAMPS_S = [0.0, 0.1, 0.15, 0.6, 0.7, 1.5]


@pytest.fixture
def publish(driver):
    """A function that starts a video publisher with these arguments."""
    processes = []

    def start(*parameters, arguments=()):
        command = [sys.executable, "-m", "poseflow_ros.ros.video_publisher", "--ros-args"]
        command += [part for p in parameters for part in ("-p", p)]
        process = subprocess.Popen(
            [*command, *arguments],
            env=os.environ | {"ROS_DOMAIN_ID": str(driver.domain_id)},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


def stamps_s(images):
    return np.array(
        [image.header.stamp.sec + 1e-9 * image.header.stamp.nanosec for image in images]
    )


def test_images_are_published_at_the_stamps_of_the_video(driver, publish, tmp_path):
    images = driver.listen(Image, "/image", 100)
    process = publish(f"video:={make_video(tmp_path / 'v.mp4', STAMPS_S)}")
    driver.until(lambda: process.poll() is not None and len(images) == 6, "all images")
    assert process.returncode == 0
    read = stamps_s(images)
    np.testing.assert_allclose(read - read[0], STAMPS_S, atol=0.002)


def test_stamps_come_from_the_names_of_a_folder(driver, publish, tmp_path):
    import cv2

    png = cv2.imencode(".png", made_image(0))[1].tobytes()
    for name in ("100000000.0", "100000000.25", "100000000.35"):
        (tmp_path / f"{name}.png").write_bytes(png)
    images = driver.listen(Image, "/image", 100)
    process = publish(f"video:={tmp_path}", "stamps:=names")
    driver.until(lambda: process.poll() is not None and len(images) == 3, "all images")
    np.testing.assert_allclose(np.diff(stamps_s(images)), [0.25, 0.1], atol=0.002)


def test_a_video_that_is_cut_off_ends_with_code_3(driver, publish, tmp_path):
    path = make_video(tmp_path / "v.mkv", [i / 25 for i in range(30)], "mjpeg", pixels="yuvj420p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    images = driver.listen(Image, "/image", 100)
    process = publish(f"video:={path}")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert f"{path} is incomplete: " in stderr
    driver.until(lambda: len(images) > 5, "the images before the end")


class Sender:
    """Sends a live MPEG-TS stream over UDP until it is stopped."""

    def __init__(self, port):
        self.port, self.stopped = port, threading.Event()
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    def send(self):
        url = f"udp://127.0.0.1:{self.port}?pkt_size=1316"
        with av.open(url, "w", format="mpegts") as container:
            stream = container.add_stream("mpeg4", rate=RATE_HZ)
            stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
            frame = av.VideoFrame.from_ndarray(made_image(0), format="rgb24")
            while not self.stopped.wait(1 / RATE_HZ):
                frame.pts = None
                container.mux(stream.encode(frame))

    def stop(self):
        self.stopped.set()
        self.thread.join()


@pytest.mark.slow
def test_a_stream_that_comes_back_is_published_again(driver, publish):
    images = driver.listen(Image, "/image", 100)
    port = free_port()
    sender = Sender(port)
    process = publish(f"video:=udp://127.0.0.1:{port}", "timeout_s:=1.0")
    driver.until(lambda: len(images) > 10, "images of the stream")
    sender.stop()
    log = process.stderr
    while "reconnecting" not in (line := log.readline()):
        assert line
    assert "sends no data for 1 s" in line
    driver.spin(0.2)
    images.clear()
    sender = Sender(port)
    driver.until(lambda: len(images) > 10, "images after the interruption")
    sender.stop()
    assert process.poll() is None


def test_ctrl_c_ends_the_wait_for_a_stream(driver, publish):
    images = driver.listen(Image, "/image", 100)
    port = free_port()
    sender = Sender(port)
    process = publish(f"video:=udp://127.0.0.1:{port}", "timeout_s:=30.0")
    driver.until(lambda: images, "images of the stream")
    sender.stop()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=15)
    assert process.returncode == 0
    assert "Traceback" not in stderr


def test_a_damaged_image_whose_name_is_not_utf_8_is_named(publish, tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"damaged")
    process = publish(f"video:={tmp_path}", "wait_for_subscribers:=0")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "caf\\udce9.png cannot be read as a whole image" in stderr
    assert "Traceback" not in stderr


def test_mistakes_in_parameters_are_reported(publish, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("video_publihser:\n  ros__parameters: {loop: false}\n")
    process = publish(
        "video:=/nowhere.mp4", "lop:=true", "video_publsher:loop:=true",
        arguments=("--params-file", str(path)),
    )  # fmt: skip
    _, stderr = process.communicate(timeout=60)
    assert "unknown parameter lop; did you mean loop?" in stderr
    assert "it names /video_publihser; use /video_publisher or /**" in stderr
    assert "it names video_publsher; use -p loop:=true" in stderr


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (["video:=/tmp", "stamps:=name"], "stamps is 'name', must be one of auto, names"),
        (["video:=udp://127.0.0.1:9", "timeout_s:=0.0"], "the timeout is 0 s"),
        (["video:=/dev/video97"], "/dev/video97 is not a file"),
        (["video:=rtsp://127.0.0.1:1/x"], "rtsp://127.0.0.1:1/x"),
        (["video:=/nowhere/%04d.png"], "/nowhere/%04d.png matches no image"),
    ],
)
def test_a_source_that_cannot_be_opened_ends_with_one_line(parameters, said, publish):
    process = publish(*parameters)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said in stderr
    assert len(stderr.splitlines()) == 1


@pytest.mark.parametrize("module", ["node", "video_publisher"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--params-file", "/nowhere.yaml"], "/nowhere.yaml"),
        (["-p", b"video:=caf\xe9.mp4"], "utf-8"),
    ],
)
def test_arguments_that_ros_cannot_read_end_with_one_line(module, arguments, said):
    command = [sys.executable, "-m", f"poseflow_ros.ros.{module}", "--ros-args", *arguments]
    result = subprocess.run(command, check=False, capture_output=True)
    assert result.returncode == 2
    line = result.stderr.decode(errors="replace").splitlines()[-1]
    assert line.startswith("cannot start: ")
    assert said in line
    assert b"Traceback" not in result.stderr


HOMELESS = """
import os, sys
import poseflow_ros.ros.video_publisher as module
os.environ.pop("HOME", None), os.environ.pop("ROS_LOG_DIR", None)
os.environ["TMPDIR"] = sys.argv[1]
os.setgid(54321), os.setuid(54321)
sys.exit(module.main(["--ros-args", "-p", "video:=/nowhere.mp4"]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become an unknown user")
def test_ros_starts_for_an_unknown_user_without_a_home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("homeless")
    for parent in (folder, *list(folder.parents)[:2]):
        parent.chmod(0o777)
    command = [sys.executable, "-c", HOMELESS, str(folder)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "/nowhere.mp4 is not a file" in result.stderr
    assert "Traceback" not in result.stderr
