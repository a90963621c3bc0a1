"""The demo: a video publisher and the PoseFlow node, two processes over DDS, watched by a third.

This program starts both, configures and activates the node as a lifecycle manager would, records
what it publishes, and afterwards draws that onto the video: annotated.mp4, contact_sheet.png and
summary.json in out/.
"""

import argparse
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from poseflow_msgs.msg import TrackedPoseArray
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from tqdm import tqdm

from poseflow_ros.bench.processes import (
    DiagnosticsListener,
    ProcessError,
    bring_up,
    executable,
    start,
    use_large_images_profile,
)
from poseflow_ros.config import MarkersConfig
from poseflow_ros.estimation.errors import WeightsError
from poseflow_ros.estimation.movenet import MOVENET_MULTIPOSE
from poseflow_ros.estimation.weights import cached
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.imaging.video import VideoError, VideoWriter, open_source
from poseflow_ros.poses import Image, Poses, TrackedPoses
from poseflow_ros.ros.outputs.pose_messages import tracked_poses
from poseflow_ros.ros_data.header import seconds
from poseflow_ros.skeletons.coco17 import COCO_17

ROOT = Path(__file__).resolve().parent.parent
N_MOMENTS = 6
# After the publisher's end: how long without a pose until none is to come. The diagnostics of the
# last second arrive in it.
QUIET_S = 1.1
# Period of parameter requests, which check that the node responds during inference.
ASK_PERIOD_S = 0.5
VIDEO_STATUS, CAMERA_STATUS = "/demo/video_publisher: video", "/demo/poseflow: camera"


class DemoError(RuntimeError):
    """The demo cannot run; the message gives the reason."""


@dataclass(slots=True)
class Recorder:
    """What the node published, and how long after the image was."""

    node: Node
    arrays: list[TrackedPoseArray] = field(default_factory=list)
    stamps_s: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    received_s: list[float] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)
    diagnostics: DiagnosticsListener = field(init=False)

    def listen(self) -> None:
        """Subscribe."""
        self.diagnostics = DiagnosticsListener(self.node)
        self.node.create_subscription(
            TrackedPoseArray, "/demo/poseflow/tracked_poses", self._on_poses, 100
        )
        self.node.create_subscription(CameraInfo, "/demo/camera_info", self._on_camera_info, 100)

    def _on_poses(self, message: TrackedPoseArray) -> None:
        now_s = self.node.get_clock().now().nanoseconds * 1e-9
        self.arrays.append(message)
        self.received_s.append(now_s)
        self.latencies_s.append(now_s - seconds(message.header.stamp))

    def _on_camera_info(self, message: CameraInfo) -> None:
        self.stamps_s.append(seconds(message.header.stamp))

    def ask(self, client: Any) -> None:
        """Ask the node for a parameter and note how long the answer takes."""
        asked_s = time.perf_counter()
        future = client.call_async(GetParameters.Request(names=["movenet.tiles"]))
        future.add_done_callback(lambda _: self.answers_s.append(time.perf_counter() - asked_s))


def record(video: str, tiles: str) -> Recorder:
    """Run both nodes until the video's end; return what was published."""
    total = open_source(video).n_frames
    use_large_images_profile()
    with ExitStack() as stack:
        rclpy.init()
        stack.callback(rclpy.try_shutdown)
        node = rclpy.create_node("demo")
        recorder = Recorder(node)
        recorder.listen()
        network = ("estimator.name:=movenet", f"movenet.tiles:={tiles}")
        poseflow = start(stack, executable("poseflow_node"), "/demo", network)
        bring_up(node, poseflow, "/demo/poseflow")
        source = [f"video:={json.dumps(video)}"]
        publisher = start(stack, executable("video_publisher"), "/demo", source)
        bar = stack.enter_context(tqdm(total=total or None, unit="frame", disable=None))
        parameters = node.create_client(GetParameters, "/demo/poseflow/get_parameters")
        node.create_timer(ASK_PERIOD_S, lambda: recorder.ask(parameters))
        last_line_s = quiet_since_s = time.monotonic()
        while True:
            before = len(recorder.arrays)
            rclpy.spin_once(node, timeout_sec=0.2)
            new = len(recorder.arrays) - before
            now_s = time.monotonic()
            if new:
                quiet_since_s = now_s
            bar.update(new)
            if bar.disable and now_s - last_line_s > 10:  # no terminal: a line now and then
                print(f"demo: {len(recorder.arrays)} of {total or '?'} frames tracked", flush=True)
                last_line_s = now_s
            if poseflow.poll() is not None:
                raise DemoError(f"the PoseFlow node ended with code {poseflow.returncode}")
            if publisher.poll() is not None and now_s - quiet_since_s > QUIET_S:
                break
        if publisher.returncode:
            raise DemoError(f"the video publisher ended with code {publisher.returncode}")
    return recorder


