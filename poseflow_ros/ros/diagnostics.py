"""Frame statistics and diagnostics messages (REP 107)."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from poseflow_ros.estimation.guidance import Estimate

_WINDOW = 300  # number of frames for the percentiles
_LATEST = 5  # number of calls, one per second, for the share of dropped images
_LOST = "lost on the way"
_RESET_REPORTED_S = 10.0


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds that one frame spent in each stage."""

    queueing: float  # while other images are processed
    wait: float  # otherwise, from the callback to the inference loop
    convert: float
    estimate: float
    track: float
    publish: float
    depth: float = 0.0  # until the depth image and the transform are there

    @property
    def total(self) -> float:
        """From the callback to the last message out."""
        return self.queueing + self.overhead + self.estimate + self.depth + self.track

    @property
    def overhead(self) -> float:
        """Time that the node adds to estimator and tracker."""
        return self.wait + self.convert + self.publish


class StageTimer:
    """Measures the consecutive stages of one image."""

    def __init__(self, received_s: float, idle_since_s: float) -> None:
        """Start the first stage of processing.

        Args:
            received_s: time at which the image was received, by `perf_counter`.
            idle_since_s: time since which no other image is processed, by `perf_counter`.
        """
        self.start()
        queueing_s = max(0.0, idle_since_s - received_s)
        wait_s = self._start_s - received_s - queueing_s
        self._seconds = {"queueing": queueing_s, "wait": wait_s}

    def start(self) -> None:
        """Start a stage."""
        self._start_s = perf_counter()

    def finish(self, stage: str) -> float:
        """End a stage, start the next, and return the seconds of the one that ended."""
        self._seconds[stage] = seconds = perf_counter() - self._start_s
        self.start()
        return seconds

    def stages(self, estimate_s: float) -> Stages:
        """Return all stages, after all are finished; the caller measures the network."""
        return Stages(estimate=estimate_s, **self._seconds)


_STAGES = (
    "queueing",
    "wait",
    "convert",
    "estimate",
    "depth",
    "track",
    "publish",
    "overhead",
    "total",
)


class FrameStatistics:
    """Counts and times of frames; thread-safe."""

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
        """Count images that the transport lost, which were never received."""
        with self._lock:
            self._lost += n

    def drop(self, reason: str) -> None:
        """Count an image that will not be published."""
        with self._lock:
            self._dropped[reason] += 1
            self._dropped_since_last += 1

    def count_published(self, people: int) -> None:
        """Count a published image and its number of visible people."""
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

    def report_later(self, n: int) -> None:
        """Report dropped images again that `take_dropped` returned."""
        with self._lock:
            self._dropped_since_last += n

    def take_dropped(self) -> int:
        """Return the number of images dropped since the last call."""
        with self._lock:
            dropped, self._dropped_since_last = self._dropped_since_last, 0
        return dropped

    def silence_s(self) -> float:
        """Return the seconds since the last image, or since the start."""
        with self._lock:
            return monotonic() - self._last_received_s

    def restart_silence(self) -> None:
        """Set the start of the silence to now."""
        with self._lock:
            self._last_received_s = monotonic()

    def latency_s(self) -> float:
        """Return the p99 latency, seconds; 0 without images."""
        with self._lock:
            totals = [stages.total for stages in self._stages]
        return float(np.percentile(totals, 99)) if totals else 0.0

    def missing_lately(self) -> tuple[float, dict[str, int]]:
        """Return the share of images dropped or lost recently, and their number by reason."""
        with self._lock:
            missing = self._dropped + Counter({_LOST: self._lost})
            self._totals.append((self._processed, missing))
            processed, before = self._totals[0]
            lately = missing - before
            n_done = self._processed - processed + lately.total()
        return lately.total() / max(1, n_done), dict(lately)

    def values(self) -> dict[str, str]:
        """Return counts, rates since the last call, and percentiles of the last frames."""
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
"""A level of DiagnosticStatus and its message."""


class ResetLog:
    """Counts the resets of one camera's tracking; every method may be called by any thread."""

    def __init__(self) -> None:
        self.count = 0
        """How many there were."""
        self._last: tuple[float, str] = (float("-inf"), "")

    def add(self, text: str) -> None:
        """Add a reset, described in one line."""
        self.count += 1
        self._last = (monotonic(), text)

    def alerts(self) -> list[Alert]:
        """Return a warning for some seconds after a reset."""
        reset_s, text = self._last
        recent = monotonic() - reset_s < _RESET_REPORTED_S
        return [(DiagnosticStatus.WARN, text)] if recent else []


def threshold_alerts(value: float, warn: float, error: float, text: str) -> list[Alert]:
    """Return an alert if a value reaches one of the thresholds."""
    if value >= error:
        return [(DiagnosticStatus.ERROR, text)]
    return [(DiagnosticStatus.WARN, text)] if value >= warn else []


def make_status(
    name: str, hardware_id: str, alerts: Sequence[Alert], values: dict[str, str]
) -> DiagnosticStatus:
    """Return a status with the highest level of the alerts; OK if there are none."""
    return DiagnosticStatus(
        level=max((level for level, _ in alerts), default=DiagnosticStatus.OK),
        name=name,
        message="; ".join(text for _, text in alerts) or "running",
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
