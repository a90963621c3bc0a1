"""What the node does, counted and timed, as a diagnostics message (REP 107)."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

_WINDOW = 300  # frames that the percentiles are taken over
_LATEST = 5  # looks, a second apart, that the share of dropped images is taken over
_LOST = "lost on the way"


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds that one frame spent in each stage."""

    behind: float  # while other images are in work
    wait: float  # otherwise, from the callback to the worker
    convert: float
    estimate: float
    track: float
    publish: float

    @property
    def total(self) -> float:
        """From the callback to the last message out."""
        return self.behind + self.overhead + self.estimate + self.track

    @property
    def overhead(self) -> float:
        """What the node adds around estimator and tracker."""
        return self.wait + self.convert + self.publish


_STAGES = ("behind", "wait", "convert", "estimate", "track", "publish", "overhead", "total")


class FrameStatistics:
    """Counts and times frames; every method may be called by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._dropped: Counter[str] = Counter()
        self._stages: deque[Stages] = deque(maxlen=_WINDOW)
        self._received = self._processed = self._lost = self._people = 0
        self._dropped_since_last = 0
        self._last_received_s = monotonic()
        self._looked_at = (monotonic(), 0, 0)
        self._totals = deque([(0, Counter[str]())], maxlen=_LATEST + 1)

    def receive(self) -> None:
        """Count an image that arrived."""
        with self._lock:
            self._received += 1
            self._last_received_s = monotonic()

    def lose(self, n: int) -> None:
        """Count images that the transport lost: they never arrived."""
        with self._lock:
            self._lost += n

    def drop(self, reason: str) -> None:
        """Count an image that will not be answered."""
        with self._lock:
            self._dropped[reason] += 1
            self._dropped_since_last += 1

    def process(self, stages: Stages, people: int) -> None:
        """Count an image that was answered."""
        with self._lock:
            self._processed += 1
            self._people = people
            self._stages.append(stages)

    def take_dropped(self) -> int:
        """Return how many were dropped since this was last asked."""
        with self._lock:
            dropped, self._dropped_since_last = self._dropped_since_last, 0
        return dropped

    def silence_s(self) -> float:
        """Return the seconds since the last image, or since the start."""
        with self._lock:
            return monotonic() - self._last_received_s

    def restart_silence(self) -> None:
        """Begin to wait for an image now."""
        with self._lock:
            self._last_received_s = monotonic()

    def latency_s(self) -> float:
        """Return what an image in a hundred exceeds, seconds; 0 where there was none."""
        with self._lock:
            totals = [stages.total for stages in self._stages]
        return float(np.percentile(totals, 99)) if totals else 0.0

    def missing_lately(self) -> tuple[float, dict[str, int]]:
        """Return the share of images dropped or lost, and how many by reason, in latest looks."""
        with self._lock:
            missing = self._dropped + Counter({_LOST: self._lost})
            self._totals.append((self._processed, missing))
            processed, before = self._totals[0]
            lately = missing - before
            n_done = self._processed - processed + lately.total()
        return lately.total() / max(1, n_done), dict(lately)

    def values(self) -> dict[str, str]:
        """Return counts, rates since the last call, and percentiles of the latest frames."""
        with self._lock:
            now, (then, received, processed) = monotonic(), self._looked_at
            elapsed = max(now - then, 1e-3)
            self._looked_at = (now, self._received, self._processed)
            stages = list(self._stages)
            values = {
                "received": str(self._received),
                "processed": str(self._processed),
                "dropped": str(self._dropped.total()),
                _LOST: str(self._lost),
                **{f"dropped: {reason}": str(n) for reason, n in sorted(self._dropped.items())},
                "rate in (Hz)": f"{(self._received - received) / elapsed:.1f}",
                "rate out (Hz)": f"{(self._processed - processed) / elapsed:.1f}",
                "people": str(self._people),
            }
        for name in _STAGES if stages else ():
            p50, p99 = np.percentile([1e3 * getattr(s, name) for s in stages], [50, 99])
            values[f"{name} p50 (ms)"] = f"{p50:.2f}"
            values[f"{name} p99 (ms)"] = f"{p99:.2f}"
        return values


Worry = tuple[bytes, str]
"""A level of DiagnosticStatus, and in words what is wrong."""


def worry(value: float, warn: float, error: float, words: str) -> list[Worry]:
    """Return a worry where a value reaches the threshold of one."""
    if value >= error:
        return [(DiagnosticStatus.ERROR, words)]
    return [(DiagnosticStatus.WARN, words)] if value >= warn else []


def status(
    name: str, hardware_id: str, worries: Sequence[Worry], values: dict[str, str]
) -> DiagnosticStatus:
    """Return a status as bad as the worst worry, OK where there is none."""
    return DiagnosticStatus(
        level=max((level for level, _ in worries), default=DiagnosticStatus.OK),
        name=name,
        message="; ".join(words for _, words in worries) or "running",
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
