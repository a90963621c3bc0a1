"""Medians of sorted values."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import IntArray

_Float = TypeVar("_Float", np.float32, np.float64)


def medians_of_first(ordered: NDArray[_Float], n: IntArray) -> NDArray[_Float]:
    """Return (...) the medians of the first n of (..., P) ascending values, NaN where n is 0."""
    middle = np.stack([np.maximum(n - 1, 0) // 2, n // 2], axis=-1)
    medians = np.take_along_axis(ordered, middle, axis=-1).mean(axis=-1)
    medians[n == 0] = np.nan
    return medians
