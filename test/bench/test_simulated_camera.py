"""The simulated camera: a pinhole that pans, tilts and rolls."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation as Turn

from poseflow_ros.bench.camera import Camera, ViewOffset
from poseflow_ros.bench.camera_motion import Rotation
from poseflow_ros.bench.scene import SCENES


@pytest.mark.parametrize("pan_deg", [-9.0, 9.0, 30.0], ids=["left", "right", "far right"])
def test_pan_moves_a_point_as_in_a_pinhole_camera(pan_deg):
    # The camera of this scene looks level: 9 degrees are what 90 deg/s turn it in 0.1 s.
    camera = Camera(8, SCENES["close"])
    offset = ViewOffset(camera.rotation(np.radians(pan_deg), 0.0, 0.0))
    aside = np.radians(12.0)
    point = np.array([5 * np.sin(aside), 1.0, 5 * np.cos(aside)])  # as high as the camera
    x, y = camera.project(point, offset)
    assert x == pytest.approx(384 + 600 * np.tan(aside - np.radians(pan_deg)))
    assert y == pytest.approx(288)


def test_tilt_moves_a_point_up_and_roll_rotates_the_image():
    camera = Camera(8, SCENES["close"])
    point = np.array([0.0, 1.0 - 5 * np.tan(0.1), 5.0])  # 0.1 rad below the horizon
    x, y = camera.project(point, ViewOffset(camera.rotation(0.0, 0.04, 0.0)))
    assert (x, y) == pytest.approx((384, 288 + 600 * np.tan(0.1 - 0.04)))
    below = 600 * np.tan(0.1)
    x, y = camera.project(point, ViewOffset(camera.rotation(0.0, 0.0, 0.2)))
    assert (x, y) == pytest.approx((384 + below * np.sin(0.2), 288 + below * np.cos(0.2)))


@pytest.mark.parametrize("scene", ["street", "close"])
def test_pan_axis_is_vertical_for_a_pitched_camera(scene):
    camera = Camera(8, SCENES[scene])
    points = np.random.default_rng(0).uniform([-3, 0, 6], [3, 2, 15], (50, 3))
    turned = Turn.from_euler("y", -25, degrees=True).apply(points)  # the world, the other way
    offset = ViewOffset(camera.rotation(np.radians(25), 0.0, 0.0))
    np.testing.assert_allclose(camera.project(points, offset), camera.project(turned), atol=1e-9)


@pytest.mark.parametrize("rate_deg_s", [30.0, 90.0])
def test_rotating_camera_pans_at_the_given_rate_to_both_sides_and_rests(rate_deg_s):
    camera = Camera(8, SCENES["close"])
    motion = Rotation(camera, np.random.default_rng(0), rate_deg_s)
    turns = Turn.from_matrix([motion.at(k / 200).rotation for k in range(200 * 60)])
    rates = np.degrees((turns[1:] * turns[:-1].inv()).magnitude()) * 200
    assert 0.95 * rate_deg_s < rates.max() < rate_deg_s + 12  # roll and tilt add to the pan
    assert 0.1 < (rates < 12).mean() < 0.9
    pan_deg = turns.as_euler("zxy", degrees=True)[:, 2]
    assert -26 < pan_deg.min() < -15
    assert 15 < pan_deg.max() < 26


def test_background_points_move_as_distant_points():
    camera = Camera(8, SCENES["street"])
    before, now = (
        ViewOffset(camera.rotation(*angles)) for angles in ((0.1, 0, 0.02), (0.3, 0.02, 0))
    )
    far = np.random.default_rng(0).uniform([-300, -100, 900], [300, 100, 1000], (40, 3))
    moved = camera.move(camera.project(far, before), before, now)
    np.testing.assert_allclose(moved, camera.project(far, now), atol=1e-6)
