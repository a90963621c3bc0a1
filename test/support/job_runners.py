"""Runners of batch jobs without a network; they run in processes that import this module."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from poseflow_ros.batch.outcome import DONE, FAILED, Outcome


@dataclass(frozen=True)
class ScriptedRunner:
    """Does what the name of the input says, and appends the name to a log."""

    log: Path

    def run(self, job):
        with self.log.open("a") as file:
            file.write(job.input + "\n")
        if job.input.startswith("wait"):
            time.sleep(60)
        if job.input.startswith("bad"):
            return Outcome(job, FAILED, f"{job.input} is not a video")
        dies_once = job.input.startswith("once") and self._runs(job) == 1
        if dies_once or job.input.startswith("deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome(job, DONE, message=os.environ.get("MARK", ""), frames=1)

    def _runs(self, job):
        return self.log.read_text().split().count(job.input)


@dataclass(frozen=True)
class MakeScripted:
    """Makes a ScriptedRunner in the worker."""

    log: Path

    def __call__(self):
        return ScriptedRunner(self.log)


def refuse():
    """Fails as a network whose weights are missing."""
    raise ValueError("no weights")
