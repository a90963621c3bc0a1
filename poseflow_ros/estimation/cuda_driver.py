"""What the CUDA driver says of its devices, without importing torch, which takes 450 MB."""

import ctypes

_LIBRARY = "libcuda.so.1"


def driver_problem(library: str = _LIBRARY) -> str:
    """Return why the CUDA driver offers no device; empty where it offers one.

    Args:
        library: name of the driver's library.
    """
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"the CUDA driver ({library}) is not installed"
    if error := driver.cuInit(0):
        return f"the CUDA driver finds no device (cuInit returns {error})"
    count = ctypes.c_int()
    if error := driver.cuDeviceGetCount(ctypes.byref(count)):
        return f"the CUDA driver does not respond (cuDeviceGetCount returns {error})"
    return "" if count.value else "the CUDA driver finds no device"
