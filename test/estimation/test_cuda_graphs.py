"""Captured passes, with a stand-in that replays on the CPU: what is captured, kept and dropped."""

import logging
from dataclasses import fields, is_dataclass

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("torchvision", reason="torchvision is not installed")

from poseflow_ros.config import Config, EstimatorConfig  # noqa
from poseflow_ros.parameter_group import ConfigError  # noqa
from poseflow_ros.estimation import cuda_graphs  # noqa: E402
from poseflow_ros.estimation.cuda_graphs import Passes  # noqa: E402
from poseflow_ros.estimation.errors import EstimatorError  # noqa: E402
from poseflow_ros.estimation.keypoint_rcnn import KeypointRCNN  # noqa: E402
from poseflow_ros.estimation.padded_people import PaddedPeople  # noqa: E402


def overwrite(old, new):
    """Write the tensors of a result over those of an earlier one."""
    if isinstance(old, torch.Tensor):
        old.copy_(new)
    elif is_dataclass(old):
        for field in fields(old):
            overwrite(getattr(old, field.name), getattr(new, field.name))
    elif isinstance(old, tuple):
        for pair in zip(old, new, strict=True):
            overwrite(*pair)


class StandInGraph:
    """Replays by calling again; the result stays in the memory of the capture."""

    captured = 0

    def __init__(self, call, memory_pool):
        call()
        self._call, self._result = call, call()
        type(self).captured += 1

    def replay(self):
        overwrite(self._result, self._call())
        return self._result


class Brightness:
    """A network whose people are two boxes per image, as wide as the image is bright."""

    name, keypoint_offset = "brightness", 0.0

    def prepare(self, images):
        return images.float(), tuple(images.shape[2:])

    def extract(self, inputs):
        return inputs.mean(dim=(1, 2, 3))

    def find_people(self, features, size):
        width = torch.stack([features, features + 1], dim=1)
        zero = torch.zeros_like(width)
        boxes = torch.stack([zero, zero, width, width], dim=2)
        return PaddedPeople(boxes, torch.full_like(width, 0.5), torch.ones((), dtype=torch.bool))

    def heatmaps(self, features, regions):
        return regions[:, 3, None, None, None].expand(-1, 17, 4, 4).clone()


def gray(value, n=1, size=(4, 6)):
    return torch.full((n, 3, *size), value, dtype=torch.uint8)


@pytest.fixture
def graphs(monkeypatch):
    monkeypatch.setattr(cuda_graphs, "CudaGraph", StandInGraph)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(StandInGraph, "captured", 0)
    return StandInGraph


def results(passes, images, n):
    """Return the widths of the people found, those on the host, and the heatmaps' values."""
    run = passes.take(images)
    found = run.find(images)
    counts, lengths, settled = found.read()
    regions, _, heatmaps = run.heads(found, n)
    assert settled
    assert counts == [2] * len(images)
    return regions[:, 3].tolist(), [width for width, _ in lengths], heatmaps[:, 0, 0, 0].tolist()


def test_a_size_is_captured_at_its_second_pass_and_gives_what_an_eager_pass_gives(graphs):
    passes, eager = (Passes(Brightness(), captures=captures) for captures in (True, False))
    for value in (10, 20, 30, 7):
        images = torch.cat([gray(value), gray(value + 50)])
        assert results(passes, images, 4) == results(eager, images, 4)
    assert graphs.captured == 2  # up to the people, and the head for 4 people


def test_each_number_of_people_and_of_images_is_captured_once(graphs):
    passes = Passes(Brightness(), captures=True)
    for value in range(4):
        for images in (gray(value), gray(value, n=2)):
            for n in (1, 2):
                assert len(results(passes, images, n)[0]) == n
    assert graphs.captured == 2 * (1 + 2)


def test_the_size_unused_for_longest_is_dropped_and_captured_again(graphs):
    passes = Passes(Brightness(), captures=True)
    for _ in range(2):
        for width in range(1, 6):
            results(passes, gray(1, size=(4, width)), 1)
    assert graphs.captured == 2 * 5
    results(passes, gray(1, size=(4, 5)), 1)
    assert graphs.captured == 2 * 5
    results(passes, gray(1, size=(4, 1)), 1)
    assert graphs.captured == 2 * 6


def fail(monkeypatch, text):
    def refuse(call, memory_pool):
        raise RuntimeError(text)

    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(cuda_graphs, "CudaGraph", refuse)


def test_a_failed_capture_is_logged_once_and_eager_passes_go_on(monkeypatch, caplog):
    fail(monkeypatch, "CUDA error: operation not permitted when stream is capturing\nMore")
    passes = Passes(Brightness(), captures=True)
    with caplog.at_level(logging.WARNING):
        for value in (1, 2, 3):
            assert results(passes, gray(value), 2)[0] == [value, value + 1]
            assert results(passes, gray(value, size=(2, 2)), 1)[0] == [value]
    (record,) = caplog.records
    assert record.getMessage() == (
        "CUDA graphs are not used: the capture failed: CUDA error: operation not permitted when "
        "stream is capturing"
    )
    assert passes.problem.startswith("CUDA error: operation not permitted")


def test_a_head_that_cannot_be_captured_runs_eagerly_after_a_captured_first_half(
    graphs, monkeypatch
):
    passes = Passes(Brightness(), captures=True)
    for value in (1, 2):
        results(passes, gray(value), 1)
    fail(monkeypatch, "CUDA error: operation not permitted when stream is capturing")
    for value in (3, 4):
        assert results(passes, gray(value), 2)[0] == [value, value + 1]


def test_a_device_that_is_lost_in_a_capture_is_reported(monkeypatch):
    fail(monkeypatch, "CUDA error: an illegal memory access was encountered")
    passes = Passes(Brightness(), captures=True)
    results(passes, gray(1), 1)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        passes.take(gray(2))


def test_nothing_is_captured_unless_asked_for(graphs):
    passes = Passes(Brightness(), captures=False)
    for value in (1, 2, 3):
        results(passes, gray(value), 1)
    assert graphs.captured == 0


def test_graphs_that_are_required_on_a_cpu_are_refused():
    config = EstimatorConfig(name="keypoint_rcnn", device="cpu", cuda_graphs="true")
    with pytest.raises(EstimatorError, match="cuda_graphs is true, but the device is a CPU"):
        KeypointRCNN(config, lambda device, precision: Brightness())


@pytest.mark.parametrize(("given", "value"), [(True, "true"), (False, "false"), ("auto", "auto")])
def test_the_words_true_and_false_are_accepted_as_yaml_reads_them(given, value):
    config = Config.from_parameters(Config().as_parameters() | {"estimator.cuda_graphs": given})
    assert config.estimator.cuda_graphs == value


def test_a_bool_is_refused_where_it_is_not_a_word():
    with pytest.raises(ConfigError, match="device is True, must be of type str"):
        EstimatorConfig(device=True)
