"""A color camera, a depth camera and a calibration in front of an active node."""

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from poseflow_msgs.msg import TrackedPoseArray
from ros_driver import depth_message, stamped
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

FX, FY, CX, CY = 700.0, 710.0, 380.0, 290.0
SIZE = (576, 768)


def calibration(**changes):
    """Return a camera_info for images of SIZE without distortion."""
    info = CameraInfo(height=SIZE[0], width=SIZE[1], distortion_model="plumb_bob", d=[0.0] * 5)
    info.header = Header(frame_id="camera")
    info.k = np.array([FX, 0, CX, 0, FY, CY, 0, 0, 1], float)
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def wall(distance_m):
    """Return the depth image of a wall."""
    return np.full(SIZE, distance_m, np.float32)


def located(array):
    """Return the people of a message who have a position."""
    return [p for p in array.poses if np.isfinite(p.position.z)]


class Rig:
    """Publishes to a node that knows everybody at once; `prefix` is that of a camera's topics."""

    def __init__(
        self, driver, active_node, prefix="", depth_type=Image, image_topic="", **parameters
    ):
        self.driver, self.stamp_s = driver, 10.0
        self.node = active_node(
            **{"tracker__association": "classic", "movenet__input_size": 512} | parameters
        )
        self.camera = self.node.cameras[prefix.rstrip("/")]
        self.heard = driver.listen(TrackedPoseArray, f"/poseflow/{prefix}tracked_poses")
        self.diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
        self.image = driver.camera(topic=image_topic or f"{prefix}image")
        self.depth = driver.camera(depth_type, f"{prefix}depth")
        self.info = driver.camera(CameraInfo, f"{prefix}camera_info")

    def calibrate(self, info=None):
        self.info.publish(info or calibration())
        self.driver.until(lambda: self.camera.projector.calibration, "the calibration")

    def publish(self, image, stamp_s, depth_m=4.0, lag_s=0.0):
        """Publish an image, and after a lag the depth image of the same stamp."""
        self.image.publish(stamped(image, stamp_s))
        time.sleep(lag_s)  # the driver of a depth camera at work
        self.depth.publish(depth_message(wall(depth_m), stamp_s))

    def show(self, image, depth=None, **fields):
        """Publish an image and its depth; return the message about the image.

        Args:
            image: RGB, or a message.
            depth: metres, or a message; None for a wall at 4 m.
            fields: frame_id of the image.
        """
        self.stamp_s += 0.1
        message = stamped(image, self.stamp_s) if isinstance(image, np.ndarray) else image
        message.header.stamp = stamped(np.zeros((1, 1, 3), np.uint8), self.stamp_s).header.stamp
        message.header.frame_id = fields.get("frame_id", "camera")
        depth = wall(4.0) if depth is None else depth
        if isinstance(depth, np.ndarray):
            depth = depth_message(depth, self.stamp_s)
        depth.header.stamp = message.header.stamp
        self.depth.publish(depth)
        self.image.publish(message)
        return self.answer(message.header.stamp)

    def answer(self, stamp):
        self.driver.until(
            lambda: self.heard and self.heard[-1].header.stamp == stamp, "the answer"
        )
        return self.heard[-1]

    def answers(self, n):
        self.driver.until(lambda: len(self.heard) >= n, f"{n} answers")
        return self.heard

    def status(self):
        """Return level, message and values of the next diagnostics."""
        self.diagnostics.clear()
        self.driver.until(lambda: self.diagnostics, "diagnostics")
        status = self.diagnostics[-1].status[0]
        return status.level, status.message, {v.key: v.value for v in status.values}

    def until_status(self, level, text):
        """Wait for diagnostics of this level that contain a text."""

        def reported():
            for array in self.diagnostics[-1:]:
                status = array.status[0]
                return status.level == level and text in status.message
            return False

        self.diagnostics.clear()
        self.driver.until(reported, f"{level} and {text!r}")
