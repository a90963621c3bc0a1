"""Calibrations as they come: what is none, regions of interest, binning, and other sizes."""

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from sensor_msgs.msg import CameraInfo, RegionOfInterest

from poseflow_ros.ros.calibration import Calibration
from poseflow_ros.spatial.lens import Lens


def info(**fields):
    k = [500.0, 0.0, 320.0, 0.0, 400.0, 240.0, 0.0, 0.0, 1.0]
    fields = {"width": 640, "height": 480, "k": k, "distortion_model": "plumb_bob"} | fields
    return CameraInfo(**fields)


def test_zero_matrix_is_uncalibrated():
    assert Calibration.of(CameraInfo()) is None
    assert Calibration.of(info(k=[0.0] * 9)) is None


def test_calibration_fits_images_of_its_size_only():
    calibration = Calibration.of(info(d=[0.1, 0.0, 0.0, 0.0, 0.0]))
    assert calibration.lens == Lens(500.0, 400.0, 320.0, 240.0, (0.1, 0.0, 0.0, 0.0, 0.0))
    assert calibration.fits((480, 640))
    assert not calibration.fits((240, 320))


def test_calibration_without_size_fits_any_image():
    assert Calibration.of(info(width=0, height=0)).fits((7, 9))


def test_region_of_interest_moves_the_principal_point():
    roi = RegionOfInterest(x_offset=100, y_offset=50, width=320, height=240)
    calibration = Calibration.of(info(roi=roi))
    assert calibration.lens == Lens(500.0, 400.0, 220.0, 190.0)
    assert calibration.fits((240, 320))


def test_binning_scales_the_lens():
    # Pixels 0 and 1 become pixel 0, whose centre was at 0.5: 320 is where 159.75 is.
    calibration = Calibration.of(info(binning_x=2, binning_y=2))
    assert calibration.lens == Lens(250.0, 200.0, 159.75, 119.75)
    assert calibration.fits((240, 320))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"distortion_model": "magic"}, "model must be one of", id="a model"),
        pytest.param({"d": [0.1]}, "plumb_bob has", id="coefficients"),
        pytest.param({"d": [float("nan")] * 5}, "distortion must be finite", id="NaN"),
    ],
)
def test_invalid_calibration_is_reported(fields, said):
    with pytest.raises(ValueError, match=said):
        Calibration.of(info(**fields))
