"""Log-likelihood ratios of appearances."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.robust_tracks import RobustTracks

_MIN_DISTANCE = 1e-3


@dataclass(frozen=True, slots=True)
class AppearanceLikelihood:
    """Distribution of the distances between appearances, of one person and of different people.

    The appearance model provides the constants. The log-likelihood ratio of an appearance is
    weight * ln(typical / distance), with the distance 1 - cosine. The typical distance of a
    person is the geometric mean of the distances to all other people: a striped shirt that nobody
    else wears is more distinctive than a dark coat.

    Attributes:
        weight: factor of the logarithm.
        max_ratio: maximum absolute value of the log-likelihood ratio.
        min_hits: minimum number of independent observations of a track that is compared.
        typical_distance: geometric mean of the distances between different people.
        prior_people: number of people at `typical_distance` that is added to the known people.
        max_distinctiveness: maximum typical distance of a person, relative to
            `typical_distance`.
    """

    weight: float
    max_ratio: float
    min_hits: float
    typical_distance: float
    prior_people: int
    max_distinctiveness: float

    def ratios(self, tracks: RobustTracks, i: IntArray, appearances: FloatArray) -> FloatArray:
        """Return (P,) log-likelihood ratios of (P, D) appearances being those of tracks `i`.

        0 if either appearance is unknown.
        """
        if not appearances.shape[1]:
            return np.zeros(len(i))
        known = (tracks.appearance_hits[i] >= self.min_hits) & appearances.any(axis=1)
        learned = tracks.appearances[i]
        lengths = np.linalg.norm(learned, axis=1) + 1e-9
        distances = 1 - (learned * appearances).sum(axis=1) / lengths
        ratio = self._typical_logs(tracks)[i] - np.log(np.maximum(distances, _MIN_DISTANCE))
        ratio *= self.weight
        return np.where(known, ratio.clip(-self.max_ratio, self.max_ratio), 0.0)

    def _typical_logs(self, tracks: RobustTracks) -> FloatArray:
        """Return (M,) natural logarithms of the typical distance of each track."""
        logs = np.full(len(tracks), np.log(self.typical_distance))
        known = tracks.confirmed & (tracks.appearance_hits >= self.min_hits)
        n_others = np.count_nonzero(known) - 1
        if n_others < 1:
            return logs
        learned = tracks.appearances[known]
        learned = learned / (np.linalg.norm(learned, axis=1, keepdims=True) + 1e-9)
        distances = np.log(np.maximum(1 - learned @ learned.T, _MIN_DISTANCE))
        np.fill_diagonal(distances, 0.0)
        total = self.prior_people * logs[known] + distances.sum(axis=1)
        most = logs[known] + np.log(self.max_distinctiveness)
        logs[known] = np.minimum(total / (self.prior_people + n_others), most)
        return logs


NOT_COMPARED = AppearanceLikelihood(
    weight=0.0,
    max_ratio=0.0,
    min_hits=1.0,
    typical_distance=1.0,
    prior_people=1,
    max_distinctiveness=1.0,
)
"""Constants with which appearances have no effect."""
