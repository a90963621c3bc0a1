"""Annotations of PoseTrack18, as poseval and the evaluation server read them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.cli.writers.named_keypoints import corner_and_size, keypoints_named
from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.imaging.source import Source
from poseflow_ros.poses import FloatArray, Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.skeleton import Skeleton

_NOSE, _HEAD_BOTTOM, _HEAD_TOP = 0, 1, 2
_NAMES = ("nose", "head_bottom", "head_top", *COCO_17.keypoint_names[3:])
_LEFT_SHOULDER, _RIGHT_SHOULDER = (_NAMES.index(f"{side}_shoulder") for side in ("left", "right"))
# What other skeletons call them.
_HEAD_BOTTOM_NAMES, _HEAD_TOP_NAMES = ("neck",), ("head", "top_head")


class PoseTrackWriter:
    """Writes one object: images, annotations (a person in an image each) and categories.

    The name of an image is that of its file: for poseval the last folder is the sequence and the
    name is the number of the image. Images of a video are named after it.
    """

    def __init__(self, path: Path, source: Source, skeleton: Skeleton) -> None:
        self._source = source
        self._skeleton = skeleton
        self._images: list[dict[str, Any]] = []
        self._n_people = 0
        self._file = path.open("w")
        self._file.write('{"annotations": [')

    def __enter__(self) -> "PoseTrackWriter":
        return self

    def __exit__(self, *_: object) -> None:
        category = {
            "supercategory": "person",
            "id": 1,
            "name": "person",
            "keypoints": _NAMES,
            "skeleton": [],
        }
        with self._file:
            images, categories = json.dumps(self._images), json.dumps([category])
            self._file.write(f'\n], "images": {images}, "categories": {categories}}}\n')

    def __call__(self, result: TrackedImage) -> None:
        """Write one image and its people."""
        self._images.append(
            {
                "id": result.index,
                "frame_id": result.index,
                "file_name": self._file_name(result.index),
                "has_no_densepose": True,
                "is_labeled": True,
            }
        )
        people, poses = result.people, result.people.poses
        keypoints = posetrack_keypoints(poses, self._skeleton)
        for i, box in enumerate(corner_and_size(poses)):
            points, scores = keypoints[i].copy(), keypoints[i, :, 2]
            points[:, 2] = scores > 0
            annotation = {
                "id": self._n_people,
                "image_id": result.index,
                "category_id": 1,
                "track_id": int(people.track_ids[i]),
                "bbox": box.round(2).tolist(),
                "keypoints": points.round(2).ravel().tolist(),
                "scores": scores.round(4).tolist(),
            }
            separator = "," if self._n_people else ""
            self._file.write(f"{separator}\n{json.dumps(annotation)}")
            self._n_people += 1

    def _file_name(self, index: int) -> str:
        if self._source.files:
            return self._source.files[index].as_posix()
        return f"{Path(self._source.name).stem}/{index:06d}.jpg"


def posetrack_keypoints(poses: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (N, 17, 3): x, y in pixels and score; zeros where there is none.

    PoseTrack has no eyes, and the ends of the head instead. Where the skeleton lacks these, the
    lower end is between the shoulders and the upper end as far beyond the nose.
    """
    rows = keypoints_named(poses, skeleton, _NAMES)
    names = set(skeleton.keypoint_names)
    for column, others in ((_HEAD_BOTTOM, _HEAD_BOTTOM_NAMES), (_HEAD_TOP, _HEAD_TOP_NAMES)):
        for name in names.intersection(others):
            rows[:, column] = keypoints_named(poses, skeleton, (name,))[:, 0]
    shoulders = rows[:, [_LEFT_SHOULDER, _RIGHT_SHOULDER]]
    nose, bottom, top = rows[:, _NOSE], rows[:, _HEAD_BOTTOM], rows[:, _HEAD_TOP]
    if names.isdisjoint(_HEAD_BOTTOM_NAMES):
        bottom[:, :2] = shoulders[..., :2].mean(axis=1)
        bottom[:, 2] = shoulders[..., 2].min(axis=1)
    if names.isdisjoint(_HEAD_TOP_NAMES):
        top[:, :2] = 2 * nose[:, :2] - bottom[:, :2]
        top[:, 2] = np.minimum(nose[:, 2], bottom[:, 2])
    return rows
