"""Another appearance model can replace the color histograms, with its own constants."""

from dataclasses import replace

import numpy as np
import pytest
from people import make_person, together

from poseflow_ros.config import Config, TrackerConfig
from poseflow_ros.imaging.appearance import NoAppearance
from poseflow_ros.imaging.appearance_factory import make_appearance_model
from poseflow_ros.imaging.color_histograms import ColorHistograms
from poseflow_ros.pipeline import Pipeline
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.appearance_likelihood import NOT_COMPARED, AppearanceLikelihood

DT_S = 0.1
LEFT, RIGHT = make_person(100, 50, 200), make_person(300, 50, 200)
# Constants of a model that tells people apart, and of one that hardly does.
TELLING = AppearanceLikelihood(8.0, 20.0, 2.0, 0.5, 1, 1.2)
VAGUE = replace(TELLING, max_ratio=0.2)


class IdentityVectors:
    """A model that reads the identity from the color of the pixel at the centre of the box."""

    def __init__(self, likelihood):
        self.likelihood = likelihood

    def describe(self, images, poses):
        return [self._describe(*pair) for pair in zip(images, poses, strict=True)]

    def _describe(self, image, poses):
        x, y = ((poses.boxes[:, :2] + poses.boxes[:, 2:]) / 2).astype(int).T
        vectors = [np.random.default_rng(key).normal(size=64) for key in image[y, x, 0]]
        vectors = np.reshape(vectors, (-1, 64))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def painted(people):
    """Return an image with (person, identity) pairs, and their poses."""
    image = np.zeros((300, 500, 3), np.uint8)
    for person, identity in people:
        x1, y1, x2, y2 = person.boxes[0].astype(int)
        image[y1:y2, x1:x2] = identity
    return image, together(*(person for person, _ in people))


def ids_after_absence(model, identity):
    """Return the ids of the person at the left after all people were gone for two seconds.

    Before, identity 10 stood at the left as track 1 and identity 20 at the right as track 2.
    """
    pipeline = Pipeline(Config(), COCO_17, model.likelihood)
    scenes = [[(LEFT, 10), (RIGHT, 20)]] * 10 + [[]] * 20 + [[(LEFT, identity)]] * 10
    for i, scene in enumerate(scenes):
        image, poses = painted(scene)
        (appearances,) = model.describe([image], [poses])
        (frame,) = pipeline.track(image, poses, appearances, DT_S * i, None)
    tracked = frame.tracked[frame.tracked.visible]
    return tracked.track_ids.tolist()


@pytest.mark.parametrize(
    ("likelihood", "identity", "expected"),
    [
        pytest.param(TELLING, 10, [1], id="telling: the same person at the same place"),
        pytest.param(TELLING, 20, [2], id="telling: the other person, who has moved"),
        pytest.param(TELLING, 30, [3], id="telling: somebody new"),
        pytest.param(VAGUE, 20, [1], id="vague: the position decides"),
        pytest.param(VAGUE, 30, [1], id="vague: so it does where somebody is new"),
        pytest.param(NOT_COMPARED, 20, [1], id="not compared: the position decides"),
    ],
)
def test_reidentification_uses_the_model_with_its_constants(likelihood, identity, expected):
    assert ids_after_absence(IdentityVectors(likelihood), identity) == expected


@pytest.mark.parametrize(
    ("association", "model"), [("robust", ColorHistograms), ("classic", NoAppearance)]
)
def test_the_association_decides_whether_appearances_are_described(association, model):
    assert type(make_appearance_model(TrackerConfig(association=association), COCO_17)) is model


def test_without_a_model_every_image_has_no_appearances():
    model, image = NoAppearance(), np.zeros((10, 10, 3), np.uint8)
    shapes = [one.shape for one in model.describe([image] * 2, [together(LEFT, RIGHT), LEFT])]
    assert shapes == [(2, 0), (1, 0)]
    assert model.likelihood == NOT_COMPARED
