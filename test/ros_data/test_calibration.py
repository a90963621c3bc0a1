"""Calibrations as they come: what is none, regions of interest, binning, other sizes, P."""

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from poseflow_ros.ros_data.calibration import Calibration, CalibrationStore
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
    assert calibration.problem("", (480, 640)) == ""
    assert "is for images of 640 x 480 pixels, these are 320 x 240" in (
        calibration.problem("", (240, 320))
    )


def test_calibration_without_size_fits_any_image():
    assert Calibration.of(info(width=0, height=0)).problem("", (7, 9)) == ""


def test_region_of_interest_moves_the_principal_point():
    roi = RegionOfInterest(x_offset=100, y_offset=50, width=320, height=240)
    calibration = Calibration.of(info(roi=roi))
    assert calibration.lens == Lens(500.0, 400.0, 220.0, 190.0)
    assert calibration.problem("", (240, 320)) == ""


def test_binning_scales_the_lens():
    # Pixels 0 and 1 become pixel 0, whose centre was at 0.5: 320 is where 159.75 is.
    calibration = Calibration.of(info(binning_x=2, binning_y=2))
    assert calibration.lens == Lens(250.0, 200.0, 159.75, 119.75)
    assert calibration.problem("", (240, 320)) == ""


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


P = [480.0, 0.0, 310.0, -57.6, 0.0, 470.0, 235.0, 0.0, 0.0, 0.0, 1.0, 0.0]
D = [-0.3, 0.1, 0.0, 0.0, 0.0]


def test_p_applies_to_rectified_images_and_not_k_and_d():
    assert Calibration.of(info(d=D, p=P), rectified=True).lens == Lens(480.0, 470.0, 310.0, 235.0)
    assert Calibration.of(info(d=D, p=P)).lens == Lens(500.0, 400.0, 320.0, 240.0, tuple(D))


def test_p_is_binned_and_cropped_like_k():
    roi = RegionOfInterest(x_offset=100, y_offset=50, width=320, height=240)
    calibration = Calibration.of(info(p=P, roi=roi, binning_x=2, binning_y=2), rectified=True)
    assert calibration.lens == Lens(240.0, 235.0, 104.75, 92.25)
    assert calibration.size == (120, 160)


def test_without_p_k_applies_to_rectified_images_only_where_nothing_is_distorted():
    assert Calibration.of(info(), rectified=True).lens == Lens(500.0, 400.0, 320.0, 240.0)
    with pytest.raises(ValueError, match="P is zero, which rectified images need"):
        Calibration.of(info(d=D), rectified=True)


def test_a_model_is_accepted_by_the_name_of_a_driver():
    coefficients = (0.1, 0.2, 0.3, 0.4)
    calibration = Calibration.of(info(distortion_model="fisheye", d=coefficients))
    assert calibration.lens == Lens(500.0, 400.0, 320.0, 240.0, coefficients, "equidistant")


FRAMES = [
    pytest.param("camera", "camera", "", id="the same"),
    pytest.param("/camera", "camera", "", id="a slash"),
    pytest.param("", "camera", "", id="camera_info without a frame"),
    pytest.param("camera", "", "", id="an image without a frame"),
    pytest.param(
        "depth", "camera", "camera_info has the frame_id 'depth', the image 'camera'", id="another"
    ),
]


@pytest.mark.parametrize(("frame_id", "image_frame_id", "problem"), FRAMES)
def test_a_calibration_is_for_images_of_its_frame(frame_id, image_frame_id, problem):
    calibration = Calibration.of(info(header=Header(frame_id=frame_id)))
    assert calibration.problem(image_frame_id, (480, 640)) == problem
    assert calibration.problem(image_frame_id, (480, 640), check_frames=False) == ""


def test_the_newest_message_counts_and_a_refused_one_leaves_no_calibration():
    store = CalibrationStore(rectified=False)
    assert (store.received, store.problem) == (False, "no calibrated camera_info received yet")
    store.update(info())
    assert store.calibration is not None and store.problem == ""
    store.update(info(distortion_model="magic"))
    assert store.calibration is None
    assert store.problem.startswith("camera_info rejected: model must be one of")
    assert store.problem_for("camera", (480, 640), True) == store.problem
    store.update(info(k=[0.0] * 9))
    assert store.problem == "camera_info is uncalibrated: K is zero"
    store.update(info())
    assert store.problem_for("camera", (480, 640), True) == ""
    assert "these are 320 x 240" in store.problem_for("camera", (240, 320), True)
