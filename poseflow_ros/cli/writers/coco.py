"""Results of COCO's keypoint task, https://cocodataset.org/#format-results."""

import json
from pathlib import Path

from poseflow_ros.cli.errors import CommandError
from poseflow_ros.cli.writers.named_keypoints import corner_and_size, keypoints_named
from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.imaging.source import Source
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.skeleton import Skeleton

_PERSON = 1


class CocoWriter:
    """Writes a list with an object for each person in each image.

    `image_id` is the number that is the name of the image's file, as in COCO's own images, and
    the index of the image from 0 where the name is not a number. The third number of a keypoint is
    its score, where annotations have the visibility; COCO's evaluation does not use it.
    """

    def __init__(self, path: Path, source: Source, skeleton: Skeleton) -> None:
        """Write to `path`.

        Raises:
            CommandError: the skeleton lacks keypoints of COCO.
        """
        if missing := set(COCO_17.keypoint_names) - set(skeleton.keypoint_names):
            raise CommandError(
                f"{path.name} cannot be written: skeleton {skeleton.name} has no "
                f"{', '.join(sorted(missing))}, which COCO's results need"
            )
        self._source = source
        self._skeleton = skeleton
        self._file = path.open("w")
        self._separator = "["

    def __enter__(self) -> "CocoWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.write("\n]\n" if self._separator == "," else "[]\n")

    def __call__(self, result: TrackedImage) -> None:
        """Write the people of one image."""
        poses = result.people.poses
        keypoints = keypoints_named(poses, self._skeleton, COCO_17.keypoint_names)
        columns = corner_and_size(poses), keypoints, poses.scores.tolist()
        for box, points, score in zip(*columns, strict=True):
            person = {
                "image_id": self._image_id(result.index),
                "category_id": _PERSON,
                "bbox": box.round(2).tolist(),
                "keypoints": points.round(3).ravel().tolist(),
                "score": round(score, 4),
            }
            self._file.write(f"{self._separator}\n{json.dumps(person)}")
            self._separator = ","

    def _image_id(self, index: int) -> int:
        stem = self._source.files[index].stem if self._source.files else ""
        return int(stem) if stem.isdecimal() else index
