"""Keypoint R-CNN of detectron2, compared with detectron2's predictor. Weights are random."""

import pickle
import re

import cv2
import numpy as np
import pytest

pytest.importorskip("detectron2.modeling", reason="detectron2 does not import")

import torch
from detectron2 import model_zoo
from detectron2.engine import DefaultPredictor
from detectron2.modeling import build_model
from estimators import estimator_maker

from poseflow_ros.estimation.detectron2_network import make_model
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.tracking.similarity import box_iou

NAME = "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x"
SIDES = (96, 192)


def noise(height, width, seed=0):
    """Return an image of soft blobs."""
    shape = (max(2, height // 16), max(2, width // 16), 3)
    coarse = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def settings(weights=""):
    """Return detectron2's settings for its own predictor."""
    cfg = model_zoo.get_config(f"{NAME}.yaml")
    cfg.MODEL.DEVICE, cfg.MODEL.WEIGHTS = "cpu", weights
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = SIDES
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
    cfg.TEST.DETECTIONS_PER_IMAGE = 10
    return cfg


@pytest.fixture(scope="module")
def state():
    """Return random weights of which activations stay small and people differ."""
    torch.manual_seed(0)
    model = build_model(settings())
    with torch.no_grad():
        for name, values in model.named_buffers():
            if name.endswith("conv3.norm.weight"):
                values.fill_(0.2)
            elif name.endswith("norm.running_var"):
                values.uniform_(0.8, 1.2)
            elif name.endswith("norm.bias"):
                values.normal_(0, 0.1)
        model.backbone.bottom_up.stem.conv1.weight.mul_(0.02)
        model.roi_heads.box_predictor.cls_score.weight.normal_(0, 0.1)
    return model.state_dict()


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("detectron2") / "weights.pth"
    torch.save({"model": state}, path)
    return str(path)


@pytest.fixture(scope="module")
def predictor(weights):
    return DefaultPredictor(settings(weights))


@pytest.fixture(scope="module")
def make(weights):
    """Return a function that makes an estimator; all are closed in the end."""
    with estimator_maker(
        name="detectron2", weights=weights, device="cpu", threads=2,
        detectron2_config=f"{NAME}.yaml", min_person_score=0.0, max_people=10,
        image_min_side=SIDES[0], image_max_side=SIDES[1],
    ) as make_one:  # fmt: skip
        yield make_one


@pytest.fixture(scope="module")
def estimator(make):
    return make()


def expected(predictor, image):
    """Return what the predictor finds: boxes, scores, keypoints in our coordinates."""
    people = predictor(np.ascontiguousarray(image[:, :, ::-1]))["instances"]
    # Its keypoints are in coordinates of which the first pixel's centre is (0.5, 0.5).
    keypoints = people.pred_keypoints[..., :2].numpy() - 0.5
    return people.pred_boxes.tensor.numpy(), people.scores.numpy(), keypoints


@pytest.mark.parametrize(
    "size", [(96, 96), (96, 150), (192, 96)], ids=["square", "landscape", "portrait"]
)
def test_unscaled_image_gives_the_result_of_the_predictor(size, estimator, predictor):
    image = noise(*size)
    poses, (boxes, scores, keypoints) = estimator.estimate(image), expected(predictor, image)
    assert len(poses) == len(boxes) == 10
    np.testing.assert_allclose(poses.boxes, boxes, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(poses.scores, scores, rtol=1e-5)
    apart = np.abs(poses.keypoints - keypoints)
    assert 0.1 < apart.max() < 0.5
    # The points between the pixels lie to no side of the predictor's.
    assert np.abs((poses.keypoints - keypoints).mean()) < 0.05
    assert ((poses.keypoint_scores >= 0) & (poses.keypoint_scores <= 1)).all()


@pytest.mark.parametrize(
    "size",
    [(480, 640), (640, 480), (32, 32), (100, 317), (2160, 3840), (20, 400)],
    ids=lambda size: f"{size[1]} x {size[0]}",
)
def test_scaled_image_gives_the_result_of_the_predictor_except_rounding(
    size, estimator, predictor
):
    # The noise is fine enough to show how pixels are mixed.
    image = noise(*size) // 2 + np.random.default_rng(1).integers(0, 128, (*size, 3), np.uint8)
    poses, (boxes, scores, keypoints) = estimator.estimate(image), expected(predictor, image)
    assert len(poses) == len(boxes) == 10
    # Random networks find people as sure as each other, whose order is anybody's.
    same = box_iou(boxes, poses.boxes).argmax(axis=1)
    assert sorted(same) == list(range(10))
    poses = poses[same]
    # Pillow computes with whole numbers: one grey value in thousands differs by one.
    np.testing.assert_allclose(poses.boxes, boxes, rtol=1e-3, atol=1e-3 * max(size))
    np.testing.assert_allclose(poses.scores, scores, rtol=1e-3)
    apart = np.abs(poses.keypoints - keypoints).max(axis=2)
    assert (apart < 0.5).mean() >= 0.95


def test_batch_gives_the_same_as_single_images(estimator):
    images = [noise(*size, seed) for seed, size in enumerate([(96, 96), (60, 96), (96, 96)])]
    for poses, image in zip(estimator.estimate_batch(images), images, strict=True):
        single = estimator.estimate(image)
        np.testing.assert_allclose(poses.boxes, single.boxes, atol=0.05)
        np.testing.assert_allclose(poses.scores, single.scores, atol=1e-3)


def test_max_people_and_min_person_score_keep_the_highest_scores(estimator, make):
    image = noise(96, 96)
    everybody = estimator.estimate(image)
    some = float(np.mean(everybody.scores[2:4]))
    np.testing.assert_allclose(make(max_people=2).estimate(image).boxes, everybody.boxes[:2])
    few = make(min_person_score=some).estimate(image)
    np.testing.assert_allclose(few.scores, everybody.scores[:3])


def test_image_without_people_gives_empty_poses(make):
    assert make(min_person_score=1.0).estimate(noise(96, 96)).keypoints.shape == (0, 17, 2)


def test_image_scaled_to_zero_rows_gives_empty_poses(estimator):
    assert len(estimator.estimate(np.zeros((1, 2000, 3), np.uint8))) == 0


def test_model_zoo_file_gives_the_same(state, estimator, make, tmp_path):
    path = tmp_path / "weights.pkl"
    arrays = {name: values.numpy() for name, values in state.items()}
    with path.open("wb") as file:
        pickle.dump({"model": arrays, "__author__": "test"}, file)
    image = noise(96, 96)
    poses, other = make(weights=str(path)).estimate(image), estimator.estimate(image)
    np.testing.assert_array_equal(poses.keypoints, other.keypoints)
    np.testing.assert_array_equal(poses.boxes, other.boxes)


def test_configuration_by_path_gives_the_same(estimator, make, tmp_path):
    path = tmp_path / "my network.yaml"
    path.write_text(settings().dump())
    image = noise(96, 96)
    other = make(detectron2_config=str(path))
    assert other.description.startswith("detectron2 my network, sides 96 to 192 px, CPU, float32")
    np.testing.assert_array_equal(
        other.estimate(image).keypoints, estimator.estimate(image).keypoints
    )


def test_the_zoo_s_lazy_configuration_works(make, tmp_path):
    name = f"{NAME.replace('3x', '1x')}.py"
    torch.manual_seed(0)
    path = tmp_path / "weights.pth"
    torch.save(make_model(name).state_dict(), path)
    lazy = make(detectron2_config=name, weights=str(path))
    poses = lazy.estimate(noise(96, 96))
    assert poses.keypoints.shape == (len(poses), 17, 2)


def test_float16_finds_the_same_people(estimator, make):
    half, image = make(precision="float16"), noise(96, 96)
    assert half.description.endswith("float16")
    poses, truth = half.estimate(image), estimator.estimate(image)
    overlap = box_iou(truth.boxes, poses.boxes)
    both, same = overlap.max(axis=1) > 0.8, overlap.argmax(axis=1)
    assert both.mean() > 0.7
    apart = np.linalg.norm(truth.keypoints[both] - poses.keypoints[same[both]], axis=2)
    assert np.median(apart) < 0.5
    assert np.abs(truth.scores[both] - poses.scores[same[both]]).max() < 0.02


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("COCO-Detection/faster_rcnn_R_50_FPN_1x.yaml", "which has 0 keypoints and 80 classes"),
        ("COCO-Keypoints/nothing.yaml", "which detectron2 cannot use: .*nothing.yaml"),
        ("/dev/null", "which detectron2 cannot use"),
    ],
    ids=["no keypoints", "no such", "no file"],
)
def test_invalid_configuration_is_reported(config, words, make):
    pattern = f"^estimator.detectron2_config is '{re.escape(config)}', {words}"
    with pytest.raises(EstimatorError, match=pattern) as caught:
        make(detectron2_config=config)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {f"other.{name}": values for name, values in state.items()},
        lambda state: {n: v for n, v in state.items() if "keypoint_head" not in n},
        lambda state: {n: v[:1] for n, v in state.items() if v.ndim},
    ],
    ids=["other names", "without keypoints", "other sizes"],
)
def test_weights_of_another_network_are_rejected(change, state, make, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(change(state), path)
    with pytest.raises(EstimatorError, match="are of another network") as caught:
        make(weights=str(path))
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
