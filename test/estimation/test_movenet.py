"""MoveNet with its real model on real images: positions of people, and invalid models."""

import gc
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from poseflow_ros.config import Config, EstimatorConfig, MovenetConfig
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.estimation.guidance import Hint
from poseflow_ros.estimation.movenet import MOVENET_MULTIPOSE, MoveNet, verify
from poseflow_ros.estimation.movenet_passes import ParallelPasses
from poseflow_ros.estimation.weights import cached
from poseflow_ros.imaging.video import open_source
from poseflow_ros.poses import Poses
from poseflow_ros.tracking.predictions import Predictions
from poseflow_ros.tracking.similarity import box_iou

CONFIG = Config(estimator=EstimatorConfig(threads=2), movenet=MovenetConfig(tiles="1x1"))
SURE = 0.25  # the score of people whom the network finds in every view of the frame


@pytest.fixture(scope="module")
def model():
    return cached(MOVENET_MULTIPOSE)


@pytest.fixture(scope="module")
def movenet(model):
    estimator = MoveNet(CONFIG)
    yield estimator
    estimator.close()


@pytest.fixture(scope="module")
def frames(sample_video):
    images = [image for image, _ in islice(open_source(sample_video), 601)]
    return [images[i] for i in (450, 0, 300, 600)]


@pytest.fixture(scope="module")
def people(movenet, frames):
    """Return the people of the first frame, which the network's input shows without padding."""
    poses = movenet.estimate(frames[0])
    poses = poses[poses.scores >= SURE]
    assert len(poses) == 3
    return poses


def centres(poses):
    return (poses.boxes[:, :2] + poses.boxes[:, 2:]) / 2


def distances(one, other):
    """Return how far boxes and well seen keypoints are apart (median), pixels, per person of one.

    Each is compared with the person of `other` whose box's centre is nearest.
    """
    nearest = np.linalg.norm(centres(one)[:, None] - centres(other)[None], axis=2).argmin(axis=1)
    assert len(set(nearest)) == len(one)
    boxes = np.abs(one.boxes - other.boxes[nearest]).max(axis=1)
    apart = np.linalg.norm(one.keypoints - other.keypoints[nearest], axis=2)
    visible = one.keypoint_scores > 0.3
    return boxes, [np.median(d[v]) for d, v in zip(apart, visible, strict=True)]


def placed(frame, size, offset=(0, 0)):
    """Return a black image of (height, width) with the frame at (x, y) and what of it fits."""
    canvas = np.zeros((*size, 3), np.uint8)
    x, y = offset
    fits = frame[: size[0] - y, : size[1] - x]
    canvas[y : y + fits.shape[0], x : x + fits.shape[1]] = fits
    return canvas


# All have a long side of 768, so that people are as large as in the frame; their short side
# becomes one that the network's input, in steps of 32, must pad.
@pytest.mark.parametrize(
    ("view", "shift"),
    [
        pytest.param(lambda f: placed(f, (600, 768)), (0, 0), id="black below"),
        pytest.param(lambda f: placed(f, (768, 768), (0, 96)), (0, 96), id="black on both sides"),
        pytest.param(lambda f: placed(f, (700, 768), (0, 60)), (0, 60), id="on an uneven scale"),
        pytest.param(lambda f: f[:432], (0, 0), id="the upper part: 432 of 576 rows"),
        pytest.param(lambda f: f[91:], (0, -91), id="the lower part: 485 of 576 rows"),
        pytest.param(lambda f: placed(f[:, :500], (768, 500)), (0, 0), id="upright, left"),
        pytest.param(lambda f: placed(f[:, 268:], (768, 500)), (-268, 0), id="upright, right"),
    ],
)
def test_padding_is_undone(view, shift, movenet, frames, people):
    image = view(frames[0])
    assert max(image.shape) == 768
    poses = movenet.estimate(image)
    poses = poses[poses.scores >= SURE]
    assert len(poses)
    moved = Poses(poses.keypoints - shift, poses.keypoint_scores, poses.boxes - (*shift, *shift),
                  poses.scores)  # fmt: skip
    boxes, keypoints = distances(moved, people)
    assert max(boxes) < 8
    assert max(keypoints) < 3


# Eight times as large it is halved before it is scaled.
@pytest.mark.parametrize("times", [2, 8])
def test_upscaled_image_gives_the_same_people(times, movenet, frames):
    # The network's input is the same. The middle of a pixel becomes that of many.
    plain = movenet.estimate(frames[0])
    larger = movenet.estimate(frames[0].repeat(times, axis=0).repeat(times, axis=1))
    shift, atol = (times - 1) / 2, 0.005 * times
    np.testing.assert_allclose(larger.keypoints, times * plain.keypoints + shift, atol=atol)
    np.testing.assert_allclose(larger.boxes, times * plain.boxes + shift, atol=atol)
    np.testing.assert_allclose(larger.scores, plain.scores, atol=1e-3)


