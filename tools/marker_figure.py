"""Makes docs/markers.jpg: the markers of real nodes, drawn as RViz would, with no screen.

Twenty images of the sample video go through two PoseFlow nodes, to one of them with depth images.
The video has none, so they are made: a flat ground, and everybody upright where their feet are.

Needs `make setup`, Debian's mesa-vulkan-drivers, and rerun in an environment of its own:

    python3 -m venv ~/rerun && ~/rerun/bin/pip install 'rerun-sdk==0.41.*'
    . tools/env.sh && python tools/marker_figure.py ~/rerun
"""

import math
import os
import site
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from poseflow_ros.bench.processes import bring_up, executable, start, use_large_images_profile
from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.imaging.video import open_source
from poseflow_ros.poses import Image, Poses
from poseflow_ros.ros.inputs.images import to_message
from poseflow_ros.ros.stamps import duration
from poseflow_ros.ros.video_publisher import camera_info
from poseflow_ros.ros_data.header import seconds
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.spatial.depth import DepthImage

ROOT = Path(__file__).resolve().parent.parent
FIRST, END = 586, 606  # of the video's images
PATIENCE_S = 60.0
# A camera for which the video's people are 1.75 m tall wherever they walk; its width is a guess.
WIDTH, HEIGHT, FOV_DEG, ABOVE_GROUND_M, HORIZON_ROW = 768, 576, 40.0, 7.6, -90.0
LENS = camera_info(Header(), (HEIGHT, WIDTH), FOV_DEG).k.reshape(3, 3)
PITCH = math.atan((LENS[1, 2] - HORIZON_ROW) / LENS[0, 0])
UP = np.array([0, -math.cos(PITCH), -math.sin(PITCH)])  # in the camera's optical frame
AHEAD, RIGHT = np.array([0, -math.sin(PITCH), math.cos(PITCH)]), np.array([1, 0, 0])
COLUMNS, ROWS = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
RAYS = np.dstack([COLUMNS, ROWS, np.ones_like(ROWS)]) @ np.linalg.inv(LENS).T  # (H, W, 3), z = 1


def make_depth(people: Poses) -> DepthImage:
    """Return (H, W) metres: a flat ground, and people upright on it, the nearest in front."""
    depth = ground = -ABOVE_GROUND_M / (RAYS @ UP)
    for i in np.argsort(people.boxes[:, 3]):
        foot = int(people.boxes[i, 3].clip(0, HEIGHT - 1))
        body = np.zeros((HEIGHT, WIDTH), np.uint8)
        for a, b in (*COCO_17.edges, (5, 12), (6, 11)):
            ends = np.rint(people.keypoints[i, [a, b]]).astype(int)
            cv2.line(body, *ends, 1, round(people.heights[i] / 9))
        upright = (ground * (RAYS @ AHEAD))[foot] / (RAYS @ AHEAD)
        depth = np.where(body, upright, depth)
    return depth.astype(np.float32)


class Display:
    """What RViz shows of the arrays that came."""

    def __init__(self) -> None:
        self.arrays = 0
        self.shown: dict[tuple[str, int], Marker] = {}

    def take(self, message: MarkerArray) -> None:
        """Add and delete what an array says."""
        self.arrays += 1
        for marker in message.markers:
            if marker.action == Marker.DELETEALL:
                self.shown.clear()
            elif marker.action == Marker.DELETE:
                self.shown.pop((marker.ns, marker.id), None)
            else:
                self.shown[marker.ns, marker.id] = marker

    def end_lifetimes(self, now_s: float) -> None:
        """Take away what was not renewed in time."""
        for key, marker in list(self.shown.items()):
            if 0 < seconds(marker.lifetime) < now_s - seconds(marker.header.stamp):
                del self.shown[key]


def show(images: list[Image], depths: list[DepthImage]) -> Display:
    """Return what is shown after a node answered all images, with depths if there are any."""
    with ExitStack() as stack:
        rclpy.init()
        stack.callback(rclpy.try_shutdown)
        node, display = rclpy.create_node("camera", namespace="/figure"), Display()
        node.create_subscription(MarkerArray, "poseflow/markers", display.take, 100)
        inputs = {"image": ImageMessage, "depth": ImageMessage, "camera_info": CameraInfo}
        send = {topic: node.create_publisher(kind, topic, 5) for topic, kind in inputs.items()}
        poseflow = start(
            stack, executable("poseflow_node"), "/figure", ["estimator.name:=movenet"]
        )
        bring_up(node, poseflow, "/figure/poseflow")
        until(node, lambda: all(p.get_subscription_count() for p in send.values()))
        for i, image in enumerate(images):
            header, stamp = Header(frame_id="camera"), duration(1 + i / 10)
            header.stamp.sec, header.stamp.nanosec = stamp.sec, stamp.nanosec
            send["camera_info"].publish(camera_info(header, (HEIGHT, WIDTH), FOV_DEG))
            for depth in depths[i : i + 1]:
                send["depth"].publish(depth_message(depth, header))
            send["image"].publish(to_message(image, header))
            until(node, lambda n=i: display.arrays > n)  # type: ignore[misc]
        display.end_lifetimes(seconds(stamp))
        return display


