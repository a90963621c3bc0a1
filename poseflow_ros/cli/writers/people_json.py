"""All poses as JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.actions.behaviors import BehaviorFrame
from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.poses import FloatArray, TrackedPoses, TrackState
from poseflow_ros.skeletons.skeleton import Skeleton

Person = dict[str, Any]


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
        people = [
            _person(result.people, i) | in_3d for i, in_3d in enumerate(_people_in_3d(result))
        ]
        _add_behaviors(people, result.behaviors)
        frame = {
            "frame": result.index,
            "stamp_s": round(result.stamp_s, 6),
            "image_size": result.image.shape[:2],
            "people": people,
        }
        if result.located is not None:
            frame["frame_3d"] = result.located.frame
        self._file.write((",\n" if result.index else "\n") + json.dumps(frame))


def _person(tracked: TrackedPoses, i: int) -> Person:
    poses = tracked.poses
    points, scores = poses.keypoints[i].round(2), poses.keypoint_scores[i].round(4)
    return {
        "track_id": int(tracked.track_ids[i]),
        "state": TrackState(tracked.states[i]).name.lower(),
        "score": round(float(poses.scores[i]), 4),
        "box": poses.boxes[i].round(2).tolist(),
        "keypoints": [
            [*point, score] for point, score in zip(points.tolist(), scores.tolist(), strict=True)
        ],
    }


def _add_behaviors(people: list[Person], behaviors: BehaviorFrame | None) -> None:
    if behaviors is None:
        return
    rows = behaviors.rows()
    for person in people:  # of more than `behaviors.max_people` some have none
        row = rows.get(person["track_id"])
        person["behaviors"] = [] if row is None else behaviors.names(row)


def _people_in_3d(result: TrackedImage) -> list[Person]:
    """Return what is added for each person where there is depth."""
    if result.located is None:
        return [{}] * len(result.people)
    return [
        {
            "position": _known(values[:3]),
            "velocity_3d": _known(values[3:6]),
            "keypoints_3d": [_known(point) for point in values[6:].reshape(-1, 4)],
        }
        for values in result.in_3d()
    ]


def _known(values: FloatArray) -> list[float] | None:
    """Return rounded values; None where they are unknown, since JSON has no NaN."""
    return values.round(4).tolist() if np.isfinite(values).all() else None
