"""Files of tracked people: MOTChallenge text, JSON and annotated video."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.cli.annotator import Annotator, behavior_recognizer
from poseflow_ros.config import MarkersConfig
from poseflow_ros.imaging.video import VideoWriter
from poseflow_ros.poses import Image, TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton

FrameWriter = Callable[[Image, float, int, TrackedPoses], None]
"""Called with an image, its stamp, its index and the people to write."""


class MotWriter:
    """Writes MOTChallenge text: frame from 1, id, left, top, width, height, score, -1, -1, -1."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def __enter__(self) -> "MotWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, image: Image, stamp_s: float, index: int, tracked: TrackedPoses) -> None:
        """Write the people of one frame."""
        for i in range(len(tracked)):
            x1, y1, x2, y2 = tracked.poses.boxes[i]
            self._file.write(
                f"{index + 1},{tracked.track_ids[i]},{x1:.2f},{y1:.2f},{x2 - x1:.2f},"
                f"{y2 - y1:.2f},{tracked.poses.scores[i]:.4f},-1,-1,-1\n"
            )


class JsonWriter:
    """Writes one object: the skeleton and a list of frames, each with its people."""

    def __init__(self, path: Path, skeleton: Skeleton, config: MarkersConfig) -> None:
        self._recognizer = behavior_recognizer(skeleton, config)
        self._file = path.open("w")
        head = {"skeleton": skeleton.name, "keypoint_names": skeleton.keypoint_names}
        self._file.write(json.dumps(head)[:-1] + ', "frames": [')

    def __enter__(self) -> "JsonWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.write("\n]}\n")

    def __call__(self, image: Image, stamp_s: float, index: int, tracked: TrackedPoses) -> None:
        """Write the people of one frame."""
        poses = tracked.poses
        people = [
            {
                "track_id": int(tracked.track_ids[i]),
                "state": TrackState(tracked.states[i]).name.lower(),
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
            for i in range(len(tracked))
        ]
        if self._recognizer:
            seen = PoseFrame.from_tracked(tracked, stamp_s, image.shape[:2])
            behaviors = self._recognizer.update(seen)
            rows = {track_id: row for row, track_id in enumerate(behaviors.track_ids.tolist())}
            for person in people:
                person["behaviors"] = behaviors.names(rows[person["track_id"]])
        frame = {
            "frame": index,
            "stamp_s": round(stamp_s, 6),
            "image_size": image.shape[:2],
            "people": people,
        }
        self._file.write((",\n" if index else "\n") + json.dumps(frame))


class AnnotatedVideoWriter(VideoWriter):
    """Writes the images with the people drawn on them; the stamps of the images are kept."""

    def __init__(
        self, path: Path, rate_hz: float, skeleton: Skeleton, config: MarkersConfig
    ) -> None:
        super().__init__(path, rate_hz)
        self._annotate = Annotator(skeleton, config)

    def __call__(self, image: Image, stamp_s: float, index: int, tracked: TrackedPoses) -> None:
        """Write one frame."""
        # Everybody given is drawn, tentative or not.
        confirmed = np.full(len(tracked), int(TrackState.CONFIRMED))
        people = replace(tracked, states=confirmed)
        self.write(self._annotate(image, stamp_s, people), stamp_s)
