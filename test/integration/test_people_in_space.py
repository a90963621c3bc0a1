"""Depth images beside colour images: where people are in space, and what is said where not."""

import sys

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Quaternion, TransformStamped, Vector3
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_driver import depth_message, stamped
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

FX, FY, CX, CY = 700.0, 710.0, 380.0, 290.0
SIZE = (576, 768)


def calibration(**changes):
    info = CameraInfo(height=SIZE[0], width=SIZE[1], distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = np.array([FX, 0, CX, 0, FY, CY, 0, 0, 1], float)
    for name, value in changes.items():
        setattr(info, name, value)
    return info


class Rig:
    """A colour camera, a depth camera and a calibration in front of an active node."""

    def __init__(self, driver, active_node, **parameters):
        self.driver, self.stamp_s = driver, 10.0
        self.node = active_node(
            movenet__input_size=512, tracker__association="classic", **parameters
        )
        self.heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
        self.diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
        self.image = driver.camera()
        self.depth = driver.camera(Image, "depth")
        self.info = driver.camera(CameraInfo, "camera_info")

    def calibrate(self, info):
        self.info.publish(info)
        self.driver.until(
            lambda: self.node.cameras[""].projector.calibration is not None, "the calibration"
        )

    def show(self, image, depth=None, late_s=0.0, encoding="32FC1"):
        """Publish depth, where given, and then the image; return the people in the answer."""
        self.stamp_s += 0.1
        if depth is not None:
            message = depth_message(depth, self.stamp_s + late_s, encoding)
            self.depth.publish(message)
            stamp = message.header.stamp
            self.driver.until(
                lambda: any(
                    m.header.stamp == stamp for m in self.node.cameras[""].projector._depths
                ),
                "depth",
            )
        before = len(self.heard)
        self.image.publish(stamped(image, self.stamp_s))
        self.driver.until(lambda: len(self.heard) > before, "an answer")
        assert self.heard[-1].poses
        return self.heard[-1].poses

    def said(self):
        """Return what the next diagnostics say of depth."""
        self.diagnostics.clear()
        self.driver.until(lambda: self.diagnostics, "diagnostics")
        return {v.key: v.value for v in self.diagnostics[-1].status[0].values}["depth"]


def wall(distance_m):
    return np.full(SIZE, distance_m, np.float32)


def unknown(poses):
    """Return whether nobody is anywhere in space."""
    positions = [[p.position.x, p.position.y, p.position.z] for p in poses]
    velocities = [[p.velocity_3d.x, p.velocity_3d.y, p.velocity_3d.z] for p in poses]
    return bool(np.isnan([positions, velocities]).all())


@pytest.mark.parametrize("encoding", ["32FC1", "16UC1"])
def test_keypoints_lie_on_the_ray_of_their_pixel(encoding, driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.calibrate(calibration())
    poses = rig.show(pedestrians[0], wall(4.0), encoding=encoding)
    assert rig.heard[-1].frame_3d == rig.heard[-1].header.frame_id == "camera"
    for pose in poses:
        assert len(pose.keypoints_3d) == len(pose.keypoints) == 17
        for keypoint, place in zip(pose.keypoints, pose.keypoints_3d, strict=True):
            if keypoint.score < 0.2:
                assert np.isnan([place.point.x, place.point.y, place.point.z, place.stddev]).all()
            else:
                x, y = 4 * (keypoint.x - CX) / FX, 4 * (keypoint.y - CY) / FY
                assert (place.point.x, place.point.y, place.point.z) == pytest.approx(
                    (x, y, 4.0), abs=1e-3
                )
                assert 0 < place.stddev < 0.05
    assert any(pose.position.z == pytest.approx(4.0, abs=1e-3) for pose in poses)
    assert rig.said() == "matched"


def test_approaching_person_has_a_velocity(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.calibrate(calibration())
    for i in range(6):
        poses = rig.show(pedestrians[0], wall(4.0 - 0.1 * i))
    moving = [pose.velocity_3d for pose in poses if np.isfinite(pose.velocity_3d.z)]
    assert moving
    assert [velocity.z for velocity in moving] == pytest.approx([-1.0] * len(moving), abs=0.05)


@pytest.mark.parametrize(
    ("depth", "late_s", "said"),
    [
        pytest.param(wall(4.0)[::2], 0.0, "must be 768 x 576", id="another size"),
        pytest.param(wall(4.0), 0.5, "is 0.500 s from the image", id="another time"),
        pytest.param(wall(np.nan), 0.0, "matched", id="depth of nothing"),
    ],
)
def test_no_3d_positions_without_a_matching_depth_image(
    depth, late_s, said, driver, active_node, pedestrians
):
    rig = Rig(driver, active_node)
    rig.calibrate(calibration())
    poses = rig.show(pedestrians[0], depth, late_s)
    assert unknown(poses)
    places = np.array([[k.point.x for k in pose.keypoints_3d] for pose in poses])
    assert places.shape == (len(poses), 17)
    assert np.isnan(places).all()
    assert said in rig.said()
    if late_s:
        return
    rig.show(pedestrians[0], wall(3.0))
    assert rig.said() == "matched"


def test_depth_image_within_the_slop_is_used(driver, active_node, pedestrians):
    rig = Rig(driver, active_node, depth__slop_s=0.03)
    rig.calibrate(calibration())
    assert not unknown(rig.show(pedestrians[0], wall(4.0), late_s=0.025))
    assert unknown(rig.show(pedestrians[0], wall(4.0), late_s=-0.035))


def test_no_3d_fields_without_depth_or_calibration(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    assert unknown(rig.show(pedestrians[0], wall(4.0)))
    assert "camera_info" in rig.said()
    rig.info.publish(calibration(k=np.zeros(9)))  # not calibrated, by convention
    rig.info.publish(calibration(distortion_model="magic"))
    poses = rig.show(pedestrians[1], wall(4.0))
    assert all(not pose.keypoints_3d for pose in poses)
    assert rig.heard[-1].frame_3d == ""


def test_unsupported_depth_image_is_reported(driver, active_node, pedestrians):
    rig = Rig(driver, active_node)
    rig.calibrate(calibration())
    assert unknown(rig.show(pedestrians[0], wall(4.0), encoding="8UC1"))
    assert "depth encoding is '8UC1'; allowed: 16UC1" in rig.said()


def test_people_are_located_in_the_target_frame(driver, active_node, pedestrians):
    pytest.importorskip("tf2_ros", reason="tf2_ros does not import: it comes with ROS, not PyPI")
    from tf2_msgs.msg import TFMessage

    rig = Rig(driver, active_node, depth__target_frame="base_link")
    rig.calibrate(calibration())
    # The camera looks ahead from 1.2 m above the robot's base.
    mount = TransformStamped(header=Header(frame_id="base_link"), child_frame_id="camera")
    mount.transform.translation = Vector3(x=0.1, z=1.2)
    mount.transform.rotation = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    driver.node.create_publisher(TFMessage, "/tf_static", latched).publish(
        TFMessage(transforms=[mount])
    )
    while unknown(rig.show(pedestrians[0], wall(4.0))):  # TF may come after the first images
        driver.spin(0.1)
        assert rig.stamp_s < 20
    poses = rig.heard[-1].poses
    assert rig.heard[-1].frame_3d == "base_link"
    assert rig.heard[-1].header.frame_id == "camera"
    for pose in poses:
        for keypoint, place in zip(pose.keypoints, pose.keypoints_3d, strict=True):
            if keypoint.score >= 0.2:
                right, down = 4 * (keypoint.x - CX) / FX, 4 * (keypoint.y - CY) / FY
                assert (place.point.x, place.point.y, place.point.z) == pytest.approx(
                    (4.1, -right, 1.2 - down), abs=1e-3
                )


def test_without_tf2_ros_people_are_located_in_the_optical_frame(
    driver, active_node, pedestrians, monkeypatch, capfd
):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    rig = Rig(driver, active_node, depth__target_frame="base_link")
    rig.calibrate(calibration())
    poses = rig.show(pedestrians[0], wall(4.0))
    assert rig.heard[-1].frame_3d == "camera"
    assert any(pose.position.z == pytest.approx(4.0, abs=1e-3) for pose in poses)
    said = [line for line in capfd.readouterr().err.splitlines() if "target_frame" in line]
    assert len(said) == 1
    assert "needs tf2_ros" in said[0]
