"""Jobs on a local Ray."""

import pytest
from job_runners import MakeScripted

from poseflow_ros.batch.outcome import DONE, FAILED, Job
from poseflow_ros.batch.ray_engine import run_ray
from poseflow_ros.cli.errors import CommandError

pytest.importorskip("ray", reason="ray does not import: pip install ray")


def run(log, names):
    jobs = (Job(name, name) for name in names)
    return {o.job.input: o for o in run_ray(jobs, MakeScripted(log), 2, cpus=0.5)}


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


def test_an_address_that_does_not_answer_is_one_line(tmp_path):
    with pytest.raises(CommandError, match=r"Ray at 127\.0\.0\.1:1: ") as caught:
        list(run_ray([], MakeScripted(tmp_path), 1, address="127.0.0.1:1"))
    assert "\n" not in str(caught.value)
