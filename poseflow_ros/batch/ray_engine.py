"""Jobs on a Ray cluster, or on a local Ray."""

import socket
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from poseflow_ros.batch.outcome import FAILED, Job, Outcome
from poseflow_ros.batch.worker_process import JobRunner, MakeRunner, WorkerError
from poseflow_ros.cli.errors import CommandError

_MAX_RETRIES = 1
_CONNECT_TIMEOUT_S = 5.0


def run_ray(
    jobs: Iterable[Job],
    make_runner: MakeRunner,
    n_workers: int,
    *,
    address: str = "",
    cpus: float = 1.0,
    gpus: float = 0.0,
) -> Iterator[Outcome]:
    """Yield the outcome of each job, in the order in which they end.

    Ray restarts a worker that dies and repeats its job once. At most one job per worker is
    submitted at a time, so that memory does not grow with the number of jobs.

    Args:
        jobs: taken one at a time, when a worker is free.
        make_runner: makes the network of each worker.
        n_workers: how many actors.
        address: of the cluster; empty: a local Ray is started, and stopped at the end.
        cpus: CPUs of each actor.
        gpus: GPUs of each actor.

    Raises:
        CommandError: Ray is not installed or cannot be reached.
        WorkerError: a worker cannot make its network.
    """
    ray = _connect(address)
    try:
        remote = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_restarts=-1, max_task_retries=_MAX_RETRIES
        )(_Actor)
        actors = [remote.remote(make_runner) for _ in range(n_workers)]
        yield from _feed(ray, actors, iter(jobs))
    finally:
        ray.shutdown()


class _Actor:
    def __init__(self, make_runner: MakeRunner) -> None:
        self._runner: JobRunner | None = None
        self._error = ""
        try:
            self._runner = make_runner()
        except Exception as error:  # Ray would only say that the actor died
            self._error = f"a worker cannot start: {error}"

    def run(self, job: Job) -> Outcome:
        if self._runner is None:
            raise WorkerError(self._error)
        return self._runner.run(job)


def _connect(address: str) -> Any:
    try:
        import ray
    except ImportError:
        raise CommandError("engine ray needs the package ray: pip install ray") from None
    _check_address(address)
    try:
        ray.init(address=address or None, include_dashboard=False, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise CommandError(f"Ray at {address or 'this machine'}: {error}") from error
    return ray


def _check_address(address: str) -> None:
    """Refuse an address that does not answer; Ray itself tries for minutes."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator:  # none, or `auto`
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise CommandError(f"Ray at {address}: {error}") from error


def _feed(ray: Any, actors: list[Any], jobs: Iterator[Job]) -> Iterator[Outcome]:
    """Give each actor its next job when it has finished one."""
    pending = {
        actor.run.remote(job): (actor, job)
        for actor, job in zip(actors, islice(jobs, len(actors)), strict=False)
    }
    while pending:
        (ready,), _ = ray.wait(list(pending), num_returns=1)
        actor, job = pending.pop(ready)
        yield _outcome(ray, ready, job)
        if (following := next(jobs, None)) is not None:
            pending[actor.run.remote(following)] = actor, following


def _outcome(ray: Any, reference: Any, job: Job) -> Outcome:
    try:
        outcome = ray.get(reference)
    except ray.exceptions.RayActorError as error:
        return Outcome(job, FAILED, f"its worker died: {str(error).splitlines()[0]}")
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, WorkerError):
            raise error.cause from None
        return Outcome(job, FAILED, str(error.cause))
    assert isinstance(outcome, Outcome)
    return outcome
