"""Jobs on processes of this machine."""

import multiprocessing

import pytest
from job_runners import MakeScripted, refuse

from poseflow_ros.batch.local_engine import run_local
from poseflow_ros.batch.outcome import DONE, FAILED, Job
from poseflow_ros.batch.worker_process import WorkerError


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def run(log, names, environments=({}, {})):
    jobs = [Job(name, name) for name in names]
    return {o.job.input: o for o in run_local(jobs, MakeScripted(log), environments)}


def test_every_job_has_one_outcome(log):
    names = [f"video{i}" for i in range(9)]
    outcomes = run(log, names)
    assert sorted(outcomes) == names
    assert {o.status for o in outcomes.values()} == {DONE}
    assert sorted(log.read_text().split()) == names


def test_no_jobs_give_no_outcomes(log):
    assert run(log, []) == {}


def test_a_failed_job_does_not_stop_the_others(log):
    outcomes = run(log, ["a", "bad", "b"])
    assert outcomes["bad"].message == "bad is not a video"
    assert [outcomes[name].status for name in ("a", "b")] == [DONE, DONE]


def test_a_job_whose_process_dies_is_run_once_more(log):
    outcomes = run(log, ["a", "once", "b", "c"])
    assert {o.status for o in outcomes.values()} == {DONE}
    assert log.read_text().split().count("once") == 2


def test_a_job_whose_process_dies_twice_fails(log):
    outcomes = run(log, ["deadly", "a", "b", "c"], [{}])
    assert outcomes["deadly"].status == FAILED
    assert outcomes["deadly"].message == "its process ended with signal SIGKILL, 2 times"
    assert [outcomes[name].status for name in "abc"] == [DONE] * 3


def test_each_process_has_its_environment(log):
    marks = {o.message for o in run(log, map(str, range(30)), [{"MARK": "1"}]).values()}
    assert marks == {"1"}


def test_a_runner_that_cannot_be_made_ends_the_batch():
    with pytest.raises(WorkerError, match="a worker cannot start: no weights"):
        list(run_local([Job("a", "a")], refuse, [{}]))


def test_closing_the_iterator_ends_the_processes_in_the_middle_of_a_job(log):
    outcomes = run_local([Job("a", "a"), Job("wait", "wait")], MakeScripted(log), [{}, {}])
    assert next(outcomes).job.input == "a"
    outcomes.close()
    assert multiprocessing.active_children() == []


def test_jobs_are_taken_when_a_process_is_free(log):
    taken = []

    def jobs():
        for i in range(100):
            taken.append(i)
            yield Job(str(i), str(i))

    outcomes = run_local(jobs(), MakeScripted(log), [{}, {}])
    for done in range(1, 20):
        next(outcomes)
        assert len(taken) <= done + 2
    outcomes.close()
