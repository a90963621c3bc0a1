"""Jobs on processes of this machine; a process that dies is replaced."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import wait

from poseflow_ros.batch.outcome import FAILED, Job, Outcome
from poseflow_ros.batch.worker_process import MakeRunner, WorkerProcess

_MAX_ATTEMPTS = 2


def run_local(
    jobs: Iterable[Job], make_runner: MakeRunner, environments: Sequence[Mapping[str, str]]
) -> Iterator[Outcome]:
    """Yield the outcome of each job, in the order in which they end.

    A job whose process dies is run once more, and fails if that process dies too. The processes
    end with the iterator.

    Args:
        jobs: taken one at a time, when a process is free.
        make_runner: makes the network of each process.
        environments: environment variables of each process, one or more processes.

    Raises:
        WorkerError: a process cannot make its network.
    """
    engine = _LocalEngine(jobs, make_runner, environments)
    try:
        yield from engine.outcomes()
    finally:
        engine.stop()


class _LocalEngine:
    def __init__(
        self,
        jobs: Iterable[Job],
        make_runner: MakeRunner,
        environments: Sequence[Mapping[str, str]],
    ) -> None:
        self._jobs = iter(jobs)
        self._repeated = deque[Job]()
        self._attempts = Counter[Job]()
        self._make_runner = make_runner
        self._environments = environments
        self._workers = [WorkerProcess(make_runner, variables) for variables in environments]

    def outcomes(self) -> Iterator[Outcome]:
        while busy := self._assign():
            wait([self._workers[index].pipe for index in busy])
            for index in busy:
                if self._workers[index].pipe.poll() and (outcome := self._collect(index)):
                    del self._attempts[outcome.job]
                    yield outcome

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def _assign(self) -> list[int]:
        """Give each free worker a job, if there is one; return the busy workers."""
        for worker in self._workers:
            if worker.job is None and (job := self._next_job()):
                self._attempts[job] += 1
                worker.start(job)
        return [index for index, worker in enumerate(self._workers) if worker.job]

    def _next_job(self) -> Job | None:
        return self._repeated.popleft() if self._repeated else next(self._jobs, None)

    def _collect(self, index: int) -> Outcome | None:
        """Return the outcome of a worker; None if it died and its job is repeated."""
        worker = self._workers[index]
        job = worker.job
        if (outcome := worker.receive()) or job is None:
            return outcome
        worker.stop()
        self._workers[index] = WorkerProcess(self._make_runner, self._environments[index])
        if self._attempts[job] < _MAX_ATTEMPTS:
            self._repeated.append(job)
            return None
        reason = f"its process ended with {worker.cause_of_death}, {_MAX_ATTEMPTS} times"
        return Outcome(job, FAILED, reason)
