"""Keypoint R-CNN exported to ONNX files, compared with the same network in torch."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torchvision", reason="torchvision does not import")
pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnx
import torch
from estimators import estimator_maker
from test_keypoint_rcnn import picture, saved, shake_norms, small_model
from torchvision.models.detection import keypointrcnn_resnet50_fpn

from poseflow_ros.__main__ import main
from poseflow_ros.config import Config
from poseflow_ros.estimation import suppression
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.factory import network
from poseflow_ros.estimation.heatmaps import decode, decode_together
from poseflow_ros.estimation.onnx_parts import parts
from poseflow_ros.estimation.pooling import join_canvas, level_places, make_canvas

pytestmark = pytest.mark.slow  # the export takes half a minute

SIZE = (96, 128)
SIDES = {"image_min_side": 64, "image_max_side": 128}
# Operators whose results have shapes that depend on values, or that contain other graphs.
OF_VALUES = {"NonMaxSuppression", "NonZero", "Unique", "Compress", "Loop", "If", "Scan"}


def export(weights, out, size=SIZE, max_people=5, sides=SIDES):
    height, width = size
    options = {
        "size": f"{width}x{height}",
        "out": out,
        "weights": weights,
        "max_people": max_people,
    }
    arguments = [f"--{k.replace('_', '-')}={v}" for k, v in (options | sides).items()]
    return main(["export", "keypoint_rcnn", *arguments])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return saved(small_model(), tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "network.onnx"
    assert export(weights, path) == 0
    return path


@pytest.fixture(scope="module")
def make(file):
    """Return a function that makes an estimator of the exported files; all are closed."""
    with estimator_maker(
        name="onnx", weights=str(file), device="cpu", threads=1, min_person_score=0.0
    ) as make_one:
        yield make_one


@pytest.fixture(scope="module")
def exported(make):
    return make()


@pytest.fixture(scope="module")
def in_torch(weights):
    with estimator_maker(
        name="keypoint_rcnn", weights=weights, device="cpu", threads=1, min_person_score=0.0,
        max_people=5, **SIDES,
    ) as make:  # fmt: skip
        yield make()


def assert_equal(poses, expected):
    assert len(poses) == len(expected)
    np.testing.assert_allclose(poses.boxes, expected.boxes, rtol=0, atol=1e-3)
    np.testing.assert_allclose(poses.scores, expected.scores, rtol=0, atol=1e-3)
    np.testing.assert_allclose(poses.keypoints, expected.keypoints, rtol=0, atol=0.05)
    np.testing.assert_allclose(poses.keypoint_scores, expected.keypoint_scores, rtol=0, atol=1e-3)


@pytest.fixture(scope="module")
def expected(in_torch):
    """The five people that torch finds in the picture."""
    poses = in_torch.estimate(picture(*SIZE))
    assert len(poses) == 5
    return poses


def test_the_people_are_those_of_the_network_in_torch(exported, in_torch, expected, pedestrians):
    photograph = np.ascontiguousarray(pedestrians[0][::6, ::6])
    assert not exported.batches
    found = exported.estimate_batch([picture(*SIZE), photograph])
    assert_equal(found[0], expected)
    assert_equal(found[1], in_torch.estimate(photograph))
    assert exported.values() == {"images with inexact suppression": "0"}


@pytest.mark.slow
def test_a_resnet_50_at_its_full_size_gives_the_same_people_as_in_torch(pedestrians, tmp_path):
    torch.manual_seed(0)
    model = shake_norms(keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None))
    for name, values in model.state_dict().items():
        if name.endswith("bn3.weight"):
            values.mul_(0.2)  # otherwise the activations of random weights grow with each block
    weights, out = saved(model, tmp_path), tmp_path / "full.onnx"
    assert export(weights, out, (576, 768), 20, {}) == 0
    settings = {"device": "cpu", "min_person_score": 0.0}
    with estimator_maker(**settings) as make:
        expected = make(name="keypoint_rcnn", weights=weights).estimate(pedestrians[0])
        assert len(expected) == 20
        assert_equal(make(name="onnx", weights=str(out)).estimate(pedestrians[0]), expected)


def test_score_and_number_of_people_are_limited_by_the_configuration(make, expected):
    limit = float(expected.scores[2]) - 1e-4
    above = expected[expected.scores > limit]
    assert 2 < len(above) < 5
    assert_equal(make(min_person_score=limit).estimate(picture(*SIZE)), above)
    assert_equal(make(max_people=2).estimate(picture(*SIZE)), expected[:2])


def test_an_image_without_people_gives_empty_poses(make):
    poses = make(min_person_score=0.999).estimate(picture(*SIZE))
    assert poses.keypoints.shape == (0, 17, 2)


def test_an_image_of_another_size_is_scaled_to_the_exported_one(exported, expected):
    doubled = picture(*SIZE).repeat(2, axis=0).repeat(2, axis=1)
    poses = exported.estimate(doubled)
    assert len(poses) == len(expected)
    # Edge to edge: pixel centres of the larger image are half a pixel off.
    np.testing.assert_allclose(poses.boxes, 2 * expected.boxes + 0.5, rtol=0, atol=1)


def test_the_files_contain_nothing_whose_shape_depends_on_values(file):
    for path in parts(file)[:2]:
        operators = {node.op_type for node in onnx.load(path).graph.node}
        assert not operators & OF_VALUES
        assert operators & {"Conv", "TopK"}


def test_the_first_file_is_recognized(file):
    text = network("onnx").verify(file, Config())
    assert text == "Keypoint R-CNN, 17 keypoints, 128 x 96 px"


@pytest.mark.slow
def test_images_whose_suppression_does_not_settle_are_counted(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(suppression, "_ROUNDS", 1)
    assert export(weights, tmp_path / "one_round.onnx") == 0
    with estimator_maker(
        name="onnx", weights=str(tmp_path / "one_round.onnx"), device="cpu", min_person_score=0.0
    ) as make:
        estimator = make()
        estimator.estimate(picture(*SIZE))
        assert estimator.values() == {"images with inexact suppression": "1"}


class TestFilesThatDoNotFit:
    @pytest.fixture
    def copies(self, file, tmp_path):
        return [Path(shutil.copy(path, tmp_path)) for path in parts(file)]

    def test_a_missing_file_is_named(self, copies, make):
        copies[1].unlink()
        with pytest.raises(EstimatorError, match=r"network\.people\.onnx is missing"):
            make(weights=str(copies[0]))

    def test_a_file_of_another_export_is_refused(self, copies, make):
        model = onnx.load(copies[2])
        onnx.helper.set_model_props(model, {"task": "keypoint_rcnn", "export": "another"})
        onnx.save(model, copies[2])
        with pytest.raises(EstimatorError, match=r"network\.keypoints\.onnx is of another export"):
            make(weights=str(copies[0]))


def test_the_joined_canvas_is_that_of_the_network():
    torch.manual_seed(0)
    levels = [torch.randn(1, 3, 96 >> k, 160 >> k) for k in range(2, 6)]
    places = torch.tensor(level_places(levels, 2))
    torch.testing.assert_close(
        join_canvas(levels, places).values, make_canvas(levels, places, 2).values
    )


def test_people_decoded_together_are_decoded_as_in_parts():
    torch.manual_seed(0)
    corners = 100 * torch.rand(6, 2)
    boxes = torch.cat([corners, corners + torch.tensor([5.0, 9.0]) + 90 * torch.rand(6, 2)], dim=1)
    heatmaps, limits = torch.randn(6, 17, 56, 56), torch.tensor([0.3, 0.4])
    for found, expected in zip(
        decode_together(heatmaps, boxes, limits), decode(heatmaps, boxes, limits), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
