"""The image matcher: what each association looks at, and nothing else."""

import numpy as np
import pytest

from poseflow_ros.config import Config
from poseflow_ros.imaging.appearance import ColourAppearance
from poseflow_ros.imaging.correspondence import BackgroundMatcher, OrbMatcher
from poseflow_ros.imaging.matcher import ImageMatcher
from poseflow_ros.poses import Poses

SCENE = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8).repeat(8, 0).repeat(8, 1)
KEYPOINTS = np.random.default_rng(4).uniform([100, 100], [200, 300], (2, 17, 2))
PEOPLE = Poses(KEYPOINTS, np.ones((2, 17)), [[100, 100, 200, 300]] * 2, np.ones(2))
NOBODY = Poses.empty(17)


def shifted(dx):
    """Return the scene, what was at x is at x + dx."""
    return SCENE[40:440, 40 - dx : 600 - dx].copy()


def matcher(**parameters):
    return ImageMatcher(Config.from_parameters(parameters))


def same_as(other, poses):
    """Return what another matcher of correspondences says to the second image."""
    other.match(shifted(0), poses)
    return other.match(shifted(9), poses)


# parameters, dimensions of an appearance, what finds the correspondences
CASES = [
    pytest.param({}, 80, BackgroundMatcher, id="as configured without parameters"),
    pytest.param({"tracker.association": "robust"}, 80, BackgroundMatcher, id="robust"),
    pytest.param({"tracker.camera_motion": False}, 80, None, id="robust, the camera stands"),
    pytest.param({"tracker.association": "classic"}, 0, OrbMatcher, id="classic"),
    pytest.param(
        {"tracker.association": "classic", "tracker.camera_motion": False},
        0,
        OrbMatcher,
        id="classic, stands",
    ),
    pytest.param(
        {"tracker.association": "classic", "classic.orb_features": 0}, 0, None, id="without ORB"
    ),
]


@pytest.mark.parametrize(("parameters", "dimensions", "finder"), CASES)
def test_each_association_gets_what_it_looks_at(parameters, dimensions, finder):
    one = matcher(**parameters)
    first, _ = one.match(shifted(0), PEOPLE)
    matches, appearances = one.match(shifted(9), PEOPLE)
    assert first.shape == (0, 4)
    assert appearances.shape == (2, dimensions)
    if dimensions:
        expected = ColourAppearance().describe(shifted(9), PEOPLE)
        assert expected.any()
        np.testing.assert_array_equal(appearances, expected)
    if finder is None:
        assert matches.shape == (0, 4)
        return
    other = finder(Config().classic) if finder is OrbMatcher else finder()
    np.testing.assert_array_equal(matches, same_as(other, PEOPLE))
    assert np.median(matches[:, 2] - matches[:, 0]) == pytest.approx(9, abs=0.5)


@pytest.mark.parametrize(("parameters", "dimensions", "finder"), CASES)
def test_a_reset_forgets_the_image_before(parameters, dimensions, finder):
    one = matcher(**parameters)
    one.match(shifted(0), PEOPLE)
    one.reset()
    matches, appearances = one.match(shifted(9), PEOPLE)
    assert (matches.shape, appearances.shape) == ((0, 4), (2, dimensions))
    matches, _ = one.match(shifted(0), PEOPLE)
    assert (len(matches) > 0) == (finder is not None)


@pytest.mark.parametrize(("parameters", "dimensions", "finder"), CASES)
def test_nobody_has_no_appearance(parameters, dimensions, finder):
    one = matcher(**parameters)
    for dx in (0, 9):
        matches, appearances = one.match(shifted(dx), NOBODY)
    assert appearances.shape == (0, dimensions)
    assert (len(matches) > 0) == (finder is BackgroundMatcher)
