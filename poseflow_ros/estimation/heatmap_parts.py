"""Parts of the people whose interpolated heatmaps are in memory together."""

from collections.abc import Iterator, Sequence

# Interpolated values in memory at a time: 64 MiB on a GPU, about 15 people of 400 x 150 pixels; on
# a CPU as many as its caches hold, which is several times faster.
MAX_VALUES_GPU, MAX_VALUES_CPU = 2**24, 2**20


def split(
    sizes: Sequence[Sequence[int]], max_pixels: int
) -> Iterator[tuple[slice, tuple[int, int]]]:
    """Yield consecutive parts of the people, each with the width and height that fits all of it.

    Args:
        sizes: width and height of each person's box, pixels.
        max_pixels: people times width times height of a part, unless it is a single person.
    """
    start, widest, highest = 0, 0, 0
    for i, (width, height) in enumerate(sizes):
        w, h = max(widest, width), max(highest, height)
        if i > start and (i + 1 - start) * w * h > max_pixels:
            yield slice(start, i), (widest, highest)
            start, w, h = i, width, height
        widest, highest = w, h
    yield slice(start, len(sizes)), (widest, highest)
