"""How long after its image a depth image arrives."""

import math
from collections import deque
from collections.abc import Iterable

import numpy as np

_KEPT = 64
_WINDOW = 300
_ROUNDING_S = 1e-6
# The recommended wait: the p99 with this margin, in whole hundredths of a second.
_MARGIN, _STEP_S = 1.2, 0.01

_Arrivals = deque[tuple[float, float]]


class DepthLag:
    """Measures the lag of depth images behind the images of the same stamp."""

    def __init__(self) -> None:
        self._images: _Arrivals = deque(maxlen=_KEPT)
        self._depths: _Arrivals = deque(maxlen=_KEPT)
        self._lags_s: deque[float] = deque(maxlen=_WINDOW)

    def add_image(self, stamp_s: float, received_s: float, slop_s: float) -> None:
        """Add an image: its stamp, its arrival, and how much the stamps may differ, seconds."""
        self._images.append((stamp_s, received_s))
        if (depth_s := _nearest(self._depths, stamp_s, slop_s)) is not None:
            self._lags_s.append(depth_s - received_s)

    def add_depth(self, stamp_s: float, received_s: float, slop_s: float) -> None:
        """Add a depth image, likewise."""
        self._depths.append((stamp_s, received_s))
        if (image_s := _nearest(self._images, stamp_s, slop_s)) is not None:
            self._lags_s.append(received_s - image_s)

    def percentiles_s(self) -> tuple[float, float] | None:
        """Return p50 and p99, seconds; negative where depth comes first, None without pairs."""
        if not self._lags_s:
            return None
        p50, p99 = np.percentile(self._lags_s, [50, 99])
        return float(p50), float(p99)

    def recommended_wait_s(self) -> float:
        """Return the `depth.wait_s` with which almost every image gets its depth image."""
        _, p99 = self.percentiles_s() or (0.0, 0.0)
        return max(0.0, math.ceil(_MARGIN * p99 / _STEP_S) * _STEP_S)

    def values(self) -> dict[str, str]:
        """Return the lag and the recommended setting, for the diagnostics."""
        if (percentiles := self.percentiles_s()) is None:
            return {}
        p50, p99 = percentiles
        return {
            "depth lag p50 (ms)": f"{1e3 * p50:.1f}",
            "depth lag p99 (ms)": f"{1e3 * p99:.1f}",
            "recommended depth.wait_s": f"{self.recommended_wait_s():.2f}",
        }


def _nearest(
    arrivals: Iterable[tuple[float, float]], stamp_s: float, slop_s: float
) -> float | None:
    """Return the arrival of the nearest stamp, seconds; None if it is farther than the slop."""
    apart = [(abs(stamp - stamp_s), received) for stamp, received in arrivals]
    nearest, received = min(apart, default=(math.inf, 0.0))
    return received if nearest <= slop_s + _ROUNDING_S else None
