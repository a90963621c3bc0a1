"""`bench estimator` as a command: what it measures, writes and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from poseflow_ros.__main__ import main
from poseflow_ros.config import Config, EstimatorConfig

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("torchvision", reason="torchvision is not installed")

from poseflow_ros.bench.library_calls import (  # noqa: E402
    PlacedPeople,
    TorchvisionCall,
    place,
    write_weights,
)
from poseflow_ros.estimation.factory import make_estimator  # noqa: E402

SMALL = ["--device", "cpu", "--image-min-side", "64", "--image-max-side", "128"]
FIGURES = {"images_per_second", "p50_ms", "p99_ms", "peak_memory_mib"}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A configuration whose weights are the benchmark's random ones."""
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    config = EstimatorConfig(
        name="keypoint_rcnn", weights=str(path), device="cpu", image_min_side=64,
        image_max_side=128,
    )  # fmt: skip
    write_weights(config, path)
    return config


def test_results_are_printed_and_written(tmp_path, capfd):
    report = tmp_path / "report.json"
    arguments = ["--size", "160x120", "--people", "3", "--batch", "2", "--seconds", "0"]
    assert main(["bench", "estimator", *SMALL, *arguments, "--report", str(report)]) == 0
    figures = json.loads(report.read_text())
    for prefix in ("", "plain_"):
        assert all(figures[prefix + name] > 0 for name in FIGURES)
        # two images a call, and the median call is within the shortest and the longest
        calls_per_second = figures[f"{prefix}images_per_second"] / 2
        assert 1e3 / figures[f"{prefix}p99_ms"] <= calls_per_second * 1.01
    assert (figures["people_placed"], figures["batch"], figures["size"]) == (3, 2, "160x120")
    assert list(figures["stages_p50_ms"]) == ["copy in", "network", "decode", "copy out"]
    assert sum(figures["stages_p50_ms"].values()) == pytest.approx(figures["p50_ms"], rel=0.5)
    printed = capfd.readouterr().out
    assert "3 people were placed" in printed
    assert f"{figures['images_per_second']:g}" in printed
    assert f"{figures['plain_images_per_second']:g}" in printed


def test_a_network_without_a_library_call_is_measured_alone(tmp_path, capfd):
    report = tmp_path / "report.json"
    arguments = ["--estimator", "movenet", "--size", "160x120", "--batch", "2", "--seconds", "0"]
    assert main(["bench", "estimator", *arguments, "--report", str(report)]) == 0
    figures = json.loads(report.read_text())
    assert all(figures[name] > 0 for name in ("images_per_second", "p50_ms", "p99_ms"))
    assert (figures["batch"], figures["size"], figures["rounds"]) == (2, "160x120", 3)
    assert not any(name.startswith("plain_") for name in figures)
    printed = capfd.readouterr().out
    assert printed.startswith("MoveNet MultiPose")
    assert "the library's" not in printed


@pytest.fixture(scope="module")
def estimator(config):
    return make_estimator(Config(estimator=config))


def test_placed_people_are_returned(estimator, monkeypatch):
    monkeypatch.setattr(estimator, "network", PlacedPeople(estimator.network, 12))
    image = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    poses = estimator.estimate(image)
    expected = place(12, (240, 320)).numpy()
    np.testing.assert_allclose(poses.boxes, expected, atol=1e-3)
    assert (poses.scores == 1).all()
    inside = (poses.keypoints >= expected[:, None, :2]) & (
        poses.keypoints <= expected[:, None, 2:]
    )
    assert inside.all()
    assert poses.keypoints.std(axis=1).min() > 1  # found in the image, not made up


def test_zero_people_can_be_placed(estimator, monkeypatch):
    monkeypatch.setattr(estimator, "network", PlacedPeople(estimator.network, 0))
    assert len(estimator.estimate(np.zeros((60, 80, 3), np.uint8))) == 0


def test_both_calls_do_the_same_work(config, estimator):
    plain = TorchvisionCall(config, Path(config.weights), estimator.device, 4)
    heads, seen = plain.model.roi_heads, []
    heads.keypoint_predictor.register_forward_hook(lambda _, __, maps: seen.append(maps))
    image = np.random.default_rng(2).integers(0, 256, (120, 160, 3), np.uint8)
    plain([image])
    network = PlacedPeople(estimator.network, 4)
    with torch.inference_mode():
        inputs, size = network.prepare(torch.from_numpy(image).permute(2, 0, 1)[None])
        features = network.extract(inputs)
        regions, _ = network.find_people(features, size).first(4)
        heatmaps = network.heatmaps(features, regions)
    # Pooled from the canvas of all levels, which rounds differently.
    torch.testing.assert_close(heatmaps, seen[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["--size", "640"], "size is '640', must be WIDTHxHEIGHT", id="one side"),
        pytest.param(["--size", "axb"], "size is 'axb', must be WIDTHxHEIGHT", id="no numbers"),
        pytest.param(["--size", "8x640"], "width is 8, must be from 32 to 8192", id="too small"),
        pytest.param(["--people", "41"], "people is 41, must be from 0 to 40", id="a crowd"),
        pytest.param(
            ["--people", "-1"], "people is -1, must be from 0 to 40", id="fewer than none"
        ),
        pytest.param(["--batch", "0"], "batch is 0, must be from 1 to 64", id="no image"),
        pytest.param(["--seconds", "nan"], "seconds is nan, must be from 0", id="no time"),
        pytest.param(
            ["--device", "tpu"],
            "estimator.device is 'tpu', must be one of auto, cpu",
            id="a device",
        ),
        pytest.param(["--image-min-side", "8"], "image_min_side is 8, must be", id="a side"),
        pytest.param(["--report", "nowhere/r.json"], "nowhere is not a folder", id="no folder"),
    ],
)
def test_invalid_input_is_rejected_in_one_line(arguments, named, capfd):
    assert main(["bench", "estimator", *arguments]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("poseflow_ros: ")
    assert named in line
