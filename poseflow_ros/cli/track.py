"""`python -m poseflow_ros track`: people tracked in a video, a folder of images or a camera."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from tqdm import tqdm

from poseflow_ros.cli.outputs import check_outputs
from poseflow_ros.cli.params import read_parameters
from poseflow_ros.config import Config, choices
from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.estimation.factory import ESTIMATORS, make_estimator
from poseflow_ros.estimation.guidance import Hint, estimate_with_hints
from poseflow_ros.estimation.recorded import RecordedPoses
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.imaging.appearance import AppearanceModel
from poseflow_ros.imaging.appearance_factory import make_appearance_model
from poseflow_ros.imaging.video import Source, VideoWriter, open_source
from poseflow_ros.pipeline import Frame, Pipeline
from poseflow_ros.poses import Image, TrackedPoses


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "track", help="track people in a video", description=__doc__.split(": ", 1)[1]
    )
    parser.add_argument("input", help="video file, folder of images, or a camera's number")
    parser.add_argument("--params", type=Path, metavar="FILE.yaml", help="parameters of the node")
    parser.add_argument("--estimator", choices=ESTIMATORS)
    parser.add_argument("--association", choices=choices("tracker.association"))
    parser.add_argument(
        "--detections", type=Path, metavar="FILE.npz", help="recorded poses, not an estimator"
    )
    parser.add_argument("--rate", type=float, default=0.0, metavar="HZ", help="images a second")
    parser.add_argument("--video", type=Path, metavar="OUT.mp4", help="write the annotated video")
    parser.add_argument("--mot", type=Path, metavar="OUT.txt", help="write MOTChallenge text")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write every pose")
    parser.add_argument("--report", type=Path, metavar="OUT.json", help="write the figures")
    parser.set_defaults(run=run)


@dataclass(slots=True)
class Report:
    """Figures of a run."""

    frames: int = 0
    estimate_s: float = 0.0
    track_s: float = 0.0
    track_ids: set[int] = field(default_factory=set)

    def add(self, frame: Frame[int]) -> None:
        """Count one frame."""
        self.frames += 1
        self.track_ids.update(frame.tracked.track_ids[frame.tracked.visible].tolist())

    def figures(self) -> dict[str, float]:
        """Return what goes into the report; times are means in milliseconds."""
        frames = max(1, self.frames)
        return {
            "frames": self.frames,
            "estimate_ms_per_frame": round(1e3 * self.estimate_s / frames, 3),
            "track_ms_per_frame": round(1e3 * self.track_s / frames, 3),
            "track_ids": len(self.track_ids),
        }


def run(args: argparse.Namespace) -> None:
    """Track people in the input and write what was asked for."""
    inputs = [Path(args.input), *(path for path in (args.detections,) if path)]
    check_outputs((args.video, args.mot, args.json, args.report), inputs)
    config = _configure(args)
    source = open_source(args.input, args.rate)
    estimator = _estimator(args, config)
    bar = tqdm(source, total=source.n_frames or None, unit="frame", disable=None)
    appearance = make_appearance_model(config.tracker, estimator.skeleton)
    pipeline: Pipeline[int] = Pipeline(
        config, estimator.skeleton, appearance.likelihood, log=bar.write
    )
    report = Report()
    with contextlib.ExitStack() as stack:
        stack.callback(estimator.close)
        outputs = _open_outputs(args, config, source, estimator, stack)
        for frame in _frames(pipeline, estimator, appearance, bar, report):
            for output in outputs:
                output(frame.image, frame.stamp_s, frame.payload, frame.tracked)
            report.add(frame)
    if isinstance(estimator, RecordedPoses) and len(estimator) != report.frames:
        message = f"{len(estimator)} frames in {args.detections}, {report.frames} in {args.input}"
        print(f"poseflow_ros: warning: {message}", file=sys.stderr)
    if args.report:
        args.report.write_text(json.dumps(report.figures(), indent=2) + "\n")
    print("  ".join(f"{name} {value}" for name, value in report.figures().items()))


def _frames(
    pipeline: Pipeline[int],
    estimator: PoseEstimator,
    appearance: AppearanceModel,
    images: Iterable[tuple[Image, float]],
    report: Report,
) -> Iterator[Frame[int]]:
    """Yield each image with its tracks; the payload is its index."""
    with contextlib.suppress(KeyboardInterrupt):  # how a camera's recording ends
        for index, (image, stamp_s) in enumerate(images):
            start = perf_counter()
            hint = Hint("", stamp_s, pipeline.predict(image, stamp_s))
            (estimate,) = estimate_with_hints(estimator, [image], [hint])
            estimated = perf_counter()
            (appearances,) = appearance.describe([image], [estimate.poses])
            frames = pipeline.track(
                image, estimate.poses, appearances, stamp_s, index, estimate.unscanned_ids
            )
            report.estimate_s += estimated - start
            report.track_s += perf_counter() - estimated
            yield from frames
    yield from pipeline.flush()


def _configure(args: argparse.Namespace) -> Config:
    values = read_parameters(args.params) if args.params else {}
    asked = {"estimator.name": args.estimator, "tracker.association": args.association}
    return Config.from_parameters(values | {k: v for k, v in asked.items() if v})


def _estimator(args: argparse.Namespace, config: Config) -> PoseEstimator:
    if args.detections:
        return RecordedPoses(args.detections)

    def log(line: str) -> None:
        print(f"poseflow_ros: {line}", file=sys.stderr)

    return make_estimator(config, log)


def _open_outputs(
    args: argparse.Namespace,
    config: Config,
    source: Source,
    estimator: PoseEstimator,
    stack: contextlib.ExitStack,
) -> list[Any]:
    """Return a function for each output, called with image, stamp, index and tracked poses."""
    outputs: list[Any] = []
    if args.video:
        writer = stack.enter_context(VideoWriter(args.video, source.rate_hz))
        score = config.markers.min_keypoint_score

        def write_video(image: Image, _: float, __: int, tracked: TrackedPoses) -> None:
            writer.write(draw(image, tracked, estimator.skeleton, score))

        outputs.append(write_video)
    if args.mot:
        outputs.append(MotWriter(stack.enter_context(args.mot.open("w"))))
    if args.json:
        outputs.append(stack.enter_context(JsonWriter(args.json.open("w"), estimator)))
    return outputs


class MotWriter:
    """Writes MOTChallenge text: frame from 1, id, left, top, width, height, score, -1, -1, -1."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __call__(self, image: Image, stamp_s: float, index: int, tracked: TrackedPoses) -> None:
        """Write the people seen in one frame."""
        for i in tracked.visible.nonzero()[0]:
            x1, y1, x2, y2 = tracked.poses.boxes[i]
            self._file.write(
                f"{index + 1},{tracked.track_ids[i]},{x1:.2f},{y1:.2f},{x2 - x1:.2f},"
                f"{y2 - y1:.2f},{tracked.poses.scores[i]:.4f},-1,-1,-1\n"
            )


