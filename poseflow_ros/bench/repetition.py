"""Statistics of repeated calls."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from poseflow_ros.bench.memory import PeakMemory

_MIN_ROUNDS = 3


def in_turns(seconds: float, *calls: Callable[[], Any]) -> list[list[float]]:
    """Repeat the calls in turns, for this time each; return the times of all calls, seconds."""
    times: list[list[float]] = [[] for _ in calls]
    while len(times[0]) < _MIN_ROUNDS or sum(times[0]) < seconds:
        for call, taken in zip(calls, times, strict=True):
            start = perf_counter()
            call()
            taken.append(perf_counter() - start)
    return times


def peak_mib(memory: PeakMemory, call: Callable[[], Any]) -> float:
    """Return the peak memory of a call, MiB, including the loaded network."""
    call()  # the first call needs more memory than the later ones
    memory.restart()
    call()
    return memory.mib()


def figures(prefix: str, seconds: Sequence[float], batch: int, mib: float) -> dict[str, float]:
    """Return the statistics of a repeated call; times are for a whole batch."""
    times_ms = 1e3 * np.array(seconds)
    return {
        f"{prefix}images_per_second": round(1e3 * batch * len(times_ms) / times_ms.sum(), 2),
        f"{prefix}p50_ms": percentile(times_ms, 50),
        f"{prefix}p99_ms": percentile(times_ms, 99),
        f"{prefix}peak_memory_mib": mib,
    }


def percentile(values: Any, percent: float) -> float:
    """Return a percentile, rounded to three digits."""
    return round(float(np.percentile(values, percent)), 3)
