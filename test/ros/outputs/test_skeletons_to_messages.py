"""People of every skeleton, from poses to messages and markers."""

import numpy as np
import pytest
from people import make_person, together

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from poseflow_msgs.msg import TrackedPoseArray
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import Poses, TrackState
from poseflow_ros.ros.outputs.markers import MarkerMaker
from poseflow_ros.ros.outputs.pose_messages import (
    skeleton_message,
    tracked_pose_messages,
    tracked_poses,
)
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.crowdpose14 import CROWDPOSE_14
from poseflow_ros.skeletons.halpe26 import HALPE_26
from poseflow_ros.skeletons.wholebody133 import WHOLEBODY_133
from poseflow_ros.spatial.lens import Lens
from poseflow_ros.tracking.confidence import confidences
from poseflow_ros.tracking.tracker import PoseFlowTracker

DT_S, HEIGHT = 0.1, 200
CAMERA = Lens(fx=500.0, fy=500.0, cx=320.0, cy=240.0)
# Of keypoints beside COCO's: the COCO keypoint that they are near.
NEAR = {"face": "nose", "head": "nose", "top": "nose", "neck": "left_shoulder", "hip": "left_hip"}
NEAR |= {"toe": "ankle", "heel": "ankle"}
SKELETONS = pytest.mark.parametrize(
    "skeleton",
    [CROWDPOSE_14, COCO_17, HALPE_26, WHOLEBODY_133],
    ids=lambda skeleton: skeleton.name,
)


def near(name):
    """Return the index of the COCO keypoint that a keypoint is near."""
    names = COCO_17.keypoint_names
    if name in names:
        return names.index(name)
    side, _, part = name.partition("_")
    if side not in ("left", "right"):
        return names.index(NEAR[side])
    return names.index(f"{side}_ankle" if part.split("_")[-1] in NEAR else f"{side}_wrist")


def with_skeleton(skeleton, person, rng, extra_score=0.8):
    """Return a COCO person with the keypoints of this skeleton; those beside COCO's are noisy."""
    indices = [near(name) for name in skeleton.keypoint_names]
    keypoints, scores = person.keypoints[:, indices], person.keypoint_scores[:, indices]
    keypoints[:, 17:] += rng.normal(0, 0.03 * HEIGHT, keypoints[:, 17:].shape)
    scores[:, 17:] = extra_score
    return Poses(keypoints, scores, person.boxes, person.scores)


def walking(skeleton, extra_score=0.8):
    """Yield the poses of two people who walk; the second is occluded for half a second."""
    rng = np.random.default_rng(0)
    for i in range(30):
        people = [make_person(100 + 8 * i, 50, HEIGHT), make_person(500 - 3 * i, 70, HEIGHT)]
        visible = people[:1] if 10 <= i < 15 else people
        yield together(*(with_skeleton(skeleton, one, rng, extra_score) for one in visible))


@pytest.mark.parametrize("association", ["robust", "classic"])
@SKELETONS
def test_people_keep_their_ids_from_poses_to_messages_and_markers(skeleton, association):
    tracker = PoseFlowTracker(TrackerConfig(association=association), skeleton)
    maker = MarkerMaker(skeleton, min_keypoint_score=0.3, depth_m=2.0, lifetime_s=1.5)
    for i, poses in enumerate(walking(skeleton)):
        tracked = tracker.update(poses, None, DT_S * i)
        people = tracked[tracked.visible]
        message = TrackedPoseArray(poses=tracked_pose_messages(people))
        assert [person.track_id for person in message.poses] == [1, 2][: len(poses)]
        assert {len(person.keypoints) for person in message.poses} == {skeleton.n_keypoints}
        again = tracked_poses(message, skeleton)
        np.testing.assert_allclose(again.poses.keypoints, poses.keypoints, rtol=1e-5)
        assert (again.states == TrackState.CONFIRMED).all()
        shown = {
            (marker.ns, marker.id): len(marker.points)
            for marker in maker.on_plane(tracked, Header(), CAMERA).markers
            if marker.action == Marker.ADD
        }
        for track_id in again.track_ids.tolist():
            assert shown["joints", track_id] == skeleton.n_keypoints
            assert shown["skeleton", track_id] == 2 * len(skeleton.edges)


@SKELETONS
def test_skeleton_message_defines_every_keypoint(skeleton):
    message = skeleton_message(skeleton)
    assert message.name == skeleton.name
    assert tuple(message.keypoint_names) == skeleton.keypoint_names
    np.testing.assert_allclose(message.oks_sigmas, skeleton.oks_sigmas, rtol=1e-6)
    assert max(message.edges) < skeleton.n_keypoints
    assert max(message.flip_pairs) < skeleton.n_keypoints


def test_confidence_uses_body_keypoints_only():
    rng = np.random.default_rng(1)
    for extra_score in (0.0, 1.0):
        person = with_skeleton(WHOLEBODY_133, make_person(100, 50, HEIGHT), rng, extra_score)
        assert confidences(person, WHOLEBODY_133) == pytest.approx([0.85])  # half 0.9, half 0.8


def test_missing_hands_and_face_do_not_affect_tracking():
    story = []
    for extra_score in (0.8, 0.0):
        tracker = PoseFlowTracker(TrackerConfig(), WHOLEBODY_133)
        frames = enumerate(walking(WHOLEBODY_133, extra_score))
        story.append([tracker.update(poses, None, DT_S * i) for i, poses in frames])
    for found, missing in zip(*story, strict=True):
        np.testing.assert_array_equal(found.track_ids, missing.track_ids)
        np.testing.assert_array_equal(found.velocities, missing.velocities)
