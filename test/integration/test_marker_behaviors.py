"""Behaviors in the markers of the node."""

from onnx_models import detector_spot, save, simcc_spot
from poseflow_msgs.msg import TrackedPoseArray
from ros_driver import stamped
from visualization_msgs.msg import MarkerArray


def test_marker_labels_show_behaviors_where_the_parameter_is_set(driver, active_node, pedestrians):
    active_node(movenet__input_size=512, markers__behaviors=True)
    poses = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
    arrays = driver.listen(MarkerArray, "/poseflow/markers")
    camera = driver.camera()
    driver.wait_until_known_to("/poseflow")
    for index, image in enumerate(pedestrians):
        n = len(poses), len(arrays)
        camera.publish(stamped(image, 1 + index / 10))
        driver.until(lambda n=n: len(poses) > n[0] and len(arrays) > n[1], "an answer")
    labels = [m.text for m in arrays[-1].markers if m.ns == "labels" and m.text]
    ids = {str(pose.track_id) for pose in poses[-1].poses}
    assert {label.split()[0] for label in labels} == ids
    assert sum(label.endswith("standing") for label in labels) >= 2


def test_a_skeleton_without_these_keypoints_is_refused(driver, start_node, capfd, tmp_path):
    no_scaling = (0.0,) * 3, (1.0,) * 3
    weights = save(tmp_path / "pose.onnx", simcc_spot(*no_scaling, n_keypoints=14))
    detector = save(tmp_path / "detector.onnx", detector_spot(*no_scaling))
    start_node(
        estimator__name="onnx",
        estimator__weights=str(weights),
        estimator__detector_weights=str(detector),
        markers__behaviors=True,
    )
    assert not driver.change("configure")
    assert driver.state() == "unconfigured"
    assert "cannot configure: markers.behaviors is true, but" in capfd.readouterr().err
