"""Skeletons as line segments on an image."""

import numpy as np

from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.poses import FloatArray
from poseflow_ros.ros.bridges.bridge import TrackedImage
from poseflow_ros.skeletons.table import SKELETONS


def skeleton_lines(
    image: TrackedImage, min_keypoint_score: float
) -> tuple[FloatArray, list[tuple[float, float, float]]]:
    """Return (S, 2, 2) ends of segments, pixels, and the (r, g, b) color of each, in [0, 1].

    Edges with a keypoint below the minimum score are left out.
    """
    segments, colors = [np.zeros((0, 2, 2))], list[tuple[float, float, float]]()
    skeleton = SKELETONS.get(image.frame.n_keypoints)
    edges = np.array(skeleton.edges if skeleton else [], np.int64).reshape(-1, 2)
    for row in image.confirmed.tolist():
        shown = (image.frame.scores[row][edges] >= min_keypoint_score).all(axis=1)
        segments.append(image.frame.keypoints[row][edges[shown]])
        colors += [track_color(int(image.frame.track_ids[row]))] * int(shown.sum())
    return np.concatenate(segments), colors
