"""People made by hand, for the stories of the other files."""

import numpy as np

from poseflow_ros.poses import Poses

NO_MATCHES = np.zeros((0, 4))

# COCO order, in heights of the person: x to the right of the middle, y below the top.
_STANDING = np.array(
    [
        *((0.0, 0.08), (0.02, 0.06), (-0.02, 0.06), (0.04, 0.07), (-0.04, 0.07)),
        *((0.12, 0.2), (-0.12, 0.2), (0.16, 0.36), (-0.16, 0.36), (0.17, 0.5), (-0.17, 0.5)),
        *((0.08, 0.52), (-0.08, 0.52), (0.08, 0.75), (-0.08, 0.75), (0.08, 0.98), (-0.08, 0.98)),
    ]
)


def make_person(x, y, height, score=0.9):
    """Return the poses of one standing person, the middle at `x`, the top at `y`."""
    box = [x - 0.2 * height, y, x + 0.2 * height, y + height]
    keypoints = np.array([x, y]) + height * _STANDING
    return Poses(keypoints[None], np.full((1, 17), 0.8), np.array([box]), np.array([score]))


def together(*people):
    """Return the poses of all these people; of nobody where there are none."""
    if not people:
        return Poses.empty(17)
    return Poses(
        np.concatenate([p.keypoints for p in people]),
        np.concatenate([p.keypoint_scores for p in people]),
        np.concatenate([p.boxes for p in people]),
        np.concatenate([p.scores for p in people]),
    )


def matches_between(before, after):
    """Return correspondences that lead from every keypoint to the same one of the same person."""
    return np.hstack([before.keypoints.reshape(-1, 2), after.keypoints.reshape(-1, 2)])
