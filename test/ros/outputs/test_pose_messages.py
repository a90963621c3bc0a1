"""Conversion between tracked people and messages."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from builtin_interfaces.msg import Duration
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray

from poseflow_ros.poses import Poses, TrackedPoses, TrackState
from poseflow_ros.ros.outputs.pose_messages import (
    skeleton_message,
    tracked_pose_messages,
    tracked_poses,
)
from poseflow_ros.ros.stamps import duration
from poseflow_ros.ros_data.header import seconds
from poseflow_ros.skeletons.coco17 import COCO_17


def tracked(n, seed=0):
    rng = np.random.default_rng(seed)
    poses = Poses(
        rng.uniform(-10, 2000, (n, 17, 2)),
        rng.uniform(0, 1, (n, 17)),
        rng.uniform(-10, 2000, (n, 4)),
        rng.uniform(0, 1, n),
    )
    return TrackedPoses(
        poses,
        track_ids=np.arange(1, n + 1) * 1000,
        states=rng.integers(0, 4, n),
        match_scores=rng.uniform(0, 1, n),
        ages_s=rng.uniform(0, 1e5, n),
        time_since_update_s=rng.uniform(0, 10, n),
        hits=rng.integers(1, 1000, n),
        velocities=rng.normal(0, 100, (n, 2)),
    )


@pytest.mark.parametrize("n", [0, 1, 7])
def test_message_round_trip_preserves_all_fields(n):
    before = tracked(n)
    after = tracked_poses(TrackedPoseArray(poses=tracked_pose_messages(before)), COCO_17)
    for name in TrackedPoses.__slots__[1:]:
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-6)
    for name in Poses.__slots__:
        have, want = getattr(after.poses, name), getattr(before.poses, name)
        assert have.shape == want.shape
        np.testing.assert_allclose(have, want, rtol=1e-6, atol=1e-4)


def test_states_equal_the_constants_of_the_message():
    constants = {
        name.removeprefix("STATE_"): getattr(TrackedPose, name)
        for name in dir(TrackedPose)
        if name.startswith("STATE_")
    }
    assert constants == {state.name: int(state) for state in TrackState}


@pytest.mark.parametrize(
    ("value", "sec", "nanosec"),
    [(0.0, 0, 0), (1.5, 1, 500_000_000), (0.1, 0, 100_000_000), (2.9999999999, 3, 0)],
)
def test_durations_are_converted(value, sec, nanosec):
    assert duration(value) == Duration(sec=sec, nanosec=nanosec)
    assert seconds(duration(value)) == pytest.approx(value)


@pytest.mark.parametrize("value", [2.0**31, 2.0**32 + 4.3, math.inf])
def test_duration_is_limited_to_the_maximum(value):
    # Stamps may lie 2^32 s apart.
    assert duration(value) == Duration(sec=2**31 - 1)


def test_the_skeleton_message_lists_pairs_flat():
    message = skeleton_message(COCO_17)
    assert message.name == "coco17"
    assert list(message.edges[:4]) == [0, 1, 0, 2]
    assert list(message.flip_pairs[-2:]) == [15, 16]
    assert message.oks_sigmas[16] == pytest.approx(0.089)
