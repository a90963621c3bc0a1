"""Texts of track ids and behaviors."""

import pytest
from bodies import LEFT, image_of, lying, raised_arm, sitting, standing
from frames import CONFIRMED, LOST, frame_of

from poseflow_ros.actions.behavior_labels import check_skeleton, track_labels
from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.parameter_group import ConfigError
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.crowdpose14 import CROWDPOSE_14
from poseflow_ros.skeletons.halpe26 import HALPE_26
from poseflow_ros.skeletons.wholebody133 import WHOLEBODY_133


def labels_after(seconds, people):
    """Return the labels of people who keep still, at 10 images a second."""
    recognizer = BehaviorRecognizer()
    for i in range(round(10 * seconds) + 1):
        frame = frame_of(people, 1.0 + i / 10)
        labels = track_labels(frame.track_ids, recognizer.update(frame))
    return labels


def test_a_label_has_track_id_posture_and_behaviors():
    people = [
        (7, CONFIRMED, image_of(raised_arm(standing(), LEFT))),
        (12, CONFIRMED, image_of(sitting())),
        (3, CONFIRMED, image_of(lying())),
    ]
    assert labels_after(1.0, people) == ["7 standing, hand raised", "12 sitting", "3 lying"]


def test_a_label_is_the_track_id_where_nothing_is_known_yet():
    assert labels_after(0.0, [(7, CONFIRMED, image_of(standing()))]) == ["7"]


def test_a_person_who_is_not_observed_has_only_the_track_id():
    people = [(1, LOST, image_of(standing())), (2, CONFIRMED, image_of(standing()))]
    assert labels_after(1.0, people) == ["1", "2 standing"]


@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26, WHOLEBODY_133], ids=lambda s: s.name)
def test_skeletons_that_begin_with_coco_have_behaviors(skeleton):
    check_skeleton(skeleton)


def test_another_skeleton_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=f"markers.behaviors is true, .*{CROWDPOSE_14.name}"):
        check_skeleton(CROWDPOSE_14)
