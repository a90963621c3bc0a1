"""What is drawn in 3D for tracked people, before it becomes messages."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.lens import Lens

# Sizes for a person of typical height. On the plane they are scaled with the person's size, so
# that near and far people look alike.
_LINE_WIDTH_M, _JOINT_SIZE_M, _LABEL_SIZE_M = 0.03, 0.06, 0.15
_USUAL_HEIGHT_M = 1.7
_LEAST_SCALE = 0.01  # RViz does not show markers of size 0


@dataclass(frozen=True, slots=True, eq=False)
class MarkerShape:
    """One marker.

    Attributes:
        namespace: "skeleton" (a line for each two points), "joints" (spheres) or "labels" (the
            track id as text).
        track_id: of the person.
        points: (M, 3) metres, one or more; one for a label.
        size_m: width of the lines, diameter of the spheres or height of the text, metres.
    """

    namespace: str
    track_id: int
    points: FloatArray
    size_m: float


class MarkerShapes:
    """Makes the markers of one camera's people and keeps track of those that are shown."""

    def __init__(
        self, skeleton: Skeleton, min_keypoint_score: float, depth_m: float, up: FloatArray
    ) -> None:
        """Make shapes.

        Args:
            skeleton: of the people.
            min_keypoint_score: in [0, 1]; keypoints below it are not drawn.
            depth_m: distance of the plane on which people without depth are drawn, metres.
            up: (3,) the image's upward direction in the camera's optical frame.
        """
        self._up = up
        self._edges = np.array(skeleton.edges)
        self.min_keypoint_score = min_keypoint_score
        self.depth_m = depth_m
        self._shown: set[tuple[str, int]] = set()

    def on_plane(self, tracked: TrackedPoses, lens: Lens) -> list[MarkerShape]:
        """Return the markers of all visible people on a plane before the camera.

        Args:
            tracked: the people.
            lens: of the camera.
        """
        points = lens.on_plane(tracked.poses.keypoints, self.depth_m)
        boxes, up = tracked.poses.boxes, self._up[:2]
        # The middle of a box, and its upper end: up is along one of its sides.
        middles, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        tops = lens.on_plane(middles + halves * up, self.depth_m)
        heights = 2 * halves @ np.abs(up) * self.depth_m / (np.abs(up) @ (lens.fx, lens.fy))
        scales = np.maximum(heights / _USUAL_HEIGHT_M, _LEAST_SCALE)
        labels = tops + scales[:, None] * _LABEL_SIZE_M * self._up
        return self._shapes(tracked, points, labels, scales)

    def in_3d(
        self, tracked: TrackedPoses, points: FloatArray, up: FloatArray
    ) -> list[MarkerShape]:
        """Return the markers of all visible people at their 3D positions.

        Args:
            tracked: the people.
            points: (N, K, 3) their keypoints, metres, NaN where unknown.
            up: (3,) the image's upward direction in the frame of the points.
        """
        heights = np.where(self._drawn(tracked, points), points @ up, -np.inf)
        tops = points[np.arange(len(tracked)), heights.argmax(axis=1)] + _LABEL_SIZE_M * up
        tops[np.isneginf(heights).all(axis=1)] = np.nan
        return self._shapes(tracked, points, tops, np.ones(len(tracked)))

    def replace_shown(self, shapes: list[MarkerShape]) -> list[tuple[str, int]]:
        """Note that these are shown; return namespace and track id of what is no longer shown."""
        now = {(shape.namespace, shape.track_id) for shape in shapes}
        gone, self._shown = sorted(self._shown - now), now
        return gone

    def _drawn(self, tracked: TrackedPoses, points: FloatArray) -> NDArray[np.bool_]:
        """Return (N, K), true for keypoints that are drawn."""
        found = tracked.poses.keypoint_scores >= self.min_keypoint_score
        return np.asarray(found & np.isfinite(points).all(axis=2))

    def _shapes(
        self, tracked: TrackedPoses, points: FloatArray, labels: FloatArray, scales: FloatArray
    ) -> list[MarkerShape]:
        """Return the markers; (N, K, 3) points and (N, 3) labels in metres, NaN where unknown.

        The (N,) scales are factors of the marker sizes.
        """
        shapes: list[MarkerShape] = []
        drawn = self._drawn(tracked, points)
        for i in np.flatnonzero(tracked.visible):
            track_id, scale = int(tracked.track_ids[i]), float(scales[i])
            edges = self._edges[drawn[i][self._edges].all(axis=1)]
            lines, joints = points[i][edges.ravel()], points[i][drawn[i]]
            place = labels[i : i + 1][np.isfinite(labels[i : i + 1]).all(axis=1)]
            shapes += [
                MarkerShape("skeleton", track_id, lines, scale * _LINE_WIDTH_M),
                MarkerShape("joints", track_id, joints, scale * _JOINT_SIZE_M),
                MarkerShape("labels", track_id, place, scale * _LABEL_SIZE_M),
            ]
        # RViz logs an error for a list without points.
        return [shape for shape in shapes if len(shape.points)]
