"""Memory use on a GPU or of this process."""

import ctypes
import gc
from pathlib import Path
from typing import Any

from poseflow_ros.bench.error import BenchError

_MIB = 2**20


def resident_bytes() -> int:
    """Return the resident memory of this process.

    Raises:
        BenchError: psutil is not installed.
    """
    try:
        import psutil
    except ImportError as error:
        raise BenchError("memory is measured with psutil: pip install psutil") from error
    return int(psutil.Process().memory_info().rss)


class PeakMemory:
    """The peak memory use, relative to the use at construction."""

    def __init__(self, device: Any = None) -> None:
        """Measure a torch.device; for a CPU or None, this process."""
        on_gpu = device is not None and device.type == "cuda"
        self._device = device if on_gpu else None
        self._before = self._in_use()

    def restart(self) -> None:
        """Reset the peak."""
        if self._device is None:
            Path("/proc/self/clear_refs").write_text("5")
        else:
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)

    def mib(self) -> float:
        """Return the peak since `restart`, MiB."""
        if self._device is None:
            peak = _peak_resident_bytes()
        else:
            import torch

            peak = torch.cuda.max_memory_allocated(self._device)
        return round((peak - self._before) / _MIB, 1)

    def _in_use(self) -> int:
        gc.collect()
        if self._device is None:
            ctypes.CDLL(None).malloc_trim(0)  # glibc keeps freed memory, which would count
            return resident_bytes()
        import torch

        return int(torch.cuda.memory_allocated(self._device))


def _peak_resident_bytes() -> int:
    """Return the peak since it was last cleared; psutil does not read it on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
