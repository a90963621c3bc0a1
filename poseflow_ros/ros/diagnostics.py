"""Counts and times of images, and diagnostics messages (REP 107)."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from poseflow_ros.estimation.guidance import Estimate

_WINDOW = 300  # frames that the percentiles are taken over
_LATEST = 5  # calls, a second apart, that the share of dropped images is taken over
_LOST = "lost on the way"


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds that one frame spent in each stage."""

    queueing: float  # while other images are processed
    wait: float  # otherwise, from the callback to the inference loop
    convert: float
    estimate: float
    track: float
    publish: float

    @property
    def total(self) -> float:
        """From the callback to the last message out."""
        return self.queueing + self.overhead + self.estimate + self.track

    @property
    def overhead(self) -> float:
        """What the node adds to estimator and tracker."""
        return self.wait + self.convert + self.publish


class StageTimer:
    """Measures the stages of one image, one after the other."""

    def __init__(self, received_s: float, idle_since_s: float) -> None:
        """Begin with the first stage of processing.

        Args:
            received_s: when the image was received, by `perf_counter`.
            idle_since_s: since when no other image is processed, likewise.
        """
        self.start()
        queueing_s = max(0.0, idle_since_s - received_s)
        wait_s = self._start_s - received_s - queueing_s
        self._seconds = {"queueing": queueing_s, "wait": wait_s}

    def start(self) -> None:
        """Begin a stage."""
        self._start_s = perf_counter()

    def finish(self, stage: str) -> None:
        """End a stage, and begin the next."""
        self._seconds[stage] = perf_counter() - self._start_s
        self.start()

    def stages(self, estimate_s: float) -> Stages:
        """Return all stages, once each is finished; the network's time is measured elsewhere."""
        return Stages(estimate=estimate_s, **self._seconds)


_STAGES = ("queueing", "wait", "convert", "estimate", "track", "publish", "overhead", "total")


class FrameStatistics:
    """Counts and times frames; every method may be called by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._dropped: Counter[str] = Counter()
        self._stages: deque[Stages] = deque(maxlen=_WINDOW)
        self._received = self._processed = self._lost = self._people = 0
        self._passes_left_out = self._not_looked_for = 0
        self._dropped_since_last = 0
        self._last_received_s = monotonic()
        self._last_call = (monotonic(), 0, 0)
        self._totals = deque([(0, Counter[str]())], maxlen=_LATEST + 1)

    def receive(self) -> None:
        """Count an image that was received."""
        with self._lock:
            self._received += 1
            self._last_received_s = monotonic()

    def count_lost(self, n: int) -> None:
        """Count images that the transport lost: they were never received."""
        with self._lock:
            self._lost += n

    def drop(self, reason: str) -> None:
        """Count an image that will not be published."""
        with self._lock:
            self._dropped[reason] += 1
            self._dropped_since_last += 1

    def count_published(self, people: int) -> None:
        """Count an image that was published with so many visible people."""
        with self._lock:
            self._processed += 1
            self._people = people

    def count_left_out(self, estimate: Estimate) -> None:
        """Count passes of the network that were left out, and people not looked for."""
        with self._lock:
            self._passes_left_out += estimate.n_left_out
            self._not_looked_for += len(estimate.unscanned_ids)

    def add_times(self, stages: Stages) -> None:
        """Add the times of an image."""
        with self._lock:
            self._stages.append(stages)

    def take_dropped(self) -> int:
        """Return how many were dropped since the last call."""
        with self._lock:
            dropped, self._dropped_since_last = self._dropped_since_last, 0
        return dropped

    def silence_s(self) -> float:
        """Return the seconds since the last image, or since the start."""
        with self._lock:
            return monotonic() - self._last_received_s

    def restart_silence(self) -> None:
        """Measure the silence from now on."""
        with self._lock:
            self._last_received_s = monotonic()

    def latency_s(self) -> float:
        """Return the p99 latency, seconds; 0 without images."""
        with self._lock:
            totals = [stages.total for stages in self._stages]
        return float(np.percentile(totals, 99)) if totals else 0.0

    def missing_lately(self) -> tuple[float, dict[str, int]]:
        """Return the share of images dropped or lost lately, and their numbers by reason."""
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
            now, (then, received, processed) = monotonic(), self._last_call
            elapsed = max(now - then, 1e-3)
            self._last_call = (now, self._received, self._processed)
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
                "network passes left out": str(self._passes_left_out),
                "people not looked for": str(self._not_looked_for),
            }
        for name in _STAGES if stages else ():
            p50, p99 = np.percentile([1e3 * getattr(s, name) for s in stages], [50, 99])
            values[f"{name} p50 (ms)"] = f"{p50:.2f}"
            values[f"{name} p99 (ms)"] = f"{p99:.2f}"
        return values


Alert = tuple[bytes, str]
"""A level of DiagnosticStatus, and what is wrong."""


def threshold_alerts(value: float, warn: float, error: float, text: str) -> list[Alert]:
    """Return an alert if a value reaches one of the thresholds."""
    if value >= error:
        return [(DiagnosticStatus.ERROR, text)]
    return [(DiagnosticStatus.WARN, text)] if value >= warn else []


def make_status(
    name: str, hardware_id: str, alerts: Sequence[Alert], values: dict[str, str]
) -> DiagnosticStatus:
    """Return a status with the highest level of the alerts, OK without any."""
    return DiagnosticStatus(
        level=max((level for level, _ in alerts), default=DiagnosticStatus.OK),
        name=name,
        message="; ".join(text for _, text in alerts) or "running",
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
