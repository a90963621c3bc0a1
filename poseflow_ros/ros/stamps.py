"""Conversion between seconds and the stamps and durations of messages."""

from builtin_interfaces.msg import Duration, Time

_LONGEST_S = 2**31 - 1


def seconds(time: Time | Duration) -> float:
    """Return a stamp or duration in seconds."""
    return float(time.sec + 1e-9 * time.nanosec)


def duration(seconds: float) -> Duration:
    """Return non-negative seconds as a message, limited to the maximum of the message."""
    whole, nanoseconds = divmod(round(min(seconds, _LONGEST_S) * 1e9), 1_000_000_000)
    return Duration(sec=whole, nanosec=nanoseconds)
