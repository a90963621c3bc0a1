"""What a call does on a GPU: for how long the GPU computes, launches, and waits of the host."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

# Calls of the CUDA runtime and driver, as torch's profiler names them.
_LAUNCHES = ("cudaLaunch", "cuLaunch", "cudaGraphLaunch")
_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
_ROUNDS = 5


def gpu_activity(device: torch.device, call: Callable[[], Any]) -> dict[str, float]:
    """Return the means of some calls by their names in a report; nothing on a CPU."""
    if device.type != "cuda":
        return {}
    from torch.profiler import ProfilerActivity, profile

    call()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        for _ in range(_ROUNDS):
            call()
    return {name: round(n / _ROUNDS, 3) for name, n in summarize(profiler.events()).items()}


def summarize(events: Iterable[Any]) -> dict[str, float]:
    """Return the sums of a profile's events: busy time, launches and synchronizations."""
    busy_ms, launches, waits = 0.0, 0, 0
    for event in events:
        if event.device_type == torch.autograd.DeviceType.CUDA:
            busy_ms += 1e-3 * event.time_range.elapsed_us()
        elif event.name.startswith(_LAUNCHES):
            launches += 1
        elif event.name.startswith(_WAITS):
            waits += 1
    return {"gpu_busy_ms": busy_ms, "launches": launches, "synchronizations": waits}
