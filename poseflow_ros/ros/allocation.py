"""How this process keeps memory for images."""

import contextlib
import ctypes

# Of malloc.h. glibc takes no threshold above 32 MiB, which a 4K image does not reach.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT, _MOST_KEPT = 32 * 2**20, 512 * 2**20


def keep_freed_memory() -> None:
    """Let malloc keep what is freed, for the next image.

    It would give large pieces back to the kernel, which hands them out again page by page: that
    takes longer than to copy an image into them.
    """
    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