def until(node: Node, condition: Callable[[], bool]) -> None:
    """Take messages until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the PoseFlow node does not answer")
        rclpy.spin_once(node, timeout_sec=0.1)


def depth_message(depth: DepthImage, header: Header) -> ImageMessage:
    """Return a depth image as 32FC1."""
    message = ImageMessage(header=header, height=HEIGHT, width=WIDTH, encoding="32FC1")
    message.step, message.data = 4 * WIDTH, array("B", depth.tobytes())
    return message


def log(rr: Any, place: str, display: Display) -> None:
    """Give rerun the markers as they are: points, sizes, colours and words."""
    for (namespace, i), marker in display.shown.items():
        color = np.array([marker.color.r, marker.color.g, marker.color.b])
        points = np.array([(p.x, p.y, p.z) for p in marker.points])
        if marker.type == Marker.LINE_LIST:
            pairs = points.reshape(-1, 2, 3)
            drawn = rr.LineStrips3D(pairs, radii=marker.scale.x / 2, colors=color)
        elif marker.type == Marker.SPHERE_LIST:
            drawn = rr.Points3D(points, radii=marker.scale.x / 2, colors=color)
        else:  # rerun writes on dark ground, and larger: brighter and higher, heads are seen
            at = marker.pose.position
            raised = np.array([at.x, at.y, at.z]) + marker.scale.z * UP
            words = {"labels": [marker.text], "show_labels": True}
            drawn = rr.Points3D([raised], radii=0.0, colors=(1 + color) / 2, **words)
        rr.log(f"{place}/{namespace}/{i}", drawn, static=True)


def draw(rerun: Path, space: Display, plane: Display, image: Image, depth: DepthImage) -> Image:
    """Return a figure of both worlds side by side, BGR."""
    import rerun as rr
    import rerun.blueprint as rrb

    def view(place: str, position: Any, look_target: Any, eye_up: Any) -> Any:
        eye = rrb.EyeControls3D(position=position, look_target=look_target, eye_up=eye_up)
        look = {"background": [255, 255, 255], "line_grid": False, "titlebar": False}
        return rrb.Spatial3DView(origin=place, eye_controls=eye, **look)

    middle = 17 * AHEAD - 7.9 * UP + 0.2 * RIGHT  # of the people
    views = (
        view("space", middle - 9 * AHEAD + 4.3 * UP + 4.8 * RIGHT, middle, UP),
        view("plane", [1.6, -0.5, 0.7], [0.1, 0.05, 2.8], [0, -1, 0]),
    )
    panels = (rrb.TopPanel, rrb.BlueprintPanel, rrb.SelectionPanel, rrb.TimePanel)
    layout = rrb.Horizontal(*views, column_shares=[5, 3])
    blueprint = rrb.Blueprint(layout, *(panel(state="hidden") for panel in panels))
    with tempfile.TemporaryDirectory() as folder:
        file, figure = Path(folder, "markers.rrd"), Path(folder, "markers.png")
        rr.init("markers")
        rr.save(file, default_blueprint=blueprint)
        seen = depth < 30
        # What is seen is drawn a little farther, or it would hide the half of each marker.
        cloud, pale = 1.01 * RAYS * depth[..., None], (0.55 * image + 0.45 * 255).astype(np.uint8)
        points = rr.Points3D(cloud[seen], colors=pale[seen], radii=0.012)
        rr.log("space/cloud", points, static=True)
        lens = {"image_from_camera": LENS, "resolution": [WIDTH, HEIGHT]}
        camera = rr.Pinhole(**lens, image_plane_distance=3.03)
        rr.log("plane/camera", camera, static=True)
        rr.log("plane/camera", rr.Image(pale), static=True)
        log(rr, "space", space)
        log(rr, "plane", plane)
        rr.disconnect()
        command = [str(rerun / "bin" / "rerun"), str(file), "--headless", "--renderer", "vulkan"]
        command += ["--window-size", "1200x480", "--screenshot-to", str(figure)]
        quiet = os.environ | {"RUST_LOG": "off"}  # its lines would lie over the figure
        subprocess.run(command, check=True, env=quiet, timeout=PATIENCE_S)
        return cv2.imread(str(figure))


def main() -> None:
    """Make the figure."""
    rerun = Path(sys.argv[1])
    for folder in rerun.glob("lib/python3*/site-packages"):
        site.addsitedir(str(folder))
    fetch = [ROOT / "tools" / "fetch_sample_video.sh"]
    video = subprocess.run(fetch, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    images = [image for image, _ in islice(open_source(video), FIRST, END)]
    estimator = make_estimator(Config(estimator=EstimatorConfig(name="movenet")))
    depths = [make_depth(estimator.estimate(image)) for image in images]
    use_large_images_profile()
    space, plane = show(images, depths), show(images, [])
    figure = draw(rerun, space, plane, images[-1], depths[-1])[80:880]
    half = cv2.resize(figure, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(ROOT / "docs" / "markers.jpg"), half, [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main()
