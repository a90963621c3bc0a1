"""Jobs on a local Ray."""

import os
import sys

import pytest
from job_runners import MakeScripted, refuse

from poseflow_ros.batch.outcome import DONE, FAILED, Job
from poseflow_ros.batch.ray_engine import run_ray
from poseflow_ros.batch.worker_process import WorkerError
from poseflow_ros.cli.errors import CommandError

pytest.importorskip("ray", reason="ray does not import: pip install ray")


@pytest.fixture(autouse=True)
def support_in_workers(monkeypatch):
    """Let the processes of Ray import the helpers of the tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def run(log, names):
    jobs = (Job(name, name) for name in names)
    return {o.job.input: o for o in run_ray(jobs, MakeScripted(log), 2, cpus=0.5)}


@pytest.mark.slow
def test_workers_that_die_are_restarted_and_their_jobs_repeated_once(tmp_path):
    names = ["a", "once", "bad", "deadly", *map(str, range(10))]
    outcomes = run(tmp_path / "log", names)
    failed = {name: o.message for name, o in outcomes.items() if o.status == FAILED}
    assert sorted(outcomes) == sorted(names)
    assert sorted(failed) == ["bad", "deadly"]
    assert failed["bad"] == "bad is not a video"
    assert failed["deadly"].startswith("its worker died")
    assert (tmp_path / "log").read_text().split().count("once") == 2
    assert outcomes["once"].status == DONE


@pytest.mark.slow
def test_a_network_that_cannot_be_made_is_one_error():
    with pytest.raises(WorkerError, match="a worker cannot start: no weights"):
        list(run_ray([Job("a", "a")], refuse, 1))


def test_an_address_that_does_not_answer_is_one_line(tmp_path):
    with pytest.raises(CommandError, match=r"Ray at 127\.0\.0\.1:1: ") as caught:
        list(run_ray([], MakeScripted(tmp_path), 1, address="127.0.0.1:1"))
    assert "\n" not in str(caught.value)
