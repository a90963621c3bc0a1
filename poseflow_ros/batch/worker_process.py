"""A process that runs the jobs it is sent."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Protocol

from poseflow_ros.batch.outcome import Job, Outcome

_EXIT_WAIT_S = 10.0
_context = multiprocessing.get_context("spawn")  # a network's threads do not survive a fork


class WorkerError(Exception):
    """A worker that cannot make its network; the text says why."""


class JobRunner(Protocol):
    """Processes jobs one after the other; holds the network."""

    def run(self, job: Job) -> Outcome:
        """Process one job; what is wrong with its input is said in the outcome."""


MakeRunner = Callable[[], JobRunner]
"""Picklable; called once in each worker."""


class WorkerProcess:
    """One process with a runner of its own."""

    def __init__(self, make_runner: MakeRunner, environment: Mapping[str, str]) -> None:
        """Start the process.

        Args:
            make_runner: called in the process.
            environment: added to the environment variables of the process.
        """
        self.job: Job | None = None
        """The job that it runs."""
        self.pipe, other_end = _context.Pipe()
        """Readable when the job has ended or the process has died."""
        self._process = _context.Process(target=_work, args=(other_end, make_runner), daemon=True)
        with _environment(environment):
            self._process.start()
        other_end.close()

    def start(self, job: Job) -> None:
        """Send a job; a process that has died shows when it is received."""
        self.job = job
        with suppress(BrokenPipeError):
            self.pipe.send(job)

    def receive(self) -> Outcome | None:
        """Return the outcome of the job; None if the process has died.

        Raises:
            WorkerError: the runner could not be made.
        """
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            return None
        if isinstance(message, WorkerError):
            raise message
        assert isinstance(message, Outcome)
        self.job = None
        return message

    @property
    def cause_of_death(self) -> str:
        """How the process ended."""
        code = self._process.exitcode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def stop(self) -> None:
        """End the process, in the middle of a job if it has one."""
        self.pipe.close()
        if self.job is not None:
            self._process.terminate()
        self._process.join(_EXIT_WAIT_S)
        self._process.kill()
        self._process.join()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables while a process is started, which inherits them."""
    previous = os.environ.copy()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(previous)


def _work(pipe: Connection, make_runner: MakeRunner) -> None:
    """Run jobs until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the batch, which stops us
    try:
        runner = make_runner()
    except Exception as error:
        pipe.send(WorkerError(f"a worker cannot start: {error}"))
        return
    with suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(runner.run(pipe.recv()))
