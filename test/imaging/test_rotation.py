"""Images that are made upright, and people who are taken back to the image as received."""

import numpy as np
import pytest

from poseflow_ros.imaging.rotation import Rotation
from poseflow_ros.poses import Poses, TrackedPoses

RED, BLUE = (255, 0, 0), (0, 0, 255)


def tracked(keypoints, box, velocity):
    ones = np.ones(1)
    return TrackedPoses(
        poses=Poses(np.array([keypoints]), np.ones((1, len(keypoints))), [box], ones),
        track_ids=np.array([7]),
        states=np.array([1]),
        match_scores=ones,
        ages_s=ones,
        time_since_update_s=np.zeros(1),
        hits=np.array([3]),
        velocities=np.array([velocity]),
    )


# A head at the top of the upright image of each, where it is in an image of 5 x 4 pixels as
# received, and the upward direction there.
MOUNTS = [
    pytest.param(0, (1, 0), (0, -1), id="upright"),
    pytest.param(90, (0, 1), (-1, 0), id="its left side up"),
    pytest.param(180, (1, 3), (0, 1), id="upside down"),
    pytest.param(270, (4, 1), (1, 0), id="its right side up"),
]


@pytest.mark.parametrize(("degrees", "head", "up"), MOUNTS)
def test_the_head_is_at_the_top_of_the_upright_image(degrees, head, up):
    received = np.zeros((4, 5, 3), np.uint8)
    received[head[1], head[0]] = RED
    rotation = Rotation(degrees)
    upright = rotation.upright(received)
    assert upright.flags.c_contiguous
    (row,), (column,) = np.nonzero(upright[:, :, 0])
    assert row == 0
    assert rotation.up.tolist() == list(up)
    np.testing.assert_array_equal(rotation.received(upright), received)
    person = tracked([[column, row]], [column - 1, row, column + 1, row + 2], [0, -3])
    back = rotation.received_people(person, upright.shape[:2])
    assert back.poses.keypoints[0, 0].tolist() == list(head)
    assert back.velocities[0].tolist() == [3 * up[0], 3 * up[1]]
    x1, y1, x2, y2 = back.poses.boxes[0]
    assert x1 < x2 and y1 < y2
    # The box begins at the head and extends by two pixels away from it, by one to both sides.
    assert x1 <= head[0] <= x2 and y1 <= head[1] <= y2
    assert sorted((x2 - x1, y2 - y1)) == [2, 2]
    assert ((x1 + x2) / 2 + up[0], (y1 + y2) / 2 + up[1]) == head
    assert (back.track_ids.tolist(), back.hits.tolist()) == ([7], [3])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_every_pixel_comes_back_to_its_place(degrees):
    rotation, (height, width) = Rotation(degrees), (6, 9)
    y, x = np.mgrid[:height, :width]
    received = np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)
    upright = rotation.upright(received)
    points = np.argwhere(np.ones(upright.shape[:2]))[:, ::-1].astype(float)
    back = rotation.received_people(tracked(points, [0, 0, 1, 1], [0, 0]), upright.shape[:2])
    expected = upright[points[:, 1].astype(int), points[:, 0].astype(int), :2]
    np.testing.assert_array_equal(back.poses.keypoints[0], expected)


def test_without_rotation_nothing_is_copied():
    image, person = np.zeros((4, 5, 3), np.uint8), tracked([[1, 2]], [0, 0, 1, 1], [0, 0])
    assert Rotation(0).upright(image) is image
    assert Rotation(0).received_people(person, (4, 5)) is person


def test_nobody_is_rotated():
    nobody = tracked([[1, 2]], [0, 0, 1, 1], [0, 0])[:0]
    assert len(Rotation(90).received_people(nobody, (4, 5))) == 0