def test_a_larger_input_finds_the_same_people(frames, people):
    large = MoveNet(
        Config(
            estimator=EstimatorConfig(threads=2),
            movenet=MovenetConfig(tiles="1x1", input_size=768),
        )
    )
    poses = large.estimate(frames[0])
    large.close()
    boxes, keypoints = distances(people, poses)
    assert max(boxes) < 25
    assert max(keypoints) < 6


def test_keypoints_are_in_their_boxes_with_head_above_feet(people):
    x1, y1, x2, y2 = people.boxes.T
    assert ((x2 - x1 > 10) & (y2 - y1 > 1.5 * (x2 - x1))).all()
    inside = (people.keypoints >= people.boxes[:, None, :2] - 10) & (
        people.keypoints <= people.boxes[:, None, 2:] + 10
    )
    assert inside[people.keypoint_scores > 0.3].all()
    nose, ankles = people.keypoints[:, 0, 1], people.keypoints[:, 15:, 1].mean(axis=1)
    np.testing.assert_array_less(nose, ankles - 30)


def test_channels_are_red_green_blue(movenet, frames):
    def sureness(images):
        return sum(movenet.estimate(image).keypoint_scores.sum() for image in images)

    swapped = [np.ascontiguousarray(frame[:, :, ::-1]) for frame in frames]
    assert sureness(frames) > 1.1 * sureness(swapped)


@pytest.mark.parametrize(
    "size",
    [(1, 1), (32, 32), (1, 300), (300, 1), (640, 360), (576, 768), (2160, 3840)],
    ids=["1x1", "tiny", "a row", "a column", "upright", "video", "4K"],
)
def test_any_size_gives_finite_arrays(size, movenet):
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    poses = movenet.estimate(noise)
    assert 0 <= len(poses) <= 6
    assert poses.keypoints.shape == (len(poses), 17, 2)
    for array in (poses.keypoints, poses.keypoint_scores, poses.boxes, poses.scores):
        assert np.isfinite(array).all()


def test_image_may_have_any_strides(movenet, frames):
    bgr = np.ascontiguousarray(frames[0][:, :, ::-1])
    expected, poses = movenet.estimate(frames[0]), movenet.estimate(bgr[:, :, ::-1])
    np.testing.assert_array_equal(poses.keypoints, expected.keypoints)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_blank_image_gives_no_people(grey, movenet):
    assert len(movenet.estimate(np.full((480, 640, 3), grey, np.uint8))) == 0


def test_scores_are_within_0_and_1_and_most_people_s_above_a_tenth(movenet, frames):
    for frame in frames:
        poses = movenet.estimate(frame)
        assert len(poses)
        assert ((poses.scores >= 0.1) & (poses.scores <= 1)).all()
        assert ((poses.keypoint_scores >= 0) & (poses.keypoint_scores <= 1)).all()
        assert poses.keypoint_scores.max() > 0.5


def test_image_of_another_size_does_not_affect_later_results(model, movenet, frames):
    # 560 rows and 576 need an input of one size: what the larger leaves must not be seen.
    images = [frames[0], frames[0][:560], frames[0][:100], placed(frames[0], (768, 500))]
    images += [placed(frames[0], (768, 490)), frames[0]]
    for image in images:
        poses = movenet.estimate(image)
        fresh = MoveNet(CONFIG)
        expected = fresh.estimate(image)
        fresh.close()
        np.testing.assert_array_equal(poses.keypoints, expected.keypoints)
        np.testing.assert_array_equal(poses.boxes, expected.boxes)
        np.testing.assert_array_equal(poses.scores, expected.scores)


def test_input_image_is_not_modified(movenet, frames):
    before = frames[0].copy()
    movenet.estimate(frames[0])
    np.testing.assert_array_equal(frames[0], before)


def test_model_path_is_used(model, tmp_path, frames, people):
    path = tmp_path / "my model.tflite"
    path.symlink_to(model)
    config = Config(
        estimator=EstimatorConfig(weights=str(path), threads=2), movenet=CONFIG.movenet
    )
    estimator = make_estimator(config)
    poses = estimator.estimate(frames[0])
    estimator.close()
    np.testing.assert_array_equal(poses[poses.scores >= SURE].boxes, people.boxes)


def test_a_model_whose_name_is_not_utf_8_is_used(model, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.tflite")
    path.write_bytes(model.read_bytes())
    assert verify(path, Config()) == "MoveNet MultiPose"


def missing(path, model):
    return path


def folder(path, model):
    path.mkdir()
    return path


def empty(path, model):
    path.touch()
    return path


def random_bytes(path, model):
    path.write_bytes(np.random.default_rng(2).bytes(5000))
    return path


def half_a_model(path, model):
    path.write_bytes(model.read_bytes()[:4_000_000])
    return path


@pytest.mark.parametrize("make", [missing, folder, empty, random_bytes, half_a_model])
def test_other_file_is_rejected_by_name(make, model, tmp_path):
    path = make(tmp_path / "model.tflite", model)
    with pytest.raises(EstimatorError) as caught:
        MoveNet(Config(estimator=EstimatorConfig(weights=str(path))))
    assert "weights" in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_empty_cache_without_internet_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        EstimatorError, match=r"^estimator.weights is default, but .*weights fetch"
    ):
        MoveNet(CONFIG)


