"""Projection of the crowd into the image, with occlusion by nearer people and the border."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.bench import walker
from poseflow_ros.bench.camera import AT_REST, Camera, ViewOffset
from poseflow_ros.bench.crowd import Bodies
from poseflow_ros.poses import FloatArray

_GRID = 10  # sample points along a side of a box


@dataclass(frozen=True, slots=True, eq=False)
class CameraView:
    """N people in one image, visible or not.

    Attributes:
        keypoints: (N, 17, 2) pixels.
        boxes: (N, 4) pixels, of whole bodies; may exceed the image.
        distances_m: (N,) from the camera.
        hidden: (N,) in [0, 1], hidden share of the box.
        hidden_keypoints: (N, 17) true for hidden keypoints.
        offset: of the camera.
    """

    keypoints: FloatArray
    boxes: FloatArray
    distances_m: FloatArray
    hidden: FloatArray
    hidden_keypoints: NDArray[np.bool_]
    offset: ViewOffset


def look(camera: Camera, bodies: Bodies, offset: ViewOffset = AT_REST) -> CameraView:
    """Return the view of the camera."""
    keypoints = camera.project(bodies.keypoints_m, offset)
    boxes, distances_m = walker.boxes_px(keypoints), bodies.places_m[:, 1]
    return CameraView(
        keypoints,
        boxes,
        distances_m,
        hidden_shares(boxes, distances_m, camera.size_px),
        hidden_points(keypoints, boxes, distances_m, camera.size_px),
        offset,
    )


def hidden_points(
    points: FloatArray, boxes: FloatArray, distances: FloatArray, size_px: FloatArray
) -> NDArray[np.bool_]:
    """Return (N, K), true for points in the box of a nearer person or outside the image.

    Args:
        points: (N, K, 2) pixels, K points per person.
        boxes: (N, 4) pixels, of whole bodies.
        distances: (N,) of the people from the camera, in any unit.
        size_px: (2,) width and height of the image.
    """
    hidden: NDArray[np.bool_] = np.any((points < 0) | (points >= size_px), axis=-1)
    x1, y1, x2, y2 = boxes.T
    behind = (x1[:, None] < x2) & (x2[:, None] > x1) & (y1[:, None] < y2) & (y2[:, None] > y1)
    behind &= distances[:, None] > distances
    person, nearer = np.nonzero(behind)
    x, y = points[person, :, 0], points[person, :, 1]
    left, top, right, bottom = (boxes[nearer, i, None] for i in range(4))
    covered = (x > left) & (x < right) & (y > top) & (y < bottom)
    people, starts = np.unique(person, return_index=True)
    if len(people):
        hidden[people] |= np.logical_or.reduceat(covered, starts, axis=0)
    return hidden


def hidden_shares(boxes: FloatArray, distances: FloatArray, size_px: FloatArray) -> FloatArray:
    """Return (N,) in [0, 1], hidden shares of the boxes. Arguments as in `hidden_points`."""
    steps = (np.arange(_GRID) + 0.5) / _GRID
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(1, -1, 2)
    points = boxes[:, None, :2] + grid * (boxes[:, None, 2:] - boxes[:, None, :2])
    shares: FloatArray = hidden_points(points, boxes, distances, size_px).mean(axis=1)
    return shares
