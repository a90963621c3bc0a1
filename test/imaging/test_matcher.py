"""The image matcher: the cues that each association uses, and no more."""

import numpy as np
import pytest

from poseflow_ros.config import Config
from poseflow_ros.imaging.correspondence import BackgroundMatcher, OrbMatcher
from poseflow_ros.imaging.matcher import ImageMatcher
from poseflow_ros.poses import Poses

SCENE = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8).repeat(8, 0).repeat(8, 1)
KEYPOINTS = np.random.default_rng(4).uniform([100, 100], [200, 300], (2, 17, 2))
PEOPLE = Poses(KEYPOINTS, np.ones((2, 17)), [[100, 100, 200, 300]] * 2, np.ones(2))
NOBODY = Poses.empty(17)
LOOKS = np.eye(2, 5)


def shifted(dx):
    """Return the scene, what was at x is at x + dx."""
    return SCENE[40:440, 40 - dx : 600 - dx].copy()


def matcher(**parameters):
    return ImageMatcher(Config.from_parameters(parameters))


def correspondences_of(other, poses):
    """Return the correspondences that a matcher finds in the second image."""
    other.match(shifted(0), poses)
    return other.match(shifted(9), poses)


# parameters, what finds the correspondences
CASES = [
    pytest.param({}, BackgroundMatcher, id="as configured without parameters"),
    pytest.param({"tracker.association": "robust"}, BackgroundMatcher, id="robust"),
    pytest.param({"tracker.camera_motion": False}, None, id="robust, the camera stands"),
    pytest.param({"tracker.association": "classic"}, OrbMatcher, id="classic"),
    pytest.param(
        {"tracker.association": "classic", "tracker.camera_motion": False},
        OrbMatcher,
        id="classic, stands",
    ),
    pytest.param(
        {"tracker.association": "classic", "classic.orb_features": 0}, None, id="without ORB"
    ),
]


@pytest.mark.parametrize(("parameters", "finder"), CASES)
def test_each_association_gets_the_cues_it_uses(parameters, finder):
    one = matcher(**parameters)
    first = one.match(shifted(0), PEOPLE, LOOKS)
    cues = one.match(shifted(9), PEOPLE, LOOKS)
    assert first.correspondences.shape == (0, 4)
    assert first.camera_motion is None
    np.testing.assert_array_equal(cues.appearances, LOOKS)
    if finder is BackgroundMatcher:
        np.testing.assert_allclose(cues.camera_motion.linear, np.eye(2), atol=0.01)
        np.testing.assert_allclose(cues.camera_motion.shift, [9, 0], atol=1)
    else:
        assert cues.camera_motion is None
    if finder is None:
        assert cues.correspondences.shape == (0, 4)
        return
    other = finder(Config().classic) if finder is OrbMatcher else finder()
    np.testing.assert_array_equal(cues.correspondences, correspondences_of(other, PEOPLE))
    assert np.median(cues.correspondences[:, 2] - cues.correspondences[:, 0]) == pytest.approx(
        9, abs=0.5
    )


@pytest.mark.parametrize(("parameters", "finder"), CASES)
def test_reset_discards_the_previous_image(parameters, finder):
    one = matcher(**parameters)
    one.match(shifted(0), PEOPLE, LOOKS)
    one.reset()
    cues = one.match(shifted(9), PEOPLE, LOOKS)
    assert cues.camera_motion is None
    assert cues.correspondences.shape == (0, 4)
    cues = one.match(shifted(0), PEOPLE, LOOKS)
    assert (len(cues.correspondences) > 0) == (finder is not None)


@pytest.mark.parametrize(("parameters", "finder"), CASES)
def test_image_without_people_has_empty_cues(parameters, finder):
    one = matcher(**parameters)
    for dx in (0, 9):
        cues = one.match(shifted(dx), NOBODY, LOOKS[:0])
    assert cues.appearances.shape == (0, 5)
    assert (len(cues.correspondences) > 0) == (finder is BackgroundMatcher)
