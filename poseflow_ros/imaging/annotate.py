"""Drawing of tracked people on their image."""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from poseflow_ros.imaging.labels import overlaps, place_label
from poseflow_ros.poses import FloatArray, Image, IntArray, Poses, TrackedPoses
from poseflow_ros.skeletons.skeleton import Skeleton

_GOLDEN_RATIO = 0.618034
_SHIFT = 3  # fractional bits of drawing coordinates
# Larger coordinates would overflow the integers of the drawing functions.
_FAR_PX = 1e4

# Sizes for an image whose shorter side has this many pixels; those of a larger one are in
# proportion.
_SHORT_SIDE = 360
_LINE_PX, _DOT_RADIUS_PX, _BOX_LINE_PX, _MARGIN_PX = 2, 2, 1, 3
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.5

# The face is the box of these keypoints, enlarged on every side by this share of its longer side.
_FACE_PARTS = ("nose", "eye", "ear", "face", "head", "neck")
_FACE_MARGIN = 0.4

Color = tuple[int, ...]


def track_color(track_id: int) -> tuple[float, float, float]:
    """Return the color of a track, RGB in [0, 1]; consecutive ids have different hues."""
    return colorsys.hsv_to_rgb(track_id * _GOLDEN_RATIO % 1.0, 0.8, 1.0)


def draw(
    image: Image,
    tracked: TrackedPoses,
    skeleton: Skeleton,
    min_keypoint_score: float,
    labels: Sequence[str] | None = None,
) -> Image:
    """Return a copy of the (H, W, 3) RGB image with all visible people drawn on it.

    Lines, keypoints and labels are in proportion to the image. Labels are inside the image, and
    beside the faces where there is room.

    Args:
        image: (H, W, 3) RGB.
        tracked: N people.
        skeleton: of the people.
        min_keypoint_score: keypoints below this score are not drawn, [0, 1].
        labels: of the N people; None for their track ids.
    """
    canvas = np.ascontiguousarray(image).copy()
    visible = tracked[tracked.visible]
    texts = [
        str(tracked.track_ids[i]) if labels is None else labels[i]
        for i in np.flatnonzero(tracked.visible).tolist()
    ]
    colors = [_color(track_id) for track_id in visible.track_ids.tolist()]
    shown = _shown(visible.poses, min_keypoint_score)
    for i, color in enumerate(colors):
        _draw_person(canvas, visible.poses.keypoints[i], shown[i], skeleton, color)
    boxes = _rectangles(visible.poses.boxes)
    places = _label_places(canvas, texts, boxes, _faces(visible.poses, shown, skeleton))
    for box, color in zip(boxes, colors, strict=True):
        _draw_rectangle(canvas, box, color, _scaled(canvas, _BOX_LINE_PX))
    for i, place in places.items():
        _draw_label(canvas, texts[i], place, colors[i])
    return canvas


def _color(track_id: int) -> Color:
    return tuple(round(255 * channel) for channel in track_color(track_id))


def _scale(canvas: Image) -> float:
    return max(1.0, min(canvas.shape[:2]) / _SHORT_SIDE)


def _scaled(canvas: Image, pixels: int) -> int:
    return round(_scale(canvas) * pixels)


def _shown(poses: Poses, min_keypoint_score: float) -> NDArray[np.bool_]:
    """Return (N, K) true for the keypoints that are drawn."""
    found = np.isfinite(poses.keypoints).all(axis=2)
    return found & (poses.keypoint_scores >= min_keypoint_score)


def _rectangles(boxes: FloatArray) -> IntArray:
    """Return boxes (N, 4) as the pixels that the drawing functions take."""
    return np.clip(boxes, -_FAR_PX, _FAR_PX).round().astype(int)


def _draw_person(
    canvas: Image,
    keypoints: FloatArray,
    shown: NDArray[np.bool_],
    skeleton: Skeleton,
    color: Color,
) -> None:
    points = np.clip(np.nan_to_num(keypoints), -_FAR_PX, _FAR_PX)
    fixed = np.round(points * (1 << _SHIFT)).astype(int)
    thickness = _scaled(canvas, _LINE_PX)
    for a, b in skeleton.edges:
        if shown[a] and shown[b]:
            cv2.line(
                canvas, fixed[a].tolist(), fixed[b].tolist(), color, thickness, cv2.LINE_AA, _SHIFT
            )
    radius = _scaled(canvas, _DOT_RADIUS_PX << _SHIFT)
    for point in fixed[shown].tolist():
        cv2.circle(canvas, point, radius, color, -1, cv2.LINE_AA, _SHIFT)


def _faces(poses: Poses, shown: NDArray[np.bool_], skeleton: Skeleton) -> IntArray:
    """Return the rectangles (M, 4) of the faces that are drawn."""
    parts = [
        i
        for i, name in enumerate(skeleton.keypoint_names)
        if any(part in _FACE_PARTS for part in name.split("_"))
    ]
    drawn = shown[:, parts].any(axis=1)
    keypoints, on_face = poses.keypoints[drawn][:, parts], shown[drawn][:, parts, None]
    low = np.where(on_face, keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(on_face, keypoints, -np.inf).max(axis=1, initial=-np.inf)
    margin = _FACE_MARGIN * (high - low).max(axis=1, keepdims=True, initial=0)
    return _rectangles(np.hstack([low - margin, high + margin]))


def _label_places(
    canvas: Image, texts: Sequence[str], boxes: IntArray, faces: IntArray
) -> dict[int, IntArray]:
    """Return the place of each label, by the person's index; nobody outside the image has one."""
    height, width = canvas.shape[:2]
    inside = overlaps(boxes, np.array([[0, 0, width - 1, height - 1]]))[:, 0] > 0
    places: dict[int, IntArray] = {}
    for i in np.flatnonzero(inside).tolist():
        size = _label_size(canvas, texts[i])
        occupied = np.array([*faces, *places.values()], dtype=int).reshape(-1, 4)
        places[i] = place_label(size, boxes[i], (width, height), occupied)
    return places


def _label_size(canvas: Image, text: str) -> tuple[int, int]:
    font_scale = _FONT_SCALE * _scale(canvas)
    (width, height), _ = cv2.getTextSize(text, _FONT, font_scale, _weight(canvas))
    margins = 2 * _scaled(canvas, _MARGIN_PX)
    return width + margins, height + margins


def _weight(canvas: Image) -> int:
    return _scaled(canvas, 1)


def _draw_rectangle(canvas: Image, rectangle: IntArray, color: Color, thickness: int) -> None:
    x1, y1, x2, y2 = rectangle.tolist()
    cv2.rectangle(canvas, (x1, y1), (x2, y2), color, thickness)


def _draw_label(canvas: Image, text: str, place: IntArray, color: Color) -> None:
    margin = _scaled(canvas, _MARGIN_PX)
    _draw_rectangle(canvas, place, color, cv2.FILLED)
    x1, _, _, y2 = place.tolist()
    cv2.putText(
        canvas,
        text,
        (x1 + margin, y2 - margin),
        _FONT,
        _FONT_SCALE * _scale(canvas),
        (0, 0, 0),
        _weight(canvas),
        cv2.LINE_AA,
    )
