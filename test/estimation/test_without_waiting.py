"""People found without waiting for the device, here on the CPU: torchvision's, to rounding."""

import numpy as np
import pytest

pytest.importorskip("torchvision", reason="torchvision does not import")

import torch
from estimators import estimator_maker
from test_keypoint_rcnn import assert_as_expected, expected, picture, saved, small_model

from poseflow_ros.estimation import proposals, suppression
from poseflow_ros.estimation.padded_people import PaddedPeople, padded


@pytest.fixture(scope="module")
def library():
    return small_model()


@pytest.fixture(scope="module")
def estimator(library, tmp_path_factory):
    weights = saved(library, tmp_path_factory.mktemp("weights"))
    with estimator_maker(
        name="keypoint_rcnn", weights=weights, device="cpu", min_person_score=0.0, threads=1,
        image_min_side=64, image_max_side=128, max_people=5,
    ) as make:  # fmt: skip
        yield make()


@pytest.fixture
def as_on_gpu(monkeypatch):
    """Suppress as on a GPU, where reading a value makes the host wait."""
    for module in (suppression, proposals):
        monkeypatch.setattr(module, "waits_for_free", lambda _: False)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(97, 61), (60, 160), (1, 60)], ids=str)
def test_the_people_are_torchvision_s(size, estimator, library, as_on_gpu):
    image, before = picture(*size), estimator.fallbacks
    answer = expected(library, image, min_side=64, max_side=128)
    assert_as_expected(estimator.estimate(image), answer)
    assert estimator.fallbacks == before


@pytest.mark.slow
def test_a_batch_that_does_not_settle_is_found_as_by_torchvision_and_counted(
    estimator, library, as_on_gpu, monkeypatch
):
    monkeypatch.setattr(suppression, "_ROUNDS", 1)
    images, before = [picture(60, 80, seed) for seed in (0, 1)], estimator.fallbacks
    for poses, image in zip(estimator.estimate_batch(images), images, strict=True):
        assert_as_expected(poses, expected(library, image, min_side=64, max_side=128))
    assert estimator.fallbacks == before + 1
    counted = estimator.values()["batches with the library's own suppression"]
    assert counted == str(estimator.fallbacks)


def test_numbers_of_people_are_padded():
    numbers = {n: padded(n) for n in (1, 2, 3, 5, 8, 9, 17, 20, 21, 60, 61)}
    assert list(numbers.values()) == [1, 2, 4, 8, 8, 16, 20, 20, 40, 60, 80]


def test_the_first_people_are_those_of_the_first_image_and_then_of_the_next():
    boxes = torch.arange(24.0).view(2, 3, 4)
    scores = torch.tensor([[0.9, 0.0, 0.0], [0.8, 0.7, 0.0]])
    people = PaddedPeople(boxes, scores, torch.ones((), dtype=torch.bool))
    regions, found = people.first(4)
    assert regions[:3].tolist() == [
        [0.0, *range(4)],
        [1.0, *range(12, 16)],
        [1.0, *range(16, 20)],
    ]
    np.testing.assert_allclose(found.tolist(), [0.9, 0.8, 0.7, 0.0])
