"""The errors of estimators and of their weights."""


class EstimatorError(RuntimeError):
    """An estimator cannot be created; the message gives the parameter and a solution."""


class OutOfMemoryError(RuntimeError):
    """The device had no memory for these images; it may have enough for the next ones."""


class DeviceLostError(RuntimeError):
    """The device failed and does not recover by itself; the text gives the reason."""


class WeightsError(RuntimeError):
    """A weight file is not available; the message gives a solution."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)
