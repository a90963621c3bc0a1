"""Inputs that cannot be right, or come in another form: what is used, and what is reported."""

import cv2
import numpy as np
import pytest
from compressed_depth_files import png, quantized, rvl
from depth_rig import CX, CY, FX, FY, SIZE, Rig, calibration, located, wall
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from poseflow_msgs.msg import TrackedPoseArray
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from ros_driver import depth_message, stamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def of_frame(depth, frame_id):
    message = depth_message(depth, 0.0)
    message.header.frame_id = frame_id
    return message


def assert_on_rays(array, depth_m, fx=FX, fy=FY, cx=CX, cy=CY):
    """Assert that every keypoint lies on the ray of its pixel, worked out for a pinhole."""
    assert located(array)
    for pose in array.poses:
        for keypoint, place in zip(pose.keypoints, pose.keypoints_3d, strict=True):
            if keypoint.score >= 0.2 and np.isfinite(place.point.z):
                expected = (
                    depth_m * (keypoint.x - cx) / fx, depth_m * (keypoint.y - cy) / fy, depth_m
                )  # fmt: skip
                found = (place.point.x, place.point.y, place.point.z)
                assert found == pytest.approx(expected, abs=2e-3)


# --- Frames and sizes


def test_depth_of_another_frame_is_not_used_unless_asked_for(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.calibrate()
    assert not located(rig.show(pedestrians[0], of_frame(wall(4.0), "depth_optical")))
    text = "depth has the frame_id 'depth_optical', the image 'camera'"
    rig.until_status(WARN, text)
    name = "/poseflow/set_parameters_atomically"
    values = [Parameter("depth.check_frames", value=False).to_parameter_msg()]
    assert driver.call(SetParametersAtomically, name, parameters=values).result.successful
    assert located(rig.show(pedestrians[0], of_frame(wall(4.0), "depth_optical")))


def test_camera_info_of_another_frame_is_not_used(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.calibrate(calibration(header=Header(frame_id="infra")))
    assert not located(rig.show(pedestrians[0]))
    rig.until_status(WARN, "camera_info has the frame_id 'infra', the image 'camera'")


@pytest.mark.parametrize("frame_id", ["/camera", "", "camera"])
def test_a_slash_or_no_frame_fits(frame_id, driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.calibrate(calibration(header=Header(frame_id=frame_id)))
    array = rig.show(pedestrians[0], of_frame(wall(4.0), frame_id))
    assert_on_rays(array, 4.0)
    assert array.frame_3d == "camera"
    assert rig.status()[2]["depth"] == "matched"


@pytest.mark.parametrize(
    ("depth_frame", "info_frame", "frame_3d"),
    [("depth", "info", "depth"), ("", "info", "info"), ("", "", "camera")],
)
def test_an_image_without_a_frame_still_has_a_frame_of_3d_positions(
    depth_frame, info_frame, frame_3d, driver, active_node, pedestrians
):
    rig = Rig(driver, active_node)
    rig.calibrate(calibration(header=Header(frame_id=info_frame)))
    array = rig.show(pedestrians[0], of_frame(wall(4.0), depth_frame), frame_id="")
    assert located(array)
    assert array.frame_3d == frame_3d
    rig.until_status(WARN, "the frame_id of the images is empty")


def test_a_leading_slash_is_left_out_everywhere(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.calibrate(calibration(header=Header(frame_id="/camera")))
    array = rig.show(pedestrians[0], of_frame(wall(4.0), "/camera"), frame_id="/camera")
    assert located(array)
    assert (array.header.frame_id, array.frame_3d) == ("camera", "camera")
    rig.until_status(WARN, "the frame_id of the images is '/camera': 'camera' is used")


def test_camera_info_of_another_size_does_not_place_markers(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    markers = driver.listen(MarkerArray, "/poseflow/markers")
    driver.until(lambda: rig.node.count_subscribers("/poseflow/markers"), "the subscription")
    rig.calibrate(calibration(height=288, width=384))
    rig.image.publish(stamped(pedestrians[0], 10.0))
    array = rig.answers(1)[0]
    driver.until(lambda: markers, "markers")
    (joints,) = [m for m in markers[0].markers if m.ns == "joints"][:1]
    person = next(p for p in array.poses if p.track_id == joints.id)
    shown = [k for k in person.keypoints if k.score >= 0.2]
    # As without a calibration: 53 degrees across, a focal length of 768 pixels.
    assert [p.x for p in joints.points] == pytest.approx(
        [3.0 * (k.x - 383.5) / 768 for k in shown], abs=1e-3
    )
    rig.until_status(WARN, "camera_info is for images of 384 x 288 pixels, these are 768 x 576")


def test_a_refused_camera_info_is_reported_and_ends_the_use_of_the_last(
    driver, active_node, pedestrians, capfd
):
    rig = Rig(driver, active_node)
    rig.calibrate()
    assert located(rig.show(pedestrians[0]))
    assert rig.status()[2]["depth"] == "matched"
    rig.info.publish(calibration(distortion_model="magic"))
    driver.until(lambda: rig.camera.projector.calibration is None, "the refusal")
    rig.until_status(WARN, "camera_info rejected: model must be one of")
    assert capfd.readouterr().err.count("camera_info rejected") == 1
    assert not located(rig.show(pedestrians[0]))
    assert "camera_info rejected" in rig.status()[2]["depth"]
    rig.calibrate()
    assert located(rig.show(pedestrians[0]))


def test_a_missing_camera_info_is_reported_where_there_is_depth(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.show(pedestrians[0])
    rig.until_status(
        WARN, "no camera_info on /camera_info: /driver is compatible but publishes nothing"
    )


def test_an_uncalibrated_camera_info_is_reported(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.info.publish(calibration(k=np.zeros(9)))
    rig.show(pedestrians[0])
    rig.until_status(WARN, "camera_info is uncalibrated: K is zero")


# --- Rectified images

P = np.array([600.0, 0, 400, 0, 0, 610, 300, 0, 0, 0, 1, 0])
DISTORTED = {"p": P, "d": [-0.3, 0.1, 0.0, 0.0, 0.0]}


@pytest.mark.parametrize(
    ("parameters", "topic"),
    [
        pytest.param({"cameras__rectified": ["true"]}, "/image", id="set"),
        pytest.param({"remap": ["image:=/cam/image_rect_color"]}, "/cam/image_rect_color",
                     id="by the topic"),
    ],
)  # fmt: skip
def test_p_applies_to_rectified_images(parameters, topic, driver, active_node, pedestrians, capfd):
    rig = Rig(driver, active_node, image_topic=topic, **parameters)
    rig.calibrate(calibration(**DISTORTED))
    assert_on_rays(rig.show(pedestrians[0]), 4.0, 600, 610, 400, 300)
    assert rig.status()[2]["rectified"] == "true"
    assert f"images on {topic} are rectified" in capfd.readouterr().err


def test_k_and_d_apply_to_a_topic_that_only_looks_rectified(
    driver, active_node, pedestrians, capfd
):
    rig = Rig(
        driver, active_node, image_topic="/image_rect", remap=["image:=/image_rect"],
        cameras__rectified=["false"],
    )  # fmt: skip
    rig.calibrate(calibration(p=P))
    assert_on_rays(rig.show(pedestrians[0]), 4.0)
    assert rig.status()[2]["rectified"] == "false"
    assert "are not rectified (cameras.rectified is false): K and D" in capfd.readouterr().err


# --- QoS and types

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_a_camera_info_latched_before_the_node_started_is_received(driver, active_node):
    driver.node.create_publisher(CameraInfo, "camera_info", LATCHED).publish(calibration())
    node = active_node(movenet__input_size=64)
    driver.until(lambda: node.cameras[""].projector.calibration, "the calibration")


def durability(node, topic):
    return [i.qos_profile.durability.name for i in node.get_subscriptions_info_by_topic(topic)]


def test_durability_follows_the_publishers_of_every_input(driver, active_node):
    node = active_node(movenet__input_size=64)
    for message_type, topic in ((Image, "image"), (CameraInfo, "camera_info"), (Image, "depth")):
        latched = driver.node.create_publisher(message_type, topic, LATCHED)
        driver.until(lambda t=topic: durability(node, f"/{t}") == ["TRANSIENT_LOCAL"], topic)
        volatile = driver.node.create_publisher(message_type, topic, 5)
        driver.until(lambda t=topic: durability(node, f"/{t}") == ["VOLATILE"], topic)
        for publisher in (latched, volatile):
            driver.node.destroy_publisher(publisher)


def test_qos_overrides_apply_to_subscriptions(driver, active_node, pedestrians):
    prefix = "qos_overrides./image.subscription"
    overrides = {f"{prefix}.reliability": "best_effort", f"{prefix}.depth": 7}
    node = active_node(movenet__input_size=64, overrides=overrides)
    heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
    camera = driver.camera()
    (info,) = node.get_subscriptions_info_by_topic("/image")
    assert info.qos_profile.reliability.name == "BEST_EFFORT"
    assert node.get_parameter(f"{prefix}.depth").value == 7
    driver.spin(1.5)  # the subscriptions look at the publishers once more
    (info,) = node.get_subscriptions_info_by_topic("/image")
    assert info.qos_profile.reliability.name == "BEST_EFFORT"
    stamp_s = 10.0
    while not heard:
        camera.publish(stamped(pedestrians[0], stamp_s))
        driver.spin(0.1)
        stamp_s += 0.1
        assert stamp_s < 20


def test_an_override_that_keeps_messages_out_is_named(driver, active_node):
    driver.node.create_publisher(Image, "depth", qos_profile_sensor_data)
    active_node(
        movenet__input_size=64,
        overrides={"qos_overrides./depth.subscription.reliability": "reliable"},
    )
    status = Status(driver)
    status.until(WARN, "/depth: /driver offers best effort, but qos_overrides require reliable")


def test_an_impossible_override_fails_with_one_line(driver, start_node, capfd):
    start_node(overrides={"qos_overrides./image.subscription.reliability": "perhaps"})
    assert driver.change("configure")
    assert not driver.change("activate")
    assert driver.state() == "inactive"
    said = [line for line in capfd.readouterr().err.splitlines() if "cannot activate" in line]
    assert len(said) == 1
    assert "qos_overrides./image.subscription" in said[0]


class Status:
    """The newest status of the camera."""

    def __init__(self, driver):
        self._driver = driver
        self._heard = driver.listen(DiagnosticArray, "/diagnostics")

    def until(self, level, text):
        def reported():
            for array in self._heard[-1:]:
                return array.status[0].level == level and text in array.status[0].message
            return False

        self._driver.until(reported, f"{level} and {text!r}")


@pytest.mark.parametrize(
    ("message_type", "topic", "parameters", "text"),
    [
        pytest.param(
            CompressedImage, "depth", {},
            "/driver publishes sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image; "
            "set depth.image_transport to compressed",
            id="compressed depth",
        ),
        pytest.param(
            Image, "depth", {"depth__image_transport": "compressed"},
            "set depth.image_transport to raw", id="raw depth",
        ),
        pytest.param(
            Image, "camera_info", {},
            "/driver publishes sensor_msgs/msg/Image, not sensor_msgs/msg/CameraInfo",
            id="an image for camera_info",
        ),
    ],
)  # fmt: skip
def test_a_wrong_type_is_reported_for_every_input(
    message_type, topic, parameters, text, driver, active_node
):
    driver.node.create_publisher(message_type, topic, 5)
    active_node(movenet__input_size=64, **parameters)
    Status(driver).until(WARN, text)


def test_a_compressed_image_topic_names_the_parameter(driver, active_node):
    driver.node.create_publisher(CompressedImage, "/cam/image/compressed", 5)
    active_node(movenet__input_size=64, remap=["image:=/cam/image/compressed"])
    Status(driver).until(WARN, "set cameras.image_transport to compressed")


# --- Depth


@pytest.mark.parametrize("kind", ["16UC1 png", "16UC1 rvl", "32FC1 png", "32FC1 rvl"])
def test_compressed_depth_locates_people(kind, driver, active_node, pedestrians):
    rig = Rig(driver, active_node, depth_type=CompressedImage, depth__image_transport="compressed")
    rig.calibrate()
    encoding, method = kind.split()
    if encoding == "16UC1":
        data = bytes(12) + {"png": png, "rvl": rvl}[method](np.full(SIZE, 4000, np.uint16))
    else:
        data = quantized(wall(4.0), method)
    depth = CompressedImage(format=f"{encoding}; compressedDepth {method}", data=data)
    depth.header.frame_id = "camera"
    array = rig.show(pedestrians[0], depth)
    # 32FC1 is quantized: at 4 m by 1.6 mm.
    assert {round(p.position.z, 2) for p in located(array)} == {4.0}
    assert rig.status()[2]["depth"] == "matched"


def test_an_image_is_not_a_depth_image(driver, active_node, pedestrians):
    rig = Rig(driver, active_node, depth_type=CompressedImage, depth__image_transport="compressed")
    rig.calibrate()
    jpeg = cv2.imencode(".jpg", pedestrians[0])[1].tobytes()
    assert not located(rig.show(pedestrians[0], CompressedImage(format="jpeg", data=jpeg)))
    rig.until_status(WARN, "compressed depth has the format 'jpeg'; allowed: 16UC1; compress")


def test_depth_in_millimetres_as_floats_is_not_used_and_the_unit_is_named(
    driver, active_node, pedestrians
):
    rig = Rig(driver, active_node)
    rig.calibrate()
    array = rig.show(pedestrians[0], wall(4000.0))
    assert array.poses and not located(array)
    rig.until_status(WARN, "probably in millimetres")


def test_depths_beyond_the_maximum_are_unknown(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.calibrate()
    assert not located(rig.show(pedestrians[0], wall(25.0)))
    name = "/poseflow/set_parameters_atomically"
    values = [Parameter("depth.max_m", value=30.0).to_parameter_msg()]
    assert driver.call(SetParametersAtomically, name, parameters=values).result.successful
    assert located(rig.show(pedestrians[0], wall(25.0)))


# --- 16-bit images


def mono16(image, bits):
    """Return the image in gray values of so many bits, in a message of 16."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint16) << (bits - 8)
    message = stamped(np.zeros((1, 1, 3), np.uint8), 0.0)
    message.height, message.width = gray.shape
    message.encoding, message.step = "mono16", 2 * gray.shape[1]
    message.data = type(message.data)("B", gray.tobytes())
    return message


@pytest.mark.parametrize(
    ("parameters", "described"),
    [({}, "(percentiles)"), ({"cameras__mono16_range": [0, 1023]}, "0 to 1023 (cameras.mono16")],
)
def test_people_in_16_bit_images_of_10_bits_are_found(
    parameters, described, driver, active_node, pedestrians, capfd
):
    rig = Rig(driver, active_node, **parameters)
    array = rig.show(mono16(pedestrians[0], 10))
    assert len(array.poses) >= 3
    assert described in rig.status()[2]["16-bit range"]
    rig.show(mono16(pedestrians[1], 10))
    said = [x for x in capfd.readouterr().err.splitlines() if "16-bit images" in x]
    assert len(said) == 1 and described in said[0]


# --- Cameras that are mounted sideways or upside down


def received(image, degrees):
    """Return what a camera sees that has to be turned clockwise by so many degrees."""
    return np.ascontiguousarray(np.rot90(image, degrees // 90))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_people_in_rotated_images_are_where_they_are_in_the_image(
    degrees, driver, active_node, pedestrians
):
    rig = Rig(driver, active_node, cameras__rotate=[degrees])
    markers = driver.listen(MarkerArray, "/poseflow/markers")
    annotated = driver.listen(Image, "/poseflow/annotated", qos_profile_sensor_data)
    for topic in ("markers", "annotated"):
        driver.until(lambda t=topic: rig.node.count_subscribers(f"/poseflow/{t}"), topic)
    image = received(pedestrians[0], degrees)
    height, width = image.shape[:2]
    rig.calibrate(calibration(height=height, width=width))
    array = rig.show(image, np.full((height, width), 4.0, np.float32))
    assert (array.image_width, array.image_height) == (width, height)
    assert len(array.poses) >= 3
    assert_on_rays(array, 4.0)
    up = {90: (-1, 0), 180: (0, 1), 270: (1, 0)}[degrees]
    for person in array.poses:
        points = np.array([(k.x, k.y, k.score) for k in person.keypoints])
        x1, y1, x2, y2 = person.box
        assert x1 < points[:, 0].mean() < x2 and y1 < points[:, 1].mean() < y2
        # Pedestrians stand: shoulders are above hips.
        assert (points[5:7, :2].mean(axis=0) - points[11:13, :2].mean(axis=0)) @ up > 0
    driver.until(lambda: markers, "markers")
    labels = {m.id: m.pose.position for m in markers[-1].markers if m.ns == "labels"}
    for person in located(array):
        head = np.array([labels[person.track_id].x, labels[person.track_id].y])
        middle = np.array([person.position.x, person.position.y])
        assert (head - middle) @ up > 0.2
    stamp_s = rig.stamp_s
    while not annotated:  # best effort: the first ones may be lost
        rig.show(image, np.full((height, width), 4.0, np.float32))
        driver.spin(0.1)
        assert rig.stamp_s < stamp_s + 5
    assert (annotated[0].width, annotated[0].height) == (width, height)


def test_keypoints_of_an_upside_down_camera_equal_those_of_an_upright_one(
    driver, start_node, pedestrians
):
    found = {}
    for name, degrees in (("upright", 0), ("upside_down", 180)):
        start_node(
            name, remap=[f"image:=/{name}/image"], tracker__association="classic",
            movenet__input_size=512, cameras__rotate=[degrees],
        )  # fmt: skip
        assert driver.change("configure", f"/{name}") and driver.change("activate", f"/{name}")
        heard = driver.listen(TrackedPoseArray, f"/{name}/tracked_poses")
        camera = driver.camera(topic=f"/{name}/image")
        camera.publish(stamped(received(pedestrians[0], degrees), 10.0))
        driver.until(lambda h=heard: h, "an answer")
        found[name] = np.array([[(k.x, k.y) for k in p.keypoints] for p in heard[0].poses])
    turned = np.array(SIZE[::-1]) - 1 - found["upside_down"]
    np.testing.assert_allclose(turned, found["upright"], atol=0.01)
