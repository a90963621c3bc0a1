"""Estimation of the camera motion from people alone, without images.

If the camera turns, all people are displaced by about the same. The displacement that explains
most tracks is found by voting (as in a Hough transform) and refined to a similarity transform.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.camera_motion import CameraMotion

_MIN_TRACKS = 3
# A displacement explains a track if a detection is close to it (standard deviation in body scales)
# and has a similar size (natural logarithm of the ratio).
_TOLERANCE = 0.12
_SAME_SIZE = 0.35
# The camera is still unless a displacement explains this share of the tracks, and one track more
# than no displacement does. No displacement is searched if zero displacement explains this share.
_MIN_SHARE = 0.4
_MIN_GAIN = 1.0
_STILL_SHARE = 0.85
# Maximum numbers of tracks that vote, of tracks that propose displacements, and of the detections
# that each proposes.
_MAX_VOTERS = 32
_MAX_PROPOSERS = 8
_NEAREST = 6
# Pairs with a lower vote are excluded from the fit. A prior pulls the fit to a pure displacement
# with the weight of a pair this many body scales from the centre.
_LEAST_VOTE = 0.3
_RIGID_SCALES = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """Agreement of displacements with tracks.

    Attributes:
        votes: (S, V) in [0, 1], of V tracks for S displacements.
        partners: (S, V) index of the detection that each track would be assigned.
    """

    votes: FloatArray
    partners: IntArray


def estimate_common_motion(
    positions: FloatArray,
    scales: FloatArray,
    detections: FloatArray,
    detection_scales: FloatArray,
    last_displacement: FloatArray,
) -> CameraMotion | None:
    """Return the common motion of most people.

    Args:
        positions: (M, 2) pixels, predicted positions of recently observed tracks.
        scales: (M,) pixels, body scales of the tracks.
        detections: (N, 2) pixels, positions of the detections.
        detection_scales: (N,) pixels, body scales of the detections.
        last_displacement: (2,) pixels, displacement of the image if the camera motion continues.

    Returns:
        None if a still camera explains the detections as well.
    """
    if min(len(positions), len(detections)) < _MIN_TRACKS:
        return None
    voters = np.linspace(0, len(positions) - 1, min(len(positions), _MAX_VOTERS)).astype(int)
    positions, scales = positions[voters], scales[voters]
    apart = detections - positions[:, None]
    comparable = np.abs(np.log(detection_scales / scales[:, None])) < _SAME_SIZE
    still = float(_vote(np.zeros((1, 2)), apart, comparable, scales).votes.sum())
    if still >= _STILL_SHARE * len(voters):
        return None
    displacements = np.vstack([last_displacement, _proposals(apart, comparable)])
    result = _vote(displacements, apart, comparable, scales)
    totals = result.votes.sum(axis=1)
    # Among equal displacements prefer the one that continues the last motion.
    best = int(np.lexsort([np.hypot(*(displacements - last_displacement).T), -totals.round(6)])[0])
    if totals[best] < max(_MIN_SHARE * len(voters), still + _MIN_GAIN):
        return None
    partners = detections[result.partners[best]]
    return _fit(positions, partners, result.votes[best], float(np.median(scales)))


def _proposals(apart: FloatArray, comparable: NDArray[np.bool_]) -> FloatArray:
    """Return (S, 2) displacements from some tracks to their nearest detections."""
    chosen = np.linspace(0, len(apart) - 1, min(len(apart), _MAX_PROPOSERS)).astype(int)
    distances = np.where(comparable, (apart * apart).sum(axis=2), np.inf)[chosen]
    nearest = np.argsort(distances, axis=1)[:, :_NEAREST]
    possible = np.isfinite(np.take_along_axis(distances, nearest, axis=1))
    proposals: FloatArray = apart[chosen[:, None], nearest][possible]
    return proposals


def _vote(
    displacements: FloatArray, apart: FloatArray, comparable: NDArray[np.bool_], scales: FloatArray
) -> _Votes:
    """Return the votes for (S, 2) displacements, from (V, N, 2) offsets of the detections."""
    dx = apart[..., 0] - displacements[:, None, None, 0]
    dy = apart[..., 1] - displacements[:, None, None, 1]
    distances = np.where(comparable, dx * dx + dy * dy, np.inf)
    nearest = distances.min(axis=2) / (_TOLERANCE * scales) ** 2
    return _Votes(np.exp(-nearest / 2), distances.argmin(axis=2))


def _fit(before: FloatArray, now: FloatArray, votes: FloatArray, scale: float) -> CameraMotion:
    """Return the weighted least-squares similarity transform (Umeyama, PAMI 13, 1991)."""
    weights = np.where(votes >= _LEAST_VOTE, votes, 0.0)
    weights /= weights.sum()
    # With points as complex numbers, a similarity transform is a z + b.
    p, q = before[:, 0] + 1j * before[:, 1], now[:, 0] + 1j * now[:, 1]
    p_mean, q_mean = (weights * p).sum(), (weights * q).sum()
    rigid = (_RIGID_SCALES * scale) ** 2 / np.count_nonzero(weights)
    spread = (weights * np.abs(p - p_mean) ** 2).sum()
    turn = ((weights * (q - q_mean) * (p - p_mean).conj()).sum() + rigid) / (spread + rigid)
    shift = q_mean - turn * p_mean
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return CameraMotion(linear, np.array([shift.real, shift.imag]))
