"""The CPU threads of a network."""

import os

from poseflow_ros.config import EstimatorConfig

_MAX_DEFAULT = 4


def cpu_threads(config: EstimatorConfig) -> int:
    """Return the number of CPU threads: `threads`, or one per core and at most four."""
    return config.threads or min(_MAX_DEFAULT, len(os.sched_getaffinity(0)))
