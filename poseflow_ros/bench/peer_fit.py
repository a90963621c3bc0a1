"""Fitting of the peers' thresholds to the detector, in favour of the peers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from tqdm import tqdm

from poseflow_ros.bench.peers import PEERS, Peer, PeerSequence, replay
from poseflow_ros.bench.trial import Trial, figures
from poseflow_ros.poses import FloatArray

_QUANTILES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8)
_IOU_FACTORS = (0.5, 0.25)

Thresholds = dict[str, float]
"""Parameter of a peer -> value."""


@dataclass(frozen=True, slots=True)
class PeerResult:
    """The results of a peer.

    Attributes:
        thresholds: the fitted ones.
        trials: one for each sequence.
    """

    thresholds: Thresholds
    trials: list[Trial]


def run_peers(
    sequences: Sequence[PeerSequence], memory_s: float, with_lanes: bool = False
) -> dict[str, PeerResult]:
    """Return the results of every peer, with thresholds fitted to the sequences.

    Args:
        sequences: scored together.
        memory_s: how long a peer keeps a track without detections.
        with_lanes: whether the trials collect lanes too.
    """
    results = {}
    for name, peer in PEERS.items():
        thresholds = fit(peer, sequences, memory_s, f"fit {name}")
        trials = replay(peer, sequences, memory_s, thresholds, with_lanes)
        results[name] = PeerResult(thresholds, trials)
    return results


def fit(
    peer: Peer, sequences: Sequence[PeerSequence], memory_s: float, description: str = ""
) -> Thresholds:
    """Return the thresholds with the best HOTA on these sequences; IDF1 breaks ties.

    Those on scores are fitted first, then those on IoU times score.
    """

    def quality(thresholds: Thresholds) -> tuple[float, float]:
        values = figures(replay(peer, sequences, memory_s, thresholds))
        return values["HOTA"], values["IDF1"]

    scores = np.concatenate([o.scores for s in sequences for o in s.observations])
    best = _best(score_candidates(peer, scores), quality, description)
    if not peer.iou_thresholds:
        return best
    return _best([best | iou for iou in iou_candidates(peer)], quality, description)


def score_candidates(peer: Peer, scores: FloatArray) -> list[Thresholds]:
    """Return the thresholds on scores to try: the package's defaults, then quantiles.

    Args:
        peer: whose thresholds.
        scores: (N,) in [0, 1], of all detections; scores that are not finite are ignored.
    """
    names, finite = peer.score_thresholds, scores[np.isfinite(scores)]
    quantiles = np.quantile(finite, _QUANTILES) if len(finite) else np.zeros(1)
    # Rounded down: the lowest score passes the lowest threshold.
    levels = np.unique(np.floor(1e3 * quantiles) / 1e3).tolist()
    rising = combinations_with_replacement(levels, len(names))
    return [peer.defaults(names), *(dict(zip(names, values, strict=True)) for values in rising)]


def iou_candidates(peer: Peer) -> list[Thresholds]:
    """Return the thresholds on IoU times score to try: the package's defaults, then lower ones."""
    defaults = peer.defaults(peer.iou_thresholds)
    lower = ({name: f * value for name, value in defaults.items()} for f in _IOU_FACTORS)
    return [defaults, *lower]


def _best(
    candidates: list[Thresholds],
    quality: Callable[[Thresholds], tuple[float, float]],
    description: str,
) -> Thresholds:
    """Return the first of the best candidates."""
    return max(tqdm(candidates, desc=description, disable=None), key=quality)
