"""How the image moved because the camera did, judged by the people alone.

Without images, or where the background shows nothing to follow, everybody is displaced by about
the same if the camera turns. The displacement that explains most tracks
is found by voting (as in a Hough transform) and refined to a similarity transform.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.camera_motion import CameraMotion

_MIN_TRACKS = 3
# A displacement explains a track if a detection is this near (standard deviation, body scales)
# and of a similar size (natural logarithm of the ratio).
_TOLERANCE = 0.12
_SAME_SIZE = 0.35
# The camera stands still where no displacement explains this share of the tracks, or one track
# more than none does; displacements are not looked for where none explains this share.
_MIN_SHARE = 0.4
_MIN_GAIN = 1.0
_STILL_SHARE = 0.85
# Only so many tracks vote, and only the nearest detections of so many propose displacements.
_MAX_VOTERS = 32
_MAX_PROPOSERS = 8
_NEAREST = 6
# Pairs that vote less than this do not count for the fit, which is drawn to a pure displacement
# by a weight equal to that of a pair this many body scales from the middle.
_LEAST_VOTE = 0.3
_RIGID_SCALES = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """How well displacements explain tracks.

    Attributes:
        votes: (S, V) in [0, 1], of S displacements and V tracks.
        partners: (S, V) the detection that each track would have.
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
    """Return the motion that most people have in common.

    Args:
        positions: (M, 2) pixels, where recently observed people are expected.
        scales: (M,) pixels, their body scales.
        detections: (N, 2) pixels, where people are found.
        detection_scales: (N,) pixels, their body scales.
        last_displacement: (2,) pixels by which the image would move if the camera went on.

    Returns:
        None where the people are better explained by a camera that stands still.
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
    # Of those that explain as much, the one that goes on as before.
    best = int(np.lexsort([np.hypot(*(displacements - last_displacement).T), -totals.round(6)])[0])
    if totals[best] < max(_MIN_SHARE * len(voters), still + _MIN_GAIN):
        return None
    partners = detections[result.partners[best]]
    return _fit(positions, partners, result.votes[best], float(np.median(scales)))


def _proposals(apart: FloatArray, comparable: NDArray[np.bool_]) -> FloatArray:
    """Return (S, 2) displacements of some tracks to their nearest detections."""
    chosen = np.linspace(0, len(apart) - 1, min(len(apart), _MAX_PROPOSERS)).astype(int)
    distances = np.where(comparable, (apart * apart).sum(axis=2), np.inf)[chosen]
    nearest = np.argsort(distances, axis=1)[:, :_NEAREST]
    possible = np.isfinite(np.take_along_axis(distances, nearest, axis=1))
    proposals: FloatArray = apart[chosen[:, None], nearest][possible]
    return proposals


def _vote(
    displacements: FloatArray, apart: FloatArray, comparable: NDArray[np.bool_], scales: FloatArray
) -> _Votes:
    """Return the votes for (S, 2) displacements by (V, N, 2) offsets of detections to tracks."""
    dx = apart[..., 0] - displacements[:, None, None, 0]
    dy = apart[..., 1] - displacements[:, None, None, 1]
    distances = np.where(comparable, dx * dx + dy * dy, np.inf)
    nearest = distances.min(axis=2) / (_TOLERANCE * scales) ** 2
    return _Votes(np.exp(-nearest / 2), distances.argmin(axis=2))


def _fit(before: FloatArray, now: FloatArray, votes: FloatArray, scale: float) -> CameraMotion:
    """Return the similarity transform of weighted least squares (Umeyama, PAMI 13, 1991)."""
    weights = np.where(votes >= _LEAST_VOTE, votes, 0.0)
    weights /= weights.sum()
    # As complex numbers, a similarity transform is a product and a sum.
    p, q = before[:, 0] + 1j * before[:, 1], now[:, 0] + 1j * now[:, 1]
    p_mean, q_mean = (weights * p).sum(), (weights * q).sum()
    rigid = (_RIGID_SCALES * scale) ** 2 / np.count_nonzero(weights)
    spread = (weights * np.abs(p - p_mean) ** 2).sum()
    turn = ((weights * (q - q_mean) * (p - p_mean).conj()).sum() + rigid) / (spread + rigid)
    shift = q_mean - turn * p_mean
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return CameraMotion(linear, np.array([shift.real, shift.imag]))
