"""The errors of the simulated detector have the statistics of its model."""

from dataclasses import replace

import numpy as np
import pytest

from poseflow_ros.bench.camera import AT_REST, Camera
from poseflow_ros.bench.camera_view import CameraView
from poseflow_ros.bench.detector import Detector
from poseflow_ros.bench.detector_model import MODELS
from poseflow_ros.bench.walker import boxes_px
from poseflow_ros.tracking.similarity import box_iou

PEOPLE, FRAMES = 50, 300
OFTEN_S, SELDOM_S = 0.1, 5.0  # pictures that remember the last one, and such that do not
SIZE_PX = Camera(PEOPLE).size_px
# COCO order, shares of the height to the right and down.
STANDING = np.array(
    [
        *((0.0, 0.08), (0.02, 0.06), (-0.02, 0.06), (0.04, 0.07), (-0.04, 0.07)),
        *((0.12, 0.2), (-0.12, 0.2), (0.16, 0.36), (-0.16, 0.36), (0.17, 0.5), (-0.17, 0.5)),
        *((0.08, 0.52), (-0.08, 0.52), (0.08, 0.75), (-0.08, 0.75), (0.08, 0.98), (-0.08, 0.98)),
    ]
)


def people_apart(hidden=0.0):
    """Return people far apart, each with the same hidden share."""
    x, y = np.meshgrid(np.linspace(60, SIZE_PX[0] - 60, 10), np.linspace(10, SIZE_PX[1] - 110, 5))
    keypoints = np.stack([x.ravel(), y.ravel()], axis=1)[:, None] + 100 * STANDING
    share, points = np.full(PEOPLE, hidden), np.zeros((PEOPLE, 17), bool)
    return CameraView(keypoints, boxes_px(keypoints), np.ones(PEOPLE), share, points, AT_REST)


def watch(model, view, dt_s=SELDOM_S, seed=0, frames=FRAMES):
    """Return the detections in images of people who do not move, taken every `dt_s`."""
    detector = Detector(model, Camera(PEOPLE), np.random.default_rng(seed))
    return [detector.see(view, dt_s) for _ in range(frames)]


def only(model, **kept):
    """Return the model without false positives and duplicates, except for what is given."""
    return replace(model, **({"false_per_image": 1e-9, "duplicates": 0.0} | kept))


def owners(view, poses):
    """Return (D,), the person of each detection."""
    return box_iou(view.boxes, poses.boxes).argmax(axis=0)


def found(view, pictures):
    """Return (F, N), true for people detected in each image."""
    return np.array([np.bincount(owners(view, p), minlength=PEOPLE) > 0 for p in pictures])


@pytest.fixture(params=MODELS.values(), ids=MODELS.keys())
def model(request):
    return request.param


@pytest.mark.parametrize("hidden", [0.0, 0.3, 0.6])
def test_number_of_misses_equals_the_model(model, hidden):
    view = people_apart(hidden)
    missed = ~found(view, watch(only(model), view))
    p = 1 / (1 + np.exp(-model.miss[0] - model.miss[1] * hidden))
    assert missed[1:].mean() == pytest.approx(p, abs=0.02)


@pytest.mark.parametrize("images", [1, 3], ids=["10 fps", "30 fps"])
def test_misses_are_correlated_over_time(model, images):
    view = people_apart(0.3)
    pictures = watch(only(model), view, OFTEN_S / images, frames=FRAMES * images)
    missed = ~found(view, pictures)
    p = 1 / (1 + np.exp(-model.miss[0] - model.miss[1] * 0.3))
    again = p + (1 - p) * np.exp(-OFTEN_S / model.miss_memory_s)
    assert missed[images:][missed[:-images]].mean() == pytest.approx(again, abs=0.06)


def test_people_hidden_by_more_than_three_quarters_are_not_detected(model):
    assert [len(p) for p in watch(only(model), people_apart(0.76), frames=20)] == [0] * 20


def test_box_and_keypoint_errors_equal_the_model(model):
    view = people_apart()
    boxes, points = [], []
    for poses in watch(only(model), view):
        who = owners(view, poses)
        boxes.append(poses.boxes - view.boxes[who])
        points.append(poses.keypoints - view.keypoints[who])
    height = view.boxes[0, 3] - view.boxes[0, 1]
    std = np.concatenate(boxes).std(axis=0) / height
    np.testing.assert_allclose(std, model.box_std, rtol=0.1)
    std = np.sqrt((np.concatenate(points) ** 2).mean(axis=(0, 2))) / height
    np.testing.assert_allclose(std[0], model.keypoint_std[0], rtol=0.05)
    np.testing.assert_allclose(std[[5, 6]], model.keypoint_std[3], rtol=0.05)
    np.testing.assert_allclose(std[[15, 16]], model.keypoint_std[8], rtol=0.05)


