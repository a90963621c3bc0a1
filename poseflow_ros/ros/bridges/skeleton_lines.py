"""Skeletons as line segments on an image."""

from typing import Any

import numpy as np

from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.poses import FloatArray
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.skeletons.table import SKELETONS


def skeleton_lines(
    poses: ReceivedPoses, min_keypoint_score: float, make_color: Any
) -> tuple[FloatArray, list[Any]]:
    """Return (S, 2, 2) ends of segments, pixels, and the color of each.

    Args:
        poses: whose confirmed people are drawn.
        min_keypoint_score: edges with a keypoint below it are left out.
        make_color: makes a color of r, g, b and a, in [0, 1]; called once for each person.
    """
    segments, colors = [np.zeros((0, 2, 2))], list[Any]()
    skeleton = SKELETONS.get(poses.frame.n_keypoints)
    edges = np.array(skeleton.edges if skeleton else [], np.int64).reshape(-1, 2)
    for row in poses.confirmed.tolist():
        shown = (poses.frame.scores[row][edges] >= min_keypoint_score).all(axis=1)
        segments.append(poses.frame.keypoints[row][edges[shown]])
        r, g, b = track_color(int(poses.frame.track_ids[row]))
        colors += [make_color(r=r, g=g, b=b, a=1.0)] * int(shown.sum())
    return np.concatenate(segments), colors
