"""Estimators for tests, closed afterwards."""

import contextlib

from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.factory import make_estimator


@contextlib.contextmanager
def estimator_maker(**defaults):
    """A function that makes an estimator of these settings and of those that it is given."""
    with contextlib.ExitStack() as stack:

        def make(**changes):
            config = Config(estimator=EstimatorConfig(**(defaults | changes)))
            return stack.enter_context(contextlib.closing(make_estimator(config)))

        yield make
