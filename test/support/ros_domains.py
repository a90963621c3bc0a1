"""ROS domains for tests that run at the same time, in workers of pytest-xdist or other runs."""

import itertools
import os
from contextlib import contextmanager

from domain_coordinator import domain_id

# A worker has every n-th domain, and starts at one that depends on its process: what a killed node
# leaves behind expires before its domain is used again.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_DOMAINS = range(1 + _WORKER, 101, _WORKERS)
_next_domain = itertools.islice(itertools.cycle(_DOMAINS), os.getpid() % len(_DOMAINS), None)


@contextmanager
def reserved_domain():
    """Reserve a ROS domain on this machine, 1 to 100, while the context is open."""
    with domain_id(lambda: next(_next_domain)) as domain:
        yield domain
