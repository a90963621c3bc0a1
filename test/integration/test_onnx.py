"""A node with an ONNX model: it configures, finds a person, and refuses what it cannot use."""

import cv2
import numpy as np
from onnx_models import heatmap_spot, one_stage_spot, save
from poseflow_msgs.msg import SkeletonDefinition, TrackedPoseArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_driver import stamped

CENTER = (300.5, 200.25)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def red_spot_image():
    image = np.full((481, 639, 3), 90, np.uint8)
    cv2.circle(image, [round(16 * x) for x in CENTER], 16 * 32, (250, 30, 30), -1, cv2.LINE_AA, 4)
    return image


def test_a_person_of_an_onnx_model_is_in_the_messages(driver, active_node, tmp_path, capfd):
    weights = save(tmp_path / "rtmo.onnx", one_stage_spot())
    skeletons = driver.listen(SkeletonDefinition, "/poseflow/skeleton", LATCHED)
    messages = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
    active_node(estimator__name="onnx", estimator__weights=str(weights))
    assert (
        "configured: ONNX one-stage pose model, coco17, 320 x 256 px, CPUExecutionProvider, "
        "float32" in capfd.readouterr().err
    )
    camera = driver.camera()
    stamp_s = 1.0
    while not (messages and messages[-1].poses):
        camera.publish(stamped(red_spot_image(), stamp_s))
        stamp_s += 0.1
        driver.spin(0.1)
    (person,) = messages[-1].poses
    assert len(person.keypoints) == 17
    found = [(keypoint.x, keypoint.y) for keypoint in person.keypoints]
    np.testing.assert_allclose(found, np.tile(CENTER, (17, 1)), atol=0.4)
    np.testing.assert_allclose([keypoint.score for keypoint in person.keypoints], 0.8, atol=1e-6)
    driver.until(lambda: skeletons, "the skeleton")
    assert skeletons[-1].name == messages[-1].skeleton == "coco17"


def test_a_top_down_model_without_a_detector_fails_configure_with_one_line(
    driver, start_node, tmp_path, capfd
):
    graph = heatmap_spot((0.0,) * 3, (1.0,) * 3, (4.0, 4.0))
    weights = save(tmp_path / "hrnet.onnx", graph)
    start_node(estimator__name="onnx", estimator__weights=str(weights))
    assert not driver.change("configure")
    assert driver.state() == "unconfigured"
    (line,) = [x for x in capfd.readouterr().err.splitlines() if "cannot configure" in x]
    assert "estimator.detector_weights is '', must be the path of a person detector" in line
