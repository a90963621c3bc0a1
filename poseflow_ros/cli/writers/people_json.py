"""All poses as JSON."""

import json
from pathlib import Path

from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.cli.writers.annotator import behavior_recognizer
from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.config import MarkersConfig
from poseflow_ros.poses import TrackState
from poseflow_ros.skeletons.skeleton import Skeleton


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
        size = result.image.shape[:2]
        if self._recognizer:
            seen = PoseFrame.from_tracked(tracked, result.stamp_s, size)
            behaviors = self._recognizer.update(seen)
            track_ids = behaviors.track_ids.tolist()
            names = {track_id: behaviors.names(row) for row, track_id in enumerate(track_ids)}
            for person in people:  # of more than `behaviors.max_people` some have none
                person["behaviors"] = names.get(person["track_id"], [])
        frame = {
            "frame": result.index,
            "stamp_s": round(result.stamp_s, 6),
            "image_size": size,
            "people": people,
        }
        self._file.write((",\n" if result.index else "\n") + json.dumps(frame))