def threads():
    gc.collect()
    return len(list(Path("/proc/self/task").iterdir()))


def test_close_releases_the_threads(movenet):
    before = threads()
    estimators = [MoveNet(Config(estimator=EstimatorConfig(threads=3))) for _ in range(3)]
    assert threads() >= before + 3 * 2
    for estimator in estimators:
        estimator.close()
    assert threads() == before


def test_close_may_be_called_twice(model):
    estimator = MoveNet(CONFIG)
    estimator.close()
    estimator.close()


TILES = Config(estimator=EstimatorConfig(threads=2), movenet=MovenetConfig(tiles="3x2"))
GUIDED = Config(estimator=EstimatorConfig(threads=2))


@pytest.fixture(scope="module")
def tiled(model):
    estimator = MoveNet(TILES)
    yield estimator
    estimator.close()


def overlapping(poses, others):
    """Return (N,), whether a box of `others` is the same (IoU above a half)."""
    return box_iou(poses.boxes, others.boxes).max(axis=1, initial=0) > 0.5


def test_tiles_find_who_one_pass_finds_and_more(movenet, tiled, frames):
    n_single = n_tiled = 0
    for frame in frames:
        single, found = movenet.estimate(frame), tiled.estimate(frame)
        sure = single[single.scores >= SURE]
        assert overlapping(sure, found).all()
        n_single += len(sure)
        n_tiled += int((found.scores >= 0.5).sum())
    assert n_tiled > n_single


def test_a_person_in_two_tiles_is_found_once(tiled, frames):
    for frame in frames:
        found = tiled.estimate(frame)
        overlap = box_iou(found.boxes, found.boxes)
        assert np.triu(overlap, 1).max() <= 0.7


def test_who_is_expected_is_found_again_in_the_next_image(model, sample_video):
    estimator = MoveNet(GUIDED)
    before, shares = Poses.empty(17), []
    for i, (image, _) in enumerate(islice(open_source(sample_video), 12)):
        hint = Hint("", 0.1 * i, Predictions(np.arange(len(before)), before.boxes))
        (estimate,) = estimator.estimate_guided([image], [hint])
        assert len(estimate.unscanned_ids) == estimate.n_left_out == 0
        if i:
            assert len(before) >= 2
            shares.append(overlapping(before, estimate.poses).mean())
        before = estimate.poses[estimate.poses.scores >= 0.9]
    estimator.close()
    assert np.mean(shares) >= 0.75


@pytest.mark.parametrize(("keep_up", "n_left_out"), [(True, 3), (False, 0)])
def test_passes_are_left_out_where_time_is_short(model, frames, keep_up, n_left_out):
    movenet = MovenetConfig(tiles="auto", keep_up=keep_up)
    estimator = MoveNet(replace(GUIDED, movenet=movenet))
    # 768 x 576: the first image needs six tiles and the whole image, of which four are half.
    hint = Hint("", 1.0, Predictions.none(), budget_s=1e-6)
    (estimate,) = estimator.estimate_guided(frames[:1], [hint])
    assert estimate.n_left_out == n_left_out
    estimator.close()


def test_the_first_image_of_each_camera_is_scanned_completely(model, frames):
    estimator = MoveNet(GUIDED)
    hints = [Hint(name, 1.0, Predictions.none()) for name in ("front", "rear")]
    one, other = estimator.estimate_guided([frames[0], frames[0]], hints)
    np.testing.assert_array_equal(one.poses.boxes, other.poses.boxes)
    np.testing.assert_array_equal(one.poses.boxes, estimator.estimate(frames[0]).boxes)
    estimator.close()


def test_parallel_passes_give_what_one_after_the_other_gives(model, frames):
    crops = [frame[y : y + 300, x : x + 300] for frame in frames for x, y in ((0, 0), (400, 200))]
    answers = []
    for n_interpreters in (1, 3):
        passes = ParallelPasses(model, n_interpreters, 1, 0.1)
        answers.append(passes.run(crops, (256, 256)))
        passes.close()
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_close_gives_the_threads_of_parallel_passes_back(model):
    before = threads()
    estimator = MoveNet(Config(estimator=EstimatorConfig(threads=4)))
    estimator.estimate(np.zeros((576, 768, 3), np.uint8))
    assert threads() >= before + 3
    estimator.close()
    assert threads() == before
