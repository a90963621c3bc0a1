"""The poses of one frame: who overlaps whom, and who is found twice."""

from dataclasses import replace

import numpy as np
import pytest
from people import make_person, together, without_legs

from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking import detections as constants
from poseflow_ros.tracking.detections import Detections

pytestmark = pytest.mark.filterwarnings("error")

HEIGHT = 100.0
RED, BLUE = np.eye(4)[:2]
# From the top to the middle of the torso of people.make_person, in heights.
ANCHOR = 0.36


def detect(*people, appearances=None):
    appearances = np.zeros((len(people), 4)) if appearances is None else np.array(appearances)
    return Detections.of(together(*people), appearances, COCO_17)


def at(x, y=100.0, height=HEIGHT, **scores):
    return make_person(x, y, height, **scores)


def body_moved(pose, dx):
    """Return the pose with the same box, and all keypoints `dx` pixels off."""
    return replace(pose, keypoints=pose.keypoints + np.array([dx, 0]))


def test_properties_of_detections():
    poses = together(at(200), at(210, 100, 200))
    detections = Detections.of(poses, np.array([RED, BLUE]), COCO_17)
    assert len(detections) == 2
    assert detections.poses is poses
    np.testing.assert_allclose(detections.anchors,
                               [[200, 100 + 100 * ANCHOR], [210, 100 + 200 * ANCHOR]])  # fmt: skip
    np.testing.assert_allclose(detections.scales, [100, 200], rtol=0.03)
    assert detections.confidences == pytest.approx([0.85, 0.85])  # half 0.9, half 0.8
    assert detections.appearances.tolist() == [RED.tolist(), BLUE.tolist()]
    # 40 x 100 in 80 x 200, 30 px of the width: x from 180 to 220 and from 170 to 250.
    assert detections.overlaps == pytest.approx(np.array([[0, 0.25], [0.25, 0]]))


@pytest.mark.parametrize(
    ("score", "keypoint_score", "expected"),
    [
        pytest.param(0.9, 0.9, 0.9 - constants._NO_EVIDENCE, id="sure"),
        pytest.param(0.9, 0.1, 0.5 - constants._NO_EVIDENCE, id="the mean of both scores"),
        pytest.param(0.1, 0.3, 0.0, id="too weak to speak for a person"),
    ],
)
def test_existence_score_grows_with_confidence(score, keypoint_score, expected):
    detections = detect(at(200, score=score, keypoint_score=keypoint_score))
    assert detections.existence_gains == pytest.approx([expected])


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        pytest.param(400, True, id="apart"),
        pytest.param(230, True, id="10 of 70 px overlap"),
        pytest.param(226, False, id="14 of 66 px overlap"),
    ],
)
def test_isolated_detections_overlap_by_less_than_a_fifth(x, expected):
    assert detect(at(200), at(x)).isolated.tolist() == [expected, expected]
    assert detect(at(x)).isolated.tolist() == [True]


def test_frame_without_people():
    detections = Detections.of(Poses.empty(17), np.zeros((0, 4)), COCO_17)
    assert len(detections) == 0
    assert detections.anchors.shape == (0, 2)
    assert detections.scales.shape == detections.confidences.shape == (0,)
    assert detections.isolated.shape == detections.existence_gains.shape == (0,)
    assert detections.overlaps.shape == detections.duplicates.shape == (0, 0)


def box_moved(pose, dx):
    """Return the pose with the same keypoints, and the box `dx` pixels off."""
    return replace(pose, boxes=pose.boxes + np.array([dx, 0, dx, 0]))


# Boxes are 40 px wide: 10 px off they overlap by 30 / 50 = 0.6.
@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(at(203, 101), True, id="found twice"),
        pytest.param(at(200, 100, 130), True, id="the same place, larger"),
        pytest.param(body_moved(at(202), 40), True, id="a box overlaps by 0.9, another body"),
        pytest.param(box_moved(at(200), 25), True, id="another box, the same keypoints"),
        pytest.param(box_moved(at(203), 20), True, id="another box, the keypoints 3 px off"),
        pytest.param(without_legs(at(200), 0.5), True, id="a half body, the same keypoints"),
        pytest.param(without_legs(at(203, 101), 0.5), True, id="a half body, 3 px off"),
        pytest.param(box_moved(at(232), -22), False, id="two who embrace: boxes overlap by 0.6"),
        pytest.param(body_moved(at(225), 10), False, id="somebody beside"),
        pytest.param(at(400), False, id="somebody elsewhere"),
        pytest.param(box_moved(at(200), 200), False, id="the same keypoints, a box elsewhere"),
    ],
)
def test_similar_boxes_or_poses_are_duplicates(other, expected):
    detections = detect(at(200), other)
    assert detections.duplicates.tolist() == [[False, expected], [expected, False]]
    detections = detect(other, at(200))
    assert detections.duplicates.tolist() == [[False, expected], [expected, False]]


def test_people_who_embrace_are_not_duplicates():
    detections = detect(at(200), box_moved(at(232), -22))
    assert detections.overlaps[0, 1] == pytest.approx(0.6)


@pytest.mark.parametrize("seed", range(3), ids="seed {}".format)
def test_duplicates_are_symmetric_and_exclude_self(seed):
    rng = np.random.default_rng(seed)
    crowd = [at(*rng.uniform(100, 160, 2), rng.uniform(60, 160)) for _ in range(20)]
    duplicates = detect(*crowd).duplicates
    assert not duplicates.diagonal().any()
    assert 0 < duplicates.sum() < 380
    np.testing.assert_array_equal(duplicates, duplicates.T)
