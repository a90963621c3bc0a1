"""Labels of people with their behaviors, from tracked poses and 3D positions."""

import numpy as np
import pytest
from bodies import RIGHT, image_of, sitting, standing, with_arm

from poseflow_ros.actions.behavior_labels import track_labels
from poseflow_ros.imaging.rotation import Rotation
from poseflow_ros.pipeline import Frame
from poseflow_ros.poses import Poses, TrackedPoses, TrackState
from poseflow_ros.ros_data.camera_behaviors import CameraBehaviors
from poseflow_ros.ros_data.depth import People3D
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.spatial.projection import Points

UP = np.array([0.0, -1.0, 0.0])
SIZE = (480, 640)


def tracked(*bodies):
    images = np.array([image_of(body) for body in bodies])
    n, none = len(bodies), np.zeros(len(bodies))
    return TrackedPoses(
        Poses(images[..., :2], images[..., 2], np.tile([0.0, 0.0, 9.0, 9.0], (n, 1)), np.ones(n)),
        np.arange(1, n + 1),
        np.full(n, int(TrackState.CONFIRMED)),
        none, none, none, np.ones(n, np.int64), np.zeros((n, 2)),
    )  # fmt: skip


def labels_of(people, people_3d=None, degrees=0):
    """Return the labels after a second of images that a rotated camera sends."""
    rotation = Rotation(degrees)
    camera = CameraBehaviors(COCO_17, np.array([*rotation.up, 0.0]))
    for i in range(11):
        image = rotation.received(np.zeros((*SIZE, 3), np.uint8))
        frame = Frame(image, 5.0 + i / 10, 0, people, None)
        behaviors = camera.recognize(
            rotation.received_people(people, SIZE), people_3d,
            frame.stamp_s, frame.image.shape[:2], frame.epoch,
        )  # fmt: skip
    return track_labels(people.track_ids, behaviors)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_labels_of_a_rotated_camera_are_those_of_the_upright_image(degrees):
    people = tracked(standing(), sitting())
    assert labels_of(people, degrees=degrees) == ["1 standing", "2 sitting"]


def test_3d_positions_give_3d_behaviors():
    forwards = with_arm(standing(), RIGHT, (-0.5, 0.0, -1.0), (-0.5, 0.0, -1.0))
    positions = np.array([[0.0, 0.0, 4.0]])
    points = Points(forwards[None] + (0.0, 1.0, 4.0), np.zeros((1, 17)), positions)
    people_3d = People3D(points, np.array([[0.0, 0.0, -1.0]]), "camera", UP)
    (label,) = labels_of(tracked(forwards), people_3d)
    assert label == "1 standing, pointing, approaching"
    assert labels_of(tracked(forwards)) == ["1 standing"]
