"""Memory allocation for images."""

import contextlib
import ctypes

# From malloc.h. The maximum threshold of glibc is 32 MiB; a 4K image is smaller.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT, _MOST_KEPT = 32 * 2**20, 512 * 2**20


def keep_freed_memory() -> None:
    """Configure malloc to keep freed memory for the next image.

    By default it returns large blocks to the kernel. The page faults of the next allocation then
    take longer than copying the image.
    """
    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
