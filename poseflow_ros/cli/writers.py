"""Files of tracked people: MOTChallenge text, JSON and annotated video."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from poseflow_ros.cli.tracked_image import TrackedImage
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.imaging.video import VideoWriter
from poseflow_ros.poses import TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton


class MotWriter:
    """Writes MOTChallenge text: frame from 1, id, left, top, width, height, score, -1, -1, -1."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def __enter__(self) -> "MotWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, result: TrackedImage) -> None:
        """Write the people of one image."""
        tracked = result.people
        for i in range(len(tracked)):
            x1, y1, x2, y2 = tracked.poses.boxes[i]
            self._file.write(
                f"{result.index + 1},{tracked.track_ids[i]},{x1:.2f},{y1:.2f},{x2 - x1:.2f},"
                f"{y2 - y1:.2f},{tracked.poses.scores[i]:.4f},-1,-1,-1\n"
            )


class JsonWriter:
    """Writes one object: the skeleton and a list of frames, each with its people."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._file = path.open("w")
        head = {"skeleton": skeleton.name, "keypoint_names": skeleton.keypoint_names}
        self._file.write(json.dumps(head)[:-1] + ', "frames": [')

    def __enter__(self) -> "JsonWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.write("\n]}\n")

    def __call__(self, result: TrackedImage) -> None:
        """Write the people of one image."""
        tracked, poses = result.people, result.people.poses
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
        stamp_s = round(result.stamp_s, 6)
        frame = {"frame": result.index, "stamp_s": stamp_s, "people": people}
        self._file.write((",\n" if result.index else "\n") + json.dumps(frame))


class AnnotatedVideoWriter(VideoWriter):
    """Writes the images with the people drawn on them; the stamps of the images are kept."""

    def __init__(
        self, path: Path, rate_hz: float, skeleton: Skeleton, min_keypoint_score: float
    ) -> None:
        super().__init__(path, rate_hz)
        self._skeleton = skeleton
        self._min_keypoint_score = min_keypoint_score

    def __call__(self, result: TrackedImage) -> None:
        """Write one image."""
        image = draw(
            result.image, everybody(result.people), self._skeleton, self._min_keypoint_score
        )
        self.write(image, result.stamp_s)


def everybody(people: TrackedPoses) -> TrackedPoses:
    """Return people as confirmed, so that tentative ones are drawn too."""
    return replace(people, states=np.full(len(people), int(TrackState.CONFIRMED)))
