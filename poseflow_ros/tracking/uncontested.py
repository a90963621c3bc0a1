"""Pairs of a track and a detection that no other track or detection contests.

A sudden motion of a person or of the camera can exceed the gate of the motion model. If a recently
observed track has no detection, a detection has no track, and no other person is near either, they
are paired without the motion model.
"""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.appearance_likelihood import AppearanceLikelihood
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.robust_tracks import RobustTracks

# Maximum distance of the pair, and minimum distance of all other people, in body scales.
_REACH = 1.0
_ALONE = 0.5
# Maximum difference of their sizes (natural logarithm of the ratio), and minimum log-likelihood
# ratio of the appearance, where it is known.
_SAME_SIZE = 0.25
_LEAST_APPEARANCE = -1.0


def uncontested_pairs(
    tracks: RobustTracks,
    recent: NDArray[np.bool_],
    detections: Detections,
    confident: NDArray[np.bool_],
    assigned: IntArray,
    appearance: AppearanceLikelihood,
) -> IntArray:
    """Return the (P, 2) rows and columns of uncontested pairs.

    Args:
        tracks: M tracks, predicted.
        recent: (M,) true for confirmed tracks that were observed recently.
        detections: N detections.
        confident: (N,) true for detections that may be paired.
        assigned: (Q, 2) rows and columns of assigned pairs.
        appearance: the constants of the appearance model.
    """
    rows, columns = assigned.T
    missing = recent.copy()
    missing[rows] = False
    free = confident & ~detections.duplicates[:, columns].any(axis=1)
    free[columns] = False
    i, j = np.flatnonzero(missing), np.flatnonzero(free)
    if not len(i) or not len(j):
        return np.zeros((0, 2), np.int64)
    others = detections.anchors[columns]
    i = i[_alone(tracks.motion.positions[i], tracks.scales[i], others)]
    j = j[_alone(detections.anchors[j], detections.scales[j], others)]
    near = _near(tracks, i, detections, j)
    near &= (near.sum(axis=0) == 1) & (near.sum(axis=1) == 1)[:, None]
    a, b = np.nonzero(near)
    rows, columns = i[a], j[b]
    alike = appearance.ratios(tracks, rows, detections.appearances[columns]) > _LEAST_APPEARANCE
    return np.stack([rows[alike], columns[alike]], axis=1)


def _alone(positions: FloatArray, scales: FloatArray, others: FloatArray) -> NDArray[np.bool_]:
    """Return (P,), true for (P, 2) positions without any of (Q, 2) other positions nearby."""
    distances = _distances(positions, others).min(axis=1, initial=np.inf)
    alone: NDArray[np.bool_] = distances >= _ALONE * scales
    return alone


def _near(
    tracks: RobustTracks, i: IntArray, detections: Detections, j: IntArray
) -> NDArray[np.bool_]:
    """Return (P, Q), true if rows `i` and columns `j` agree in position and size.

    The position is the predicted one or the last observed one, whichever is nearer.
    """
    anchors, scales = detections.anchors[j], tracks.scales[i][:, None]
    expected = _distances(tracks.motion.positions[i], anchors)
    last = _distances(tracks.moved_anchors[i], anchors)
    same_size = np.abs(np.log(detections.scales[j] / scales)) < _SAME_SIZE
    return (np.minimum(expected, last) < _REACH * scales) & same_size


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the (P, Q) distances of (P, 2) and (Q, 2) points, pixels."""
    dx = a[:, None, 0] - b[:, 0]
    dy = a[:, None, 1] - b[:, 1]
    return np.sqrt(dx * dx + dy * dy)
