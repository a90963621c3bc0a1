"""Durations of messages."""

from builtin_interfaces.msg import Duration

_LONGEST_S = 2**31 - 1


def duration(seconds: float) -> Duration:
    """Return non-negative seconds as a message, limited to the maximum of the message."""
    whole, nanoseconds = divmod(round(min(seconds, _LONGEST_S) * 1e9), 1_000_000_000)
    return Duration(sec=whole, nanosec=nanoseconds)
