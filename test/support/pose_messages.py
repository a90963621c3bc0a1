"""Messages of tracked poses, as the PoseFlow node publishes them."""

import math

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point32
from poseflow_msgs.msg import Keypoint, Keypoint3D, TrackedPose, TrackedPoseArray

START_S = 1000.0
FRAME = "camera_optical"


def poses_message(
    people, index, *, camera="", epoch=0, sequence=None, rate_hz=10, states=None, depth=False
):
    """Return the poses of people at an index of a stream.

    Args:
        people: (track id, (17, 3) image) each; with depth (track id, image, (17, 3) points).
        index: of the image.
        camera: its name.
        epoch: of the ids.
        sequence: of the message; None: the index.
        rate_hz: of the stream.
        states: track id -> state; the others are confirmed.
        depth: whether the people have 3D positions.
    """
    message = TrackedPoseArray(
        camera=camera, skeleton="coco17", image_width=640, image_height=480, epoch=epoch,
        sequence=index if sequence is None else sequence, frame_3d=FRAME if depth else "",
    )  # fmt: skip
    stamp_ns = round((START_S + index / rate_hz) * 1e9)
    message.header.stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    message.header.frame_id = FRAME
    for track_id, *observation in people:
        state = (states or {}).get(track_id, TrackedPose.STATE_CONFIRMED)
        message.poses.append(_pose(track_id, state, *observation))
    return message


def _pose(track_id, state, image, points=None):
    pose = TrackedPose(track_id=track_id, state=state, score=0.75)
    pose.keypoints = [Keypoint(x=x, y=y, score=s) for x, y, s in image.tolist()]
    low, high = image[:, :2].min(axis=0), image[:, :2].max(axis=0)
    pose.box = np.concatenate([low, high]).astype(np.float32)
    position = velocity = [math.nan] * 3
    if points is not None:
        position, velocity = points.mean(axis=0).tolist(), [0.5, 0.0, -0.25]
        pose.keypoints_3d = [
            Keypoint3D(point=Point32(x=x, y=y, z=z), stddev=0.01) for x, y, z in points.tolist()
        ]
    for vector, values in ((pose.position, position), (pose.velocity_3d, velocity)):
        vector.x, vector.y, vector.z = values
    return pose
