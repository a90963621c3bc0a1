"""Stamps that cannot be used: zero, or the same again and again."""

from time import monotonic_ns, time_ns

from builtin_interfaces.msg import Time
from rclpy.clock import Clock

# A message may be published twice; a stamp that often is one that stands still.
_MIN_REPEATED = 5
_REPORTED_NS = 5_000_000_000


class StampRepair:
    """Replaces the unusable stamps of one input by times of arrival."""

    def __init__(self, name: str) -> None:
        """Make a repair.

        Args:
            name: what the messages are called in the diagnostics.
        """
        self._name = name
        self._last_ns = -1
        self._first_arrival_ns = 0
        self._n_repeated = 0
        self._problem, self._problem_ns = "", 0

    @property
    def problem(self) -> str:
        """What is wrong with the stamps of the last seconds; empty if nothing is."""
        recent = monotonic_ns() - self._problem_ns < _REPORTED_NS
        return self._problem if recent else ""

    def usable(self, stamp: Time, clock: Clock) -> Time:
        """Return the stamp, or the time of arrival.

        A zero becomes the present time of the node's clock, of the system where that clock has
        not started. A stamp that stands still advances with the time since it was first received.
        """
        stamp_ns, now_ns = stamp.sec * 10**9 + stamp.nanosec, monotonic_ns()
        if stamp_ns == 0:
            self._report("stamps are zero")
            return _message(clock.now().nanoseconds or time_ns())
        if stamp_ns != self._last_ns:
            self._last_ns, self._first_arrival_ns, self._n_repeated = stamp_ns, now_ns, 0
            return stamp
        self._n_repeated += 1
        if self._n_repeated < _MIN_REPEATED:
            return stamp
        self._report("stamps do not advance")
        return _message(stamp_ns + now_ns - self._first_arrival_ns)

    def _report(self, problem: str) -> None:
        self._problem = f"{self._name} {problem}: the time of arrival is used"
        self._problem_ns = monotonic_ns()


def _message(nanoseconds: int) -> Time:
    sec, nanosec = divmod(nanoseconds, 10**9)
    return Time(sec=min(sec, 2**31 - 1), nanosec=nanosec)
