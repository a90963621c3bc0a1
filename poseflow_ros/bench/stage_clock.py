"""Timing of the stages of a network call."""

from collections import defaultdict
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch

from poseflow_ros.bench.repetition import percentile


class StageClock:
    """Measures the stages of a call, with GPU events if there is a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks: list[tuple[str, Any]] = []
        self._stages_ms: dict[str, list[float]] = defaultdict(list)

    def time(self, call: Callable[[], Any]) -> None:
        """Run the call, which marks its stages and waits for the device at its end."""
        self._marks = []
        self.mark("start")
        call()
        if self._on_gpu:
            self._marks[-1][1].synchronize()
        for (_, before), (name, after) in zip(self._marks, self._marks[1:], strict=False):
            elapsed = before.elapsed_time(after) if self._on_gpu else 1e3 * (after - before)
            self._stages_ms[name].append(elapsed)

    def mark(self, name: str) -> None:
        """Record the end of a stage."""
        if self._on_gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record(torch.cuda.current_stream(self._device))
            self._marks.append((name, event))
        else:
            self._marks.append((name, perf_counter()))

    def stages_ms(self) -> dict[str, float]:
        """Return the median time of each stage, ms."""
        return {name: percentile(values, 50) for name, values in self._stages_ms.items()}

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"