class JsonWriter:
    """Writes one object: the skeleton and a list of frames, each with its people."""

    def __init__(self, file: IO[str], estimator: PoseEstimator) -> None:
        self._file = file
        skeleton = estimator.skeleton
        head = {"skeleton": skeleton.name, "keypoint_names": skeleton.keypoint_names}
        file.write(json.dumps(head)[:-1] + ', "frames": [')

    def __enter__(self) -> "JsonWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.write("\n]}\n")
        self._file.close()

    def __call__(self, image: Image, stamp_s: float, index: int, tracked: TrackedPoses) -> None:
        """Write the people seen in one frame."""
        poses = tracked.poses
        people = [
            {
                "track_id": int(tracked.track_ids[i]),
                "score": round(float(poses.scores[i]), 4),
                "box": poses.boxes[i].round(2).tolist(),
                "keypoints": [
                    [*point, score]
                    for point, score in zip(
                        poses.keypoints[i].round(2).tolist(),
                        poses.keypoint_scores[i].round(4).tolist(),
                        strict=True,
                    )
                ],
            }
            for i in tracked.visible.nonzero()[0]
        ]
        frame = {"frame": index, "stamp_s": round(stamp_s, 6), "people": people}
        self._file.write((",\n" if index else "\n") + json.dumps(frame))
