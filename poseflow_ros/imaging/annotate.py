"""Drawing of tracked people on their image."""

import colorsys

import cv2
import numpy as np

from poseflow_ros.poses import Image, Poses, TrackedPoses
from poseflow_ros.skeletons.skeleton import Skeleton

_GOLDEN_RATIO = 0.618034
_LABEL_SCALE = 0.5
_SHIFT = 3  # fractional bits of drawing coordinates


def track_color(track_id: int) -> tuple[float, float, float]:
    """Return the color of a track, RGB in [0, 1]; consecutive ids have different hues."""
    return colorsys.hsv_to_rgb(track_id * _GOLDEN_RATIO % 1.0, 0.8, 1.0)


def draw(
    image: Image, tracked: TrackedPoses, skeleton: Skeleton, min_keypoint_score: float
) -> Image:
    """Return a copy of the (H, W, 3) RGB image with all visible people drawn on it."""
    canvas = np.ascontiguousarray(image).copy()
    for i in np.flatnonzero(tracked.visible):
        track_id = int(tracked.track_ids[i])
        color = tuple(round(255 * channel) for channel in track_color(track_id))
        _draw_person(canvas, tracked.poses[i : i + 1], skeleton, min_keypoint_score, color)
        _draw_label(canvas, str(track_id), tracked.poses.boxes[i], color)
    return canvas


def _draw_person(
    canvas: Image,
    pose: Poses,
    skeleton: Skeleton,
    min_keypoint_score: float,
    color: tuple[int, ...],
) -> None:
    # Larger coordinates would overflow the integers of the drawing functions.
    points = np.clip(np.nan_to_num(pose.keypoints[0]), -1e4, 1e4)
    fixed = np.round(points * (1 << _SHIFT)).astype(int).tolist()
    found = np.isfinite(pose.keypoints[0]).all(axis=1)
    shown = found & (pose.keypoint_scores[0] >= min_keypoint_score)
    for a, b in skeleton.edges:
        if shown[a] and shown[b]:
            cv2.line(canvas, fixed[a], fixed[b], color, 2, cv2.LINE_AA, _SHIFT)
    for point in np.asarray(fixed)[shown].tolist():
        cv2.circle(canvas, point, 2 << _SHIFT, color, -1, cv2.LINE_AA, _SHIFT)


def _draw_label(canvas: Image, text: str, box: np.ndarray, color: tuple[int, ...]) -> None:
    x1, y1, x2, y2 = np.clip(box, -1e4, 1e4).round().astype(int).tolist()
    cv2.rectangle(canvas, (x1, y1), (x2, y2), color, 1)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _LABEL_SCALE, 1)
    top = max(y1, height + 6)
    cv2.rectangle(canvas, (x1, top - height - 6), (x1 + width + 4, top), color, -1)
    cv2.putText(
        canvas, text, (x1 + 2, top - 4), cv2.FONT_HERSHEY_SIMPLEX, _LABEL_SCALE, (0, 0, 0), 1,
        cv2.LINE_AA,
    )  # fmt: skip