def summarize(recorder: Recorder) -> dict[str, Any]:
    """Return the figures of the run."""
    arrays = recorder.arrays
    people = [tracked_poses(array, COCO_17) for array in arrays]
    seen = [tracked.track_ids[tracked.visible] for tracked in people]
    ids = {
        (array.epoch, track_id)
        for array, track_ids in zip(arrays, seen, strict=True)
        for track_id in track_ids.tolist()
    }
    elapsed_s = recorder.received_s[-1] - recorder.received_s[0] if len(arrays) > 1 else 0.0
    p50, p99 = 1e3 * np.percentile(recorder.latencies_s or [0.0], [50, 99])
    diagnostics = recorder.diagnostics
    return {
        "published": diagnostics.count(VIDEO_STATUS, "published"),
        "received": diagnostics.count(CAMERA_STATUS, "received"),
        "processed": len(arrays),
        "dropped": diagnostics.count(CAMERA_STATUS, "dropped"),
        "people_now": len(seen[-1]) if seen else 0,
        "people_mean": round(float(np.mean([len(people) for people in seen])), 2) if seen else 0.0,
        "track_ids": len(ids),
        "latency_p50_ms": round(float(p50), 1),
        "latency_p99_ms": round(float(p99), 1),
        "answer_max_ms": round(1e3 * max(recorder.answers_s, default=0.0), 1),
        "frames_per_second": round((len(arrays) - 1) / elapsed_s, 2) if elapsed_s else 0.0,
        "estimate_p50_ms": diagnostics.number(CAMERA_STATUS, "estimate p50 (ms)"),
        "track_p50_ms": diagnostics.number(CAMERA_STATUS, "track p50 (ms)"),
        "overhead_p50_ms": diagnostics.number(CAMERA_STATUS, "overhead p50 (ms)"),
        "overhead_p99_ms": diagnostics.number(CAMERA_STATUS, "overhead p99 (ms)"),
    }


def by_frame(recorder: Recorder) -> dict[int, TrackedPoses]:
    """Return the recorded people by the number of their frame in the video."""
    # Every frame has a camera_info of its stamp. Those sent before this program was discovered
    # are missing, at the start.
    missing = recorder.diagnostics.count(VIDEO_STATUS, "published") - len(recorder.stamps_s)
    numbers = {stamp_s: i + missing for i, stamp_s in enumerate(recorder.stamps_s)}
    return {
        numbers[seconds(array.header.stamp)]: tracked_poses(array, COCO_17)
        for array in recorder.arrays
        if seconds(array.header.stamp) in numbers
    }


def draw_video(video: str, recorder: Recorder, out: Path) -> None:
    """Write the annotated video and the contact sheet of the fullest moments."""
    source = open_source(video)
    people = by_frame(recorder)
    nobody = _nobody()
    segment = max(1, -(-(source.n_frames or len(people)) // N_MOMENTS))
    moments: dict[int, tuple[int, Image]] = {}
    with VideoWriter(out / "annotated.mp4", source.rate_hz) as writer:
        total = source.n_frames or None
        bar = tqdm(source, total=total, desc="drawing", unit="frame", disable=None)
        for i, (image, stamp_s) in enumerate(bar):
            tracked = people.get(i, nobody)
            annotated = draw(image, tracked, COCO_17, MarkersConfig().min_keypoint_score)
            writer.write(annotated, stamp_s)
            n_people = int(tracked.visible.sum())
            if n_people > moments.get(i // segment, (-1,))[0]:
                moments[i // segment] = (n_people, annotated)
    images = [image for _, image in moments.values()][:N_MOMENTS]
    sheet = contact_sheet(images)
    if not cv2.imwrite(str(out / "contact_sheet.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise DemoError(f"{out / 'contact_sheet.png'} cannot be written")


def _nobody() -> TrackedPoses:
    none = np.zeros(0)
    ids = np.zeros(0, np.int64)
    poses = Poses.empty(COCO_17.n_keypoints)
    return TrackedPoses(poses, ids, ids, none, none, none, ids, np.zeros((0, 2)))


def contact_sheet(images: list[Image], columns: int = 3, width: int = 640) -> Image:
    """Return the images side by side, each `width` pixels wide."""
    height = round(images[0].shape[0] * width / images[0].shape[1])
    tiles = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def main() -> int:
    """Run the demo; return 0, or 2 with a line on what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", help="a video file; default: the sample of opencv-doc")
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="where the results go")
    parser.add_argument("--tiles", default="auto", help="of the network: movenet.tiles")
    args = parser.parse_args()
    try:
        video = args.video or _sample_video()
        cached(MOVENET_MULTIPOSE)  # before the clock runs
        args.out.mkdir(parents=True, exist_ok=True)
        print(f"demo: {video}, played at its own rate through two nodes", flush=True)
        recorder = record(video, args.tiles)
        summary = summarize(recorder)
        draw_video(video, recorder, args.out)
        (args.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    except (DemoError, ProcessError, VideoError, WeightsError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    for name, value in summary.items():
        print(f"  {name:<20} {value}")
    print(f"demo: see annotated.mp4, contact_sheet.png and summary.json in {args.out}")
    return 0


def _sample_video() -> str:
    command = [ROOT / "tools" / "fetch_sample_video.sh"]
    fetched = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if fetched.returncode:
        raise DemoError("no sample video; see the lines above")
    return fetched.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
