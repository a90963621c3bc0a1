"""Rays of light and their pixels: what OpenCV projects comes back."""

import cv2
import numpy as np
import pytest

from poseflow_ros.spatial.lens import Lens

PINHOLE = {"fx": 500.0, "fy": 400.0, "cx": 320.0, "cy": 240.0}
MATRIX = np.array([[500.0, 0, 320], [0, 400.0, 240], [0, 0, 1]])
RAYS = np.stack(np.meshgrid(np.linspace(-0.6, 0.6, 9), np.linspace(-0.5, 0.5, 7)), axis=-1)

PLUMB_BOB = (-0.28, 0.08, 0.001, -0.0005, -0.01)
RATIONAL = (0.5, -2.6, 0.0005, -0.0001, 1.5, 0.38, -2.4, 1.45)
EQUIDISTANT = (-0.03, 0.01, -0.008, 0.002)


def projected(rays, coefficients, project=cv2.projectPoints):
    points = np.dstack([rays, np.ones(rays.shape[:2])]).reshape(-1, 1, 3)
    pixels, _ = project(points, np.zeros(3), np.zeros(3), MATRIX, np.array(coefficients))
    return pixels.reshape(rays.shape)


def test_a_pinhole_by_hand():
    rays = Lens(**PINHOLE).rays(np.array([[320.0, 240.0], [420.0, 40.0]]))
    assert rays == pytest.approx(np.array([[0, 0], [0.2, -0.5]]))


@pytest.mark.parametrize(
    ("model", "coefficients", "project"),
    [
        pytest.param("plumb_bob", PLUMB_BOB, cv2.projectPoints, id="plumb_bob"),
        pytest.param("plumb_bob", PLUMB_BOB[:4], cv2.projectPoints, id="plumb_bob of 4"),
        pytest.param("rational_polynomial", RATIONAL, cv2.projectPoints, id="rational"),
        pytest.param("equidistant", EQUIDISTANT, cv2.fisheye.projectPoints, id="equidistant"),
        pytest.param("equidistant", (0.0,) * 4, cv2.fisheye.projectPoints, id="only a fisheye"),
    ],
)
def test_projection_inverts_rays(model, coefficients, project):
    pixels = projected(RAYS, coefficients, project)
    lens = Lens(**PINHOLE, distortion=coefficients, model=model)
    assert np.abs(pixels - projected(RAYS, (0.0,) * 5)).max() > 5
    np.testing.assert_allclose(lens.rays(pixels), RAYS, atol=1e-5)


def test_a_fisheye_by_hand():
    # A pixel's distance from the centre is the angle: 45 degrees are pi / 4 of the focal length.
    lens = Lens(**PINHOLE, model="equidistant")
    rays = lens.rays(np.array([[320 + 500 * np.pi / 4, 240.0]]))
    assert rays == pytest.approx(np.array([[1.0, 0.0]]), abs=1e-6)


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial"])
def test_without_coefficients_it_is_a_pinhole(model):
    pixels = np.array([[1.0, 2.0]])
    expected = Lens(**PINHOLE).rays(pixels)
    zeros = Lens(**PINHOLE, distortion=(0.0,) * (5 if model == "plumb_bob" else 8), model=model)
    assert (zeros.rays(pixels) == expected).all()
    assert (Lens(**PINHOLE, model=model).rays(pixels) == expected).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("coefficients", [(), PLUMB_BOB])
def test_nan_pixel_has_no_ray(coefficients):
    lens = Lens(**PINHOLE, distortion=coefficients)
    rays = lens.rays(np.array([[np.nan, 3.0], [320.0, 240.0], [np.inf, 3.0]]))
    assert np.isnan(rays[0, 0])
    assert np.isnan(rays[2, 0])
    assert rays[1] == pytest.approx([0, 0])
    assert lens.rays(np.zeros((0, 17, 2))).shape == (0, 17, 2)


def test_unreachable_pixel_has_no_ray():
    # With k1 = -0.3 no ray goes farther out than r (1 - 0.3 r^2) at r = sqrt(1 / 0.9): 0.703.
    lens = Lens(**PINHOLE, distortion=(-0.3, 0, 0, 0), model="plumb_bob")
    rays = lens.rays(np.array([[320 + 500 * 0.69, 240.0], [320 + 500 * 0.75, 240.0]]))
    assert np.isfinite(rays[0]).all()
    assert np.isnan(rays[1]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("focal", [5e-324, 1e-300, 1e-5])
def test_ray_parallel_to_the_image_plane_is_invalid(focal):
    lens = Lens(focal, focal, 320.0, 240.0)
    rays = lens.rays(np.array([[320.0, 240.0], [420.0, 40.0]]))
    assert rays[0] == pytest.approx([0, 0])
    assert np.isnan(rays[1]).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fx": 0.0}, "fx must be finite and above 0, got 0.0"),
        ({"fy": -1.0}, "fy must be finite and above 0, got -1.0"),
        ({"fx": np.nan}, "fx must be finite and above 0, got nan"),
        ({"fx": np.inf}, "fx must be finite and above 0, got inf"),
        ({"cx": np.nan}, "cx must be finite, got nan"),
        ({"cy": np.inf}, "cy must be finite, got inf"),
        ({"distortion": (np.nan, 0, 0, 0)}, "distortion must be finite, got"),
        ({"model": "pinhole"}, "model must be one of plumb_bob, .*, got pinhole"),
        ({"distortion": (0.0,) * 3}, "plumb_bob has 0, 4 or 5 coefficients, got 3"),
        (
            {"distortion": (0.0,) * 5, "model": "equidistant"},
            "equidistant has 0 or 4 coefficients, got 5",
        ),
    ],
)
def test_invalid_lens_is_rejected(values, message):
    with pytest.raises(ValueError, match=message):
        Lens(**(PINHOLE | values))
