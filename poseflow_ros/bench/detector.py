"""A simulated detector with misses, false positives and errors."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from poseflow_ros.bench import walker
from poseflow_ros.bench.camera import AT_REST, Camera
from poseflow_ros.bench.camera_view import CameraView
from poseflow_ros.bench.detector_model import DetectorModel
from poseflow_ros.poses import FloatArray, Poses

MIN_VISIBLE = 0.25
"""People with a smaller visible share are neither detected nor counted as missed."""
_COVERED = 0.4  # hidden share from which the box errors are those of an occluded person
_FITTED_PX = 768 * 576
_SITES_PER_FALSE = 4  # sites per false positive that exists on average
_OUTSIDE_SCORE = -1.5  # logit of a keypoint outside the image, instead of the model's
_NARROWEST = 0.1  # box, as a share of the height


class Detector:
    """Simulates detections with the errors of its model, which are correlated over time.

    The rows of its arrays are the people, their duplicates, and the sites of false positives.
    """

    def __init__(self, model: DetectorModel, camera: Camera, rng: np.random.Generator) -> None:
        self._model, self._camera, self._rng = model, camera, rng
        self._false = model.false_per_image / model.false_seen
        self._false *= camera.size_px.prod() / _FITTED_PX
        sites = int(np.ceil(_SITES_PER_FALSE * self._false))
        self._n, rows = camera.people, 2 * camera.people + sites
        self._shifts = rng.standard_normal((rows, 2))
        self._edges = rng.standard_normal((rows, 4))
        self._points = rng.standard_normal((rows, 17, 2))
        self._point_scores = rng.standard_normal((rows, 17))
        self._scores = rng.standard_normal(rows)
        self._missed = rng.random(self._n) < expit(model.miss[0])
        self._doubled = rng.random(self._n) < model.duplicates
        self._exists = rng.random(sites) < self._false / sites
        self._figures = self._new_figures(sites)

    def see(self, view: CameraView, dt_s: float) -> Poses:
        """Return the detections in an image `dt_s` after the last, highest score first."""
        self._remember(dt_s)
        found = self._found(view, dt_s)
        figures = self._camera.move(self._figures, AT_REST, view.offset)
        keypoints = np.concatenate([view.keypoints, view.keypoints, figures])
        outside = self._outside(keypoints)
        hidden = np.zeros(keypoints.shape[:2], bool)
        hidden[: 2 * self._n] = np.tile(view.hidden_keypoints, (2, 1))
        keypoints, boxes = self._displaced(keypoints, hidden, np.tile(view.hidden >= _COVERED, 2))
        scores, keypoint_scores = self._all_scores(view, hidden, outside)
        order = np.flatnonzero(found)
        order = order[np.argsort(-scores[order], kind="stable")]
        boxes = cut(boxes[order], self._camera.size_px)
        poses = Poses(keypoints[order], keypoint_scores[order], boxes, scores[order])
        in_image: NDArray[np.bool_] = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
        return poses[in_image]

    def _outside(self, keypoints: FloatArray) -> NDArray[np.bool_]:
        """Return (R, 17), true where the image border truncates a person at a keypoint."""
        if not self._camera.scene.truncates:
            return np.zeros(keypoints.shape[:2], bool)
        beyond = (keypoints < 0) | (keypoints >= self._camera.size_px)
        outside: NDArray[np.bool_] = np.any(beyond, axis=-1)
        return outside

    def _remember(self, dt_s: float) -> None:
        """Advance the correlated errors by `dt_s` seconds."""
        model = self._model
        for values, memory_s in (
            (self._shifts, model.box_memory_s),
            (self._edges, model.box_memory_s),
            (self._points, model.keypoint_memory_s),
            (self._point_scores, model.score_memory_s),
            (self._scores, model.score_memory_s),
        ):
            keep = np.exp(-dt_s / memory_s)
            change = self._rng.standard_normal(values.shape)
            values[:] = keep * values + np.sqrt(1 - keep**2) * change

    def _found(self, view: CameraView, dt_s: float) -> NDArray[np.bool_]:
        """Return (R,), true for rows that are detected."""
        model, rng = self._model, self._rng
        p_miss = expit(model.miss[0] + model.miss[1] * view.hidden)
        self._missed = _switch(self._missed, p_miss, dt_s / model.miss_memory_s, rng)
        p_double = np.full(self._n, model.duplicates)
        self._doubled = _switch(self._doubled, p_double, dt_s / model.duplicate_memory_s, rng)
        people = ~self._missed & (view.hidden <= 1 - MIN_VISIBLE)
        p_exists = np.full(len(self._exists), self._false / len(self._exists))
        life_s = (1 - p_exists[0]) * model.false_life_s
        existed = self._exists
        self._exists = _switch(existed, p_exists, dt_s / life_s, rng)
        new = self._exists & ~existed
        self._figures[new] = self._new_figures(int(new.sum()))
        sites = self._exists & (rng.random(len(existed)) < model.false_seen)
        return np.concatenate([people, people & self._doubled, sites])

    def _new_figures(self, n: int) -> FloatArray:
        """Return the (n, 17, 2) pixels of standing figures, for false positives."""
        angles = self._rng.uniform(0, 2 * np.pi, n)
        headings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        still, places = np.zeros(n), self._camera.ground(self._rng, n)
        body = walker.keypoints_m(places, headings, still, still, np.full(n, 1.7))
        figures = self._camera.project(body)
        feet = figures[:, 15:].mean(axis=1, keepdims=True)
        sizes = np.exp(self._rng.normal(*self._model.false_size, n))
        return feet + (figures - feet) * sizes[:, None, None]

    def _displaced(
        self, keypoints: FloatArray, hidden: NDArray[np.bool_], covered: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the (R, 17, 2) keypoints and (R, 4) boxes with their errors.

        Args:
            keypoints: (R, 17, 2) without errors.
            hidden: (R, 17) true for hidden keypoints.
            covered: (2 N,) true for people and duplicates with the box errors of occluded people.
        """
        model, twice = self._model, 2 * self._n
        size_px, truncates = self._camera.size_px, self._camera.scene.truncates
        boxes = walker.boxes_px(keypoints)
        top, bottom = (cut(boxes, size_px) if truncates else boxes)[:, 1::2].T
        heights = bottom - top
        std = np.tile(model.box_std, (len(boxes), 1))
        std[:twice][covered] = model.box_std_covered
        shared = np.array(model.box_shared)
        shift = np.sqrt(shared) * self._shifts * (std[:, :2] + std[:, 2:]) / 2
        edges = np.sqrt(1 - np.tile(shared, 2)) * self._edges * std
        boxes[self._n : twice, 1::2] = self._parts(boxes[self._n : twice])
        boxes = boxes + heights[:, None] * (np.tile(shift, 2) + edges)
        std = _each(model.keypoint_std) * np.where(hidden, model.keypoint_hidden_factor, 1.0)
        keypoints = keypoints + (std * heights[:, None])[..., None] * self._points
        if truncates:
            keypoints = np.clip(keypoints, 0, size_px)
        return keypoints, _with_area(boxes, heights)

    def _parts(self, boxes: FloatArray) -> FloatArray:
        """Return (N, 2), top and bottom of the duplicates' part of the (N, 4) boxes."""
        top, height = boxes[:, 1], boxes[:, 3] - boxes[:, 1]
        part = self._model.duplicate_height
        start = (1 - part) * ndtr(self._edges[self._n : 2 * self._n, 0])
        return np.stack([top + start * height, top + (start + part) * height], axis=1)

    def _all_scores(
        self, view: CameraView, hidden: NDArray[np.bool_], outside: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the (R,) scores of the rows and the (R, 17) scores of their keypoints."""
        model, n = self._model, self._n
        mean, slope, std = model.score
        person = mean + slope * view.hidden + std * self._scores[:n]
        double = mean + slope * view.hidden + model.duplicate_score + std * self._scores[n : 2 * n]
        false = model.false_score[0] + model.false_score[1] * self._scores[2 * n :]
        logits = np.maximum(np.concatenate([person, double, false]), model.lowest_score)
        shared = model.keypoint_score_shared
        noise = np.sqrt(shared) * self._scores[:, None] + np.sqrt(1 - shared) * self._point_scores
        points = np.where(outside, _OUTSIDE_SCORE, _each(model.keypoint_score))
        points = points + _each(model.keypoint_score_std) * noise
        points += np.where(hidden, model.keypoint_score_hidden, 0.0)
        points[n : 2 * n] += model.duplicate_keypoint_score
        points[2 * n :] += model.false_keypoint_score
        return expit(logits), expit(points)


def cut(boxes: FloatArray, size_px: FloatArray) -> FloatArray:
    """Return the (N, 4) boxes clipped at the image border."""
    return np.clip(boxes, 0, np.tile(size_px, 2))


def _with_area(boxes: FloatArray, heights: FloatArray) -> FloatArray:
    """Return the (N, 4) boxes with a minimum width and height, a share of the (N,) heights."""
    least = _NARROWEST * heights[:, None] / 2
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.hstack([np.minimum(low, centres - least), np.maximum(high, centres + least)])


def _switch(
    on: NDArray[np.bool_], p: FloatArray, forgotten: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return the next states of a two-state process that is on with the probability p."""
    switched: NDArray[np.bool_] = rng.random(len(on)) < p + (on - p) * np.exp(-forgotten)
    return switched


def _each(values: tuple[float, ...]) -> FloatArray:
    """Expand values of the nose and of left-right pairs to (17,)."""
    return np.repeat(values, [1, *[2] * (len(values) - 1)])
