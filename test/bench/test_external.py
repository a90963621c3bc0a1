"""The array interface for programs that compare trackers."""

import numpy as np
import pytest
from people import make_person, together

from poseflow_ros.bench.external import make_tracker
from poseflow_ros.parameter_group import ConfigError


def call(track, poses, stamp_s):
    return track(poses.keypoints, poses.keypoint_scores, poses.boxes, poses.scores, stamp_s)


@pytest.mark.parametrize("association", ["robust", "classic"])
def test_ids_and_boxes_of_confirmed_visible_people_are_returned(association):
    track = make_tracker(association)
    for i in range(10):
        left, right = make_person(100 + 5 * i, 50, 200), make_person(600 - 5 * i, 50, 200)
        both = together(right, left) if i % 2 else together(left, right)
        ids, boxes = call(track, both, 0.1 * i)
        of = dict(zip(ids.tolist(), boxes.tolist(), strict=True))
        assert of == {1: left.boxes[0].tolist(), 2: right.boxes[0].tolist()}
    ids, boxes = call(track, left, 1.0)  # the other is lost
    assert ids.tolist() == [1]
    np.testing.assert_array_equal(boxes, left.boxes)
    ids, boxes = call(track, together(), 1.1)
    assert (ids.shape, boxes.shape) == ((0,), (0, 4))


def test_tentative_track_is_not_returned():
    ids, boxes = call(make_tracker("robust"), make_person(100, 50, 200, 0.45, 0.4), 0.0)
    assert (ids.shape, boxes.shape) == ((0,), (0, 4))


def test_two_trackers_share_nothing():
    one, other = make_tracker("robust"), make_tracker("robust")
    for x in (100, 500):
        for track in (one, other):
            ids, _ = call(track, make_person(x, 50, 200), 0.1 * x)
    assert ids.tolist() == [2]


def test_unknown_association_is_rejected():
    with pytest.raises(ConfigError, match="association is 'best', must be one of robust, classic"):
        make_tracker("best")
