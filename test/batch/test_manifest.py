"""The record from which an interrupted batch resumes."""

from pathlib import Path

import pytest

from poseflow_ros.batch.manifest import Manifest
from poseflow_ros.batch.outcome import DONE, FAILED, INCOMPLETE, Job, Outcome
from poseflow_ros.cli.errors import CommandError


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "in" / "a.mp4"
    path.parent.mkdir()
    path.write_text("a")
    return str(path)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def record(folder, *outcomes, settings="s"):
    with Manifest(folder, settings) as manifest:
        for outcome in outcomes:
            manifest.add(outcome)


def left(folder, *inputs, settings="s"):
    with Manifest(folder, settings) as manifest:
        return manifest.jobs(inputs)


def test_a_new_batch_has_all_jobs(folder, video):
    assert left(folder, video) == ([Job(video, "a.mp4")], 0)


@pytest.mark.parametrize(
    ("status", "n_finished"), [(DONE, 1), (FAILED, 0), (INCOMPLETE, 0)], ids=str
)
def test_only_what_is_done_is_skipped(folder, video, status, n_finished):
    record(folder, Outcome(Job(video, "a.mp4"), status))
    jobs, skipped = left(folder, video)
    assert (len(jobs), skipped) == (1 - n_finished, n_finished)


def test_a_changed_input_is_processed_again(folder, video):
    record(folder, Outcome(Job(video, "a.mp4"), DONE))
    Path(video).write_text("another video")
    assert left(folder, video) == ([Job(video, "a.mp4")], 0)


def test_other_settings_process_everything_again(folder, video):
    record(folder, Outcome(Job(video, "a.mp4"), DONE))
    assert left(folder, video, settings="t") == ([Job(video, "a.mp4")], 0)


def test_the_last_line_of_an_input_counts(folder, video):
    done = Outcome(Job(video, "a.mp4"), DONE)
    record(folder, done, Outcome(done.job, FAILED))
    assert left(folder, video)[1] == 0


def test_inputs_of_one_name_have_different_outputs_also_later(folder, tmp_path, video):
    other, third = (str(tmp_path / name / "a.mp4") for name in ("other", "third"))
    jobs, _ = left(folder, video, other)
    assert [job.name for job in jobs] == ["a.mp4", "a.mp4-2"]
    record(folder, *(Outcome(job, DONE) for job in jobs))
    jobs, _ = left(folder, third, other)
    assert {job.input: job.name for job in jobs}[third] == "a.mp4-3"


def test_a_line_that_was_cut_off_costs_only_its_input(folder, video):
    record(folder, Outcome(Job(video, "a.mp4"), DONE))
    with (folder / "manifest.jsonl").open("a") as file:
        file.write('{"input": "/b.mp4", "na')
    assert left(folder, video)[1] == 1
    record(folder, Outcome(Job("/c.mp4", "c.mp4"), FAILED))
    assert left(folder, video)[1] == 1


def test_two_batches_cannot_share_a_folder(folder):
    with Manifest(folder, "s"), pytest.raises(CommandError, match="in use by another batch"):
        Manifest(folder, "s")
