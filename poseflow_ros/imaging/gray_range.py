"""Which values of a 16-bit image become black and white."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_PERCENTILES = (1.0, 99.0)
# Enough pixels for percentiles: so many rows and columns at most.
_SIDE = 200
_TIME_CONSTANT_S = 1.0
# A uniform image is not to become one of noise.
_MIN_SPAN = 16.0


FULL_RANGE = (0.0, 65535.0)
"""All values of 16 bits."""


def to_8_bits(values: NDArray[np.uint16], gray_range: tuple[float, float]) -> NDArray[np.uint8]:
    """Return (H, W) values of 16 bits in 8 bits, this range becoming 0 to 255."""
    low, high = gray_range
    # convertScaleAbs makes negative values positive.
    above = values if low <= 0 else np.maximum(values, np.uint16(min(np.ceil(low), 65535)))
    scale = 255 / (high - low)
    return np.asarray(cv2.convertScaleAbs(above, alpha=scale, beta=-low * scale), np.uint8)


class GrayRange:
    """The range of values that one camera's 16-bit images use: 10, 12 or 14 bits, mostly.

    The percentiles of the images, smoothed over time so that people do not flicker.
    """

    def __init__(self, fixed: tuple[int, ...] = (0, 0)) -> None:
        """Make a range.

        Args:
            fixed: values that become black and white; (0, 0) for the percentiles of the images.
        """
        self._fixed = fixed if any(fixed) else None
        self.reset()

    def reset(self) -> None:
        """Forget the images."""
        self._range: NDArray[np.float64] | None = None
        self._stamp_s = 0.0

    def __str__(self) -> str:
        if self._fixed:
            return f"{self._fixed[0]} to {self._fixed[1]} (cameras.mono16_range)"
        if self._range is None:
            return ""
        return f"{self._range[0]:.0f} to {self._range[1]:.0f} (percentiles)"

    def update(self, values: NDArray[np.uint16], stamp_s: float) -> tuple[float, float]:
        """Return the values that become black and white.

        Args:
            values: (H, W) of the image.
            stamp_s: when it was taken, seconds; one before the last starts again.
        """
        if self._fixed:
            return float(self._fixed[0]), float(self._fixed[1])
        rows, columns = (max(1, n // _SIDE) for n in values.shape)
        now = np.percentile(values[::rows, ::columns], _PERCENTILES)
        if self._range is None or stamp_s < self._stamp_s:
            self._range = now
        else:
            weight = 1 - math.exp((self._stamp_s - stamp_s) / _TIME_CONSTANT_S)
            self._range = self._range + weight * (now - self._range)
        self._stamp_s = stamp_s
        low, high = self._range
        return float(low), float(max(high, low + _MIN_SPAN))

    def convert(self, image: NDArray[Any], stamp_s: float) -> NDArray[np.uint8]:
        """Return an (H, W) or (H, W, C) uint16 image in 8 bits; a uint8 image as it is.

        Args:
            image: the values.
            stamp_s: see `update`.
        """
        if image.dtype == np.uint8:
            return image
        values = image.reshape(image.shape[0], -1)
        return to_8_bits(values, self.update(values, stamp_s)).reshape(image.shape)
