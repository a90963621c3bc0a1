"""The axes of bodies, worked out from where their limbs are."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from bodies import lying, standing, turned
from scipy.spatial.transform import Rotation

from poseflow_ros.actions.frame import UP_OPTICAL
from poseflow_ros.ros.bridges.body_axes import body_axes

# In a camera's optical frame: x right, y down, z away from the camera.
RIGHT, DOWN, AWAY = np.eye(3)
PLACE = np.array([0.5, 1.0, 4.0])


def axes_of(points):
    origins, orientations = body_axes(points[None], np.full((1, 3), 9.0), UP_OPTICAL)
    return origins[0], Rotation.from_quat(orientations[0]).as_matrix().T


@pytest.mark.parametrize(
    ("body", "chest", "head"),
    [
        pytest.param(standing(), -AWAY, -DOWN, id="standing, facing the camera"),
        pytest.param(turned(standing(), 180), AWAY, -DOWN, id="standing, facing away"),
        pytest.param(turned(standing(), 90), None, -DOWN, id="standing, from the side"),
        pytest.param(lying(), -AWAY, RIGHT, id="lying, the head to the right"),
    ],
)
def test_x_points_out_of_the_chest_and_z_to_the_head(body, chest, head):
    origin, (x, y, z) = axes_of(body + PLACE)
    np.testing.assert_allclose(origin, body[11:13].mean(axis=0) + PLACE)
    np.testing.assert_allclose(z, head, atol=1e-9)
    if chest is None:  # a quarter turn: to one side
        assert abs(x @ RIGHT) == pytest.approx(1)
    else:
        np.testing.assert_allclose(x, chest, atol=1e-9)
    # y is the person's left: towards the left hip.
    assert y @ (body[11] - body[12]) > 0.2


@pytest.mark.parametrize("unknown", [5, 12], ids=["a shoulder", "a hip"])
def test_without_hips_or_shoulders_z_is_up_and_x_points_to_the_sensor(unknown):
    points = standing() + PLACE
    points[unknown] = np.nan
    position = np.array([[3.0, 0.5, 4.0]])
    origins, orientations = body_axes(points[None], position, UP_OPTICAL)
    x, _, z = Rotation.from_quat(orientations[0]).as_matrix().T
    np.testing.assert_allclose(origins, position)
    np.testing.assert_allclose(z, -DOWN, atol=1e-9)
    np.testing.assert_allclose(x, [-0.6, 0.0, -0.8], atol=1e-9)


def test_a_person_right_below_the_sensor_has_axes():
    points, position = np.full((1, 17, 3), np.nan), np.array([[0.0, 2.0, 0.0]])
    _, orientations = body_axes(points, position, UP_OPTICAL)
    matrix = Rotation.from_quat(orientations[0]).as_matrix()
    np.testing.assert_allclose(matrix[:, 2], -DOWN, atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_several_people_have_the_axes_of_each_alone():
    points = np.stack([standing() + PLACE, lying() - PLACE, standing() + PLACE])
    points[2, 5] = np.nan
    positions = points[:, 0]
    together = body_axes(points, positions, UP_OPTICAL)
    for i in range(3):
        alone = body_axes(points[i : i + 1], positions[i : i + 1], UP_OPTICAL)
        for all_values, value in zip(together, alone, strict=True):
            np.testing.assert_allclose(all_values[i], value[0], atol=1e-12)


def test_nobody_has_no_axes():
    origins, orientations = body_axes(np.zeros((0, 0, 3)), np.zeros((0, 3)), UP_OPTICAL)
    assert (origins.shape, orientations.shape) == ((0, 3), (0, 4))
