"""The command `batch` on real videos with a real network."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from made_bag import image_message, make_bag

from poseflow_ros.__main__ import main
from poseflow_ros.imaging.video import VideoWriter

WORKERS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pedestrians):
    """Three videos of real people, a damaged one, and parameters for a small network."""
    folder = tmp_path_factory.mktemp("batch")
    for name in ("a", "b", "deep/c"):
        (folder / name).parent.mkdir(exist_ok=True)
        with VideoWriter(folder / f"{name}.mp4", 10.0) as writer:
            for i, image in enumerate(pedestrians[:8]):
                writer.write(np.roll(image, ord(name[-1]), axis=0), i / 10)
    (folder / "damaged.mp4").write_bytes((folder / "a.mp4").read_bytes()[:2000])
    parameters = {"poseflow": {"ros__parameters": {"movenet": {"input_size": 256}}}}
    (folder / "small.yaml").write_text(yaml.safe_dump(parameters))
    return folder


@pytest.fixture
def batch(folder, tmp_path):
    """A function that runs the command and returns its exit code."""

    def run(*arguments, out=tmp_path / "out"):
        options = ["--out", str(out), "--estimator=movenet", f"--params={folder / 'small.yaml'}"]
        return main(["batch", *arguments, *options, f"--workers={WORKERS}"])

    return run


def records(out):
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_every_input_is_processed_and_failures_are_one_line(folder, batch, tmp_path, capfd):
    assert batch(str(folder)) == 3
    out, err = capfd.readouterr()
    table = dict(line.rsplit(None, 1) for line in out.splitlines() if line.strip())
    assert (table["inputs"], table["done"], table["failed"]) == ("4", "3", "1")
    assert table["frames"] == "24"
    assert "damaged.mp4: failed: " in out + err
    assert "poseflow_ros: 1 of 4 inputs not done" in err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"a.mp4.json", "b.mp4.json", "c.mp4.json", "manifest.jsonl"}


def test_results_equal_those_of_track(folder, batch, tmp_path):
    assert batch(str(folder / "a.mp4"), "--outputs=json,mot") == 0
    single = tmp_path / "single.json"
    options = ["--estimator=movenet", f"--params={folder / 'small.yaml'}", f"--json={single}"]
    assert main(["track", str(folder / "a.mp4"), *options]) == 0
    assert (tmp_path / "out" / "a.mp4.json").read_text() == single.read_text()


@pytest.mark.slow
def test_remote_files_are_processed_and_failures_name_the_url(folder, batch, tmp_path, capfd):
    pytest.importorskip("fsspec", reason="fsspec does not import: pip install fsspec")
    urls = [f"file://{folder / name}" for name in ("a.mp4", "damaged.mp4")]
    assert batch(urls[0]) == 0
    assert batch(*urls) == 3
    assert [record["input"] for record in records(tmp_path / "out")] == urls
    out, err = capfd.readouterr()
    assert f"{urls[1]} " in out + err
    assert "poseflow_ros_" not in out + err  # the copy's folder


@pytest.mark.slow
def test_a_batch_started_again_skips_what_is_done(folder, batch, tmp_path, capfd):
    assert batch(str(folder / "a.mp4")) == 0
    written = (tmp_path / "out" / "a.mp4.json").stat().st_mtime_ns
    assert batch(str(folder / "a.mp4"), str(folder / "b.mp4")) == 0
    assert (tmp_path / "out" / "a.mp4.json").stat().st_mtime_ns == written
    assert [record["name"] for record in records(tmp_path / "out")] == ["a.mp4", "b.mp4"]


@pytest.mark.slow
def test_an_interrupted_batch_continues(folder, tmp_path):
    command = [sys.executable, "-m", "poseflow_ros", "batch", str(folder), "--out",
               str(tmp_path / "out"), "--estimator=movenet", "--workers=1",
               f"--params={folder / 'small.yaml'}"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    manifest = tmp_path / "out" / "manifest.jsonl"
    while not (manifest.exists() and manifest.read_text()):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate()
    assert process.returncode == 130
    finished = records(tmp_path / "out")
    table = dict(line.rsplit(None, 1) for line in out.splitlines() if line.strip())
    # The signal may come between recording and counting an outcome.
    assert 0 <= len(finished) - (4 - int(table["not processed"])) <= 1
    assert subprocess.run(command, check=False, capture_output=True).returncode == 3
    outcomes = [(record["name"], record["status"]) for record in records(tmp_path / "out")]
    assert sorted(outcomes) == [
        ("a.mp4", "done"), ("b.mp4", "done"), ("c.mp4", "done"), ("damaged.mp4", "failed")
    ]  # fmt: skip
    assert not list((tmp_path / "out").glob("*.partial*"))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(
            ["a.mp4", "--workers=0"], "workers is 0, must be from 1 to 256", id="workers"
        ),
        pytest.param(["a.mp4", "--outputs=csv"], "outputs has 'csv'; allowed: json", id="outputs"),
        pytest.param(["@gone.txt"], "gone.txt", id="a list that is missing"),
    ],
)
def test_invalid_arguments_are_one_line(arguments, line, tmp_path, capfd):
    assert main(["batch", *arguments, "--out", str(tmp_path)]) == 2
    err = capfd.readouterr().err
    assert line in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_bags_are_inputs_and_bad_ones_do_not_stop_the_others(batch, pedestrians, tmp_path, capfd):
    images = [image_message(image, 1.0 + i) for i, image in enumerate(pedestrians[:6])]
    good = [("/image", 1.0 + i, image) for i, image in enumerate(images)]
    bags = tmp_path / "bags"
    bags.mkdir()
    make_bag(bags / "good", good)
    make_bag(bags / "two", [*good[:1], ("/other", 1.0, images[0])], "sqlite3")
    file = make_bag(bags / "cut", good) / "cut.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert batch(str(bags), "--outputs=json,bag,table") == 3
    statuses = {record["name"]: record["status"] for record in records(tmp_path / "out")}
    assert statuses == {"good": "done", "two": "failed", "cut": "incomplete"}
    out, err = capfd.readouterr()
    assert "has 2 image topics, set --topic: /image, /other" in out + err
    assert "cut.mcap is cut off" in out + err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "manifest.jsonl", "good.json", "good.mcap", "good.parquet",
        "cut.partial.json", "cut.partial.mcap", "cut.partial.parquet",
    }  # fmt: skip
