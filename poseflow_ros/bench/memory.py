"""How much memory a piece of work takes, on a GPU or in this process."""

import ctypes
import gc
from pathlib import Path
from typing import Any

_MIB = 2**20


def resident_bytes(line: str = "VmRSS") -> int:
    """Return the memory of this process in use (VmRSS) or its peak (VmHWM), as Linux counts."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(x.split()[1]) for x in status if x.startswith(f"{line}:"))


class PeakMemory:
    """The most memory in use, beyond what was in use when this was made."""

    def __init__(self, device: Any = None) -> None:
        """Measure a torch.device; on a CPU, or None, this process."""
        on_gpu = device is not None and device.type == "cuda"
        self._device = device if on_gpu else None
        self._before = self._in_use()

    def restart(self) -> None:
        """Forget the peak until now."""
        if self._device is None:
            Path("/proc/self/clear_refs").write_text("5")
        else:
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)

    def mib(self) -> float:
        """Return the peak since `restart`, MiB."""
        if self._device is None:
            peak = resident_bytes("VmHWM")
        else:
            import torch

            peak = torch.cuda.max_memory_allocated(self._device)
        return round((peak - self._before) / _MIB, 1)

    def _in_use(self) -> int:
        gc.collect()
        if self._device is None:
            ctypes.CDLL(None).malloc_trim(0)  # what was freed counts as long as glibc keeps it
            return resident_bytes()
        import torch

        return int(torch.cuda.memory_allocated(self._device))