@pytest.mark.parametrize("images", [1, 3], ids=["10 fps", "30 fps"])
def test_box_errors_are_correlated_over_time(model, images):
    view = people_apart()
    sights = watch(only(model, miss=(-50.0, 0.0)), view, OFTEN_S / images, frames=FRAMES * images)
    errors = np.array([(p.boxes - view.boxes[owners(view, p)])[np.argsort(owners(view, p))]
                       for p in sights])  # fmt: skip
    left = errors[..., 0]
    correlation = (left[images:] * left[:-images]).mean() / (left**2).mean()
    assert correlation == pytest.approx(np.exp(-OFTEN_S / model.box_memory_s), abs=0.03)


def test_hidden_keypoints_have_lower_scores_and_larger_errors():
    model, view = MODELS["movenet_tiled"], people_apart()
    view.hidden_keypoints[:, 11:] = True
    errors, scores = [], []
    for poses in watch(only(model), view):
        errors.append(poses.keypoints - view.keypoints[owners(view, poses)])
        scores.append(np.log(poses.keypoint_scores / (1 - poses.keypoint_scores)))
    logits = np.concatenate(scores).mean(axis=0)
    assert logits[0] == pytest.approx(model.keypoint_score[0], abs=0.05)
    hidden = model.keypoint_score[8] + model.keypoint_score_hidden
    np.testing.assert_allclose(logits[15:], hidden, atol=0.05)
    height = view.boxes[0, 3] - view.boxes[0, 1]
    ankle = np.concatenate(errors)[:, 15].std() / height
    assert ankle == pytest.approx(model.keypoint_std[8] * model.keypoint_hidden_factor, rel=0.05)


@pytest.mark.parametrize("hidden", [0.0, 0.5])
def test_scores_equal_the_model(model, hidden):
    scores = np.concatenate([p.scores for p in watch(only(model), people_apart(hidden))])
    logits = np.log(scores / (1 - scores))
    assert logits.min() >= model.lowest_score - 1e-9
    middle = model.score[0] + model.score[1] * hidden
    assert np.median(logits) == pytest.approx(middle, abs=0.15)


def test_number_of_duplicates_equals_the_model(model):
    view = people_apart()
    pictures = watch(only(model, duplicates=model.duplicates), view)
    times = np.array([np.bincount(owners(view, p), minlength=PEOPLE) for p in pictures])
    assert times.max() <= 2
    doubled = (times == 2).sum() / (times > 0).sum()
    assert doubled == pytest.approx(model.duplicates, abs=0.002 + 0.1 * model.duplicates)


def test_number_and_lifetime_of_false_positives_equal_the_model(model):
    nobody = only(model, false_per_image=model.false_per_image, miss=(50.0, 0.0))
    wanted = model.false_per_image * SIZE_PX.prod() / (768 * 576)
    seldom = watch(nobody, people_apart())
    assert np.mean([len(p) for p in seldom]) == pytest.approx(wanted, abs=0.05 + 0.12 * wanted)
    pictures = watch(nobody, people_apart(), OFTEN_S)
    for lag in (1, 5):
        again = np.concatenate(
            [(box_iou(b.boxes, a.boxes) > 0.5).any(axis=1)
             for a, b in zip(pictures, pictures[lag:], strict=False) if len(b)]
        ).mean()  # fmt: skip
        stays = model.false_seen * np.exp(-lag * OFTEN_S / model.false_life_s)
        assert again == pytest.approx(stays, abs=0.13)


def test_detections_are_sorted_by_score_and_not_by_identity():
    view = people_apart()
    orders = []
    for poses in watch(MODELS["movenet_tiled"], view, frames=5):
        assert (np.diff(poses.scores) <= 0).all()
        orders.append(owners(view, poses)[:5].tolist())
    assert orders[0] != sorted(orders[0])


def test_the_same_seed_gives_the_same_detections():
    view, model = people_apart(), MODELS["movenet_tiled"]
    first, again, other = (watch(model, view, seed=seed, frames=5) for seed in (1, 1, 2))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.keypoints, b.keypoints)
        assert a.keypoints.shape != c.keypoints.shape or (a.keypoints != c.keypoints).any()
