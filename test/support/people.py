"""Generated people for tests."""

from dataclasses import replace

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


# COCO's indices of what bends with the hips and of what is below them.
_ABOVE_HIPS, _BELOW_HIPS = slice(0, 11), slice(13, 17)
_HIPS = np.array([0.0, 0.52])


def make_person(x, y, height, score=0.9, keypoint_score=0.8):
    """Return the poses of one standing person, the middle at `x`, the top at `y`."""
    box = [x - 0.2 * height, y, x + 0.2 * height, y + height]
    keypoints = np.array([x, y]) + height * _STANDING
    scores = np.full((1, 17), keypoint_score)
    return Poses(keypoints[None], scores, np.array([box]), np.array([score]))


def make_bent_person(x, y, height, degrees):
    """Return somebody seen from the side, as high as in `make_person`, bent at the hips.

    The box is that of the keypoints and 0.03 heights more. At 120 degrees it is little more than
    half as high as at 0.
    """
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    body = _STANDING * np.array([0.3, 1.0])
    body[_ABOVE_HIPS] = _HIPS + (body[_ABOVE_HIPS] - _HIPS) @ rotation
    keypoints = np.array([x, y]) + height * body
    margin = 0.03 * height
    box = [*(keypoints.min(axis=0) - margin), *(keypoints.max(axis=0) + margin)]
    return Poses(keypoints[None], np.full((1, 17), 0.8), np.array([box]), np.array([0.9]))


def without_legs(person, visible=0.6):
    """Return the person with legs outside the image: the upper part of the box is left."""
    x1, y1, x2, y2 = person.boxes[0]
    scores = person.keypoint_scores.copy()
    scores[:, _BELOW_HIPS] = 0.05
    box = np.array([[x1, y1, x2, y1 + visible * (y2 - y1)]])
    return replace(person, keypoint_scores=scores, boxes=box)


def together(*people):
    """Return the poses of all these people; empty if there are none."""
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


def cut_at(person, bottom):
    """Return what is found of a person whose part below `bottom`, pixels, is outside the image.

    Its keypoints are found at the border, with low scores.
    """
    outside = person.keypoints[..., 1] > bottom
    keypoints, boxes = person.keypoints.copy(), person.boxes.copy()
    keypoints[..., 1] = np.minimum(keypoints[..., 1], bottom)
    boxes[:, 3] = np.minimum(boxes[:, 3], bottom)
    scores = np.where(outside, 0.05, person.keypoint_scores)
    return replace(person, keypoints=keypoints, keypoint_scores=scores, boxes=boxes)
