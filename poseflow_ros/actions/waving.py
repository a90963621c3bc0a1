"""Waving: a raised forearm that swings sideways."""

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.body import ELBOWS, WRISTS
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.history import PoseHistory
from poseflow_ros.poses import FloatArray, IntArray

_RATE_HZ = 30.0
_MIN_OBSERVED = 0.7
_MIN_RAISED = 0.7
BoolArray = NDArray[np.bool_]


class WavingDetector:
    """Counts the swings of each wrist about its elbow in the last `waving_window_s`."""

    def __init__(self, origin_s: float, config: BehaviorsConfig) -> None:
        self._config = config
        self._n_samples = max(2, round(config.waving_window_s * _RATE_HZ))
        self._history = PoseHistory(
            origin_s,
            rate_hz=_RATE_HZ,
            length=self._n_samples,
            max_gap_s=config.max_interpolation_s,
            n_rows=config.max_people,
        )

    def update(
        self, rows: IntArray, new: BoolArray, people: PoseFrame, scales: FloatArray
    ) -> IntArray:
        """Return (N, 2) the number of swings of the left and the right wrist.

        A swing is a crossing of the mean position between two excursions of `waving_amplitude`.
        It counts only if the wrist is above the elbow, and moves more sideways than up and down.

        Args:
            rows: (N,).
            new: (N,) whether the row has a new owner.
            people: N, at least one, all observed.
            scales: (N,) pixels, NaN where unknown.
        """
        newest = self._history.advance(people.stamp_s)
        swings = np.zeros((len(people), 2), np.int64)
        offsets = people.keypoints[:, WRISTS] - people.keypoints[:, ELBOWS]
        scores = np.minimum(people.scores[:, WRISTS], people.scores[:, ELBOWS])
        self._history.add(rows, new, np.concatenate([offsets, scores[..., None]], axis=2))
        raised = (offsets[..., 1] < 0.0).any(axis=1)
        samples, _ = self._history.samples(rows[raised], newest, self._n_samples)
        known = samples[..., 2] >= self._config.min_keypoint_score
        amplitudes = self._config.waving_amplitude * scales[raised]
        swings[raised] = _swings(samples[..., :2], known, amplitudes)
        return swings


def _swings(offsets: NDArray[np.float32], known: BoolArray, amplitudes: FloatArray) -> IntArray:
    """Return (N, 2) the swings of (N, T, 2 arms, x and y) offsets of the wrist from the elbow.

    Args:
        offsets: pixels.
        known: (N, T, 2) which of them are known.
        amplitudes: (N,) pixels, NaN where unknown.
    """
    counts = known.sum(axis=1)
    filled = np.where(known[..., None], offsets, 0.0)
    means = filled.sum(axis=1) / np.maximum(counts, 1)[..., None]
    centered = np.where(known[..., None], filled - means[:, None], 0.0)
    spread = np.einsum("ntac,ntac->nac", centered, centered)
    sideways = spread[..., 0] > spread[..., 1]
    raised = (filled[..., 1] < 0.0).sum(axis=1) >= _MIN_RAISED * counts
    enough = counts >= _MIN_OBSERVED * offsets.shape[1]
    swings = _sign_changes(centered[..., 0], amplitudes[:, None, None])
    return np.where(sideways & raised & enough, swings, 0)


def _sign_changes(values: FloatArray, amplitudes: FloatArray) -> IntArray:
    """Return (N, 2) how often (N, T, 2) values change between beyond + and beyond - amplitude."""
    n, n_samples, n_arms = values.shape
    signs = ((values > amplitudes).astype(np.int8) - (values < -amplitudes)).transpose(0, 2, 1)
    flat = signs.ravel()
    beyond = np.flatnonzero(flat)
    arms, sides = beyond // n_samples, flat[beyond]
    changed = (sides[1:] != sides[:-1]) & (arms[1:] == arms[:-1])
    changes: IntArray = np.bincount(arms[1:][changed], minlength=n * n_arms)
    return changes.reshape(n, n_arms)
