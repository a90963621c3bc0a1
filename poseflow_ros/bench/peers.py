"""Other trackers, from the package `trackers`, on the same boxes and scores, without images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from inspect import signature
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.lanes import Lanes
from poseflow_ros.bench.metrics import Score
from poseflow_ros.bench.observation import Observation
from poseflow_ros.bench.trial import Trial
from poseflow_ros.poses import FloatArray

DEFAULT_MEMORY_S = 1.0  # default of the package: 30 frames at 30 Hz
_MAX_MEMORY_S = 3600
_BUFFER_RATE_HZ = 30.0  # the package counts `lost_track_buffer` in frames of this rate
_HIGH, _START = "high_conf_det_threshold", "track_activation_threshold"


@dataclass(frozen=True, slots=True)
class Peer:
    """A tracker of the package.

    Attributes:
        class_name: its class there.
        score_thresholds: parameters that are compared with the score of a detection, in the order
            of their values: a detection below an earlier one never reaches a later one.
        iou_thresholds: parameters that are compared with IoU times score.
    """

    class_name: str
    score_thresholds: tuple[str, ...]
    iou_thresholds: tuple[str, ...] = ()

    def defaults(self, names: Sequence[str]) -> dict[str, float]:
        """Return the package's default of each parameter."""
        parameters = signature(self._class()).parameters
        return {name: float(parameters[name].default) for name in names}

    def make(self, rate_hz: float, memory_s: float, thresholds: Mapping[str, float]) -> Any:
        """Return a fresh tracker of the package.

        Args:
            rate_hz: frames per second.
            memory_s: how long a track that is not detected is kept. The package takes frames at
                30 Hz and scales them to `rate_hz` itself.
            thresholds: parameter -> value; the others keep the package's defaults.
        """
        buffer = round(_BUFFER_RATE_HZ * memory_s)
        return self._class()(lost_track_buffer=buffer, frame_rate=rate_hz, **thresholds)

    def _class(self) -> Any:
        import trackers

        return getattr(trackers, self.class_name)


PEERS = {
    "SORT": Peer("SORTTracker", (_START,)),
    "ByteTrack": Peer("ByteTrackTracker", (_HIGH, _START)),
    "OC-SORT": Peer("OCSORTTracker", (_HIGH,)),
    "C-BIoU": Peer(
        "CBIoUTracker",
        (_HIGH, _START),
        ("minimum_iou_threshold_first_assoc", "minimum_iou_threshold_unconfirmed_assoc"),
    ),
}


@dataclass(frozen=True, slots=True)
class PeerSequence:
    """The input of the peers for one sequence.

    Attributes:
        observations: its frames.
        rate_hz: frames per second.
        partial: as in `Trial`.
    """

    observations: Sequence[Observation]
    rate_hz: float
    partial: bool = False


def require_peers(memory_s: float) -> str:
    """Return the package's name and version.

    Raises:
        BenchError: the package is missing or too old, or the memory is out of its range.
    """
    if not 0 <= memory_s <= _MAX_MEMORY_S:
        raise BenchError(f"peer-memory is {memory_s:g} s, must be from 0 to {_MAX_MEMORY_S}")
    try:
        import supervision  # noqa: F401
        import trackers
    except ImportError as error:
        raise BenchError(f"the peers need the packages trackers and supervision ({error}): "
                         "pip install trackers supervision") from error  # fmt: skip
    found = f"trackers {version('trackers')}"
    for peer in PEERS.values():
        if not hasattr(trackers, peer.class_name):
            raise BenchError(f"{found} has no {peer.class_name}: pip install 'trackers>=2.6'")
    return found


def replay(
    peer: Peer,
    sequences: Sequence[PeerSequence],
    memory_s: float,
    thresholds: Mapping[str, float],
    with_lanes: bool = False,
) -> list[Trial]:
    """Return the trial of the peer on each sequence, with a fresh tracker for each."""
    trials = []
    for sequence in sequences:
        trial = Trial(Score(), Lanes() if with_lanes else None, sequence.partial)
        tracker = peer.make(sequence.rate_hz, memory_s, thresholds)
        for observation, detections in _with_detections(sequence.observations):
            start = perf_counter()
            found = tracker.update(detections)
            trial.add_time(perf_counter() - start)
            known = found.tracker_id >= 0  # others are not confirmed
            # Ids from 1, like ours.
            ids, boxes = found.tracker_id[known] + 1, found.xyxy[known]
            trial.add_found(observation.truth_ids, observation.truth_boxes, ids, boxes)
        trials.append(trial)
    return trials


def _with_detections(observations: Sequence[Observation]) -> Iterator[tuple[Observation, Any]]:
    """Yield each observation with the input of the package's trackers."""
    import supervision

    for observation in observations:
        usable = _usable(observation.boxes, observation.scores)
        # In double precision: a score equal to a threshold passes it.
        yield (
            observation,
            supervision.Detections(
                xyxy=observation.boxes[usable], confidence=observation.scores[usable]
            ),
        )


def _usable(boxes: FloatArray, scores: FloatArray) -> NDArray[np.bool_]:
    """Return (N,), true where score and box are finite and the box has an area."""
    usable = np.isfinite(scores) & np.isfinite(boxes).all(axis=1)
    return usable & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
