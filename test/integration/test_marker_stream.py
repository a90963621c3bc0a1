"""What RViz shows, message by message: the people of the latest image, and nobody else."""

from collections import Counter

import numpy as np
import pytest
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray
from ros_driver import depth_message, stamped
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
from test_people_in_space import calibration, wall
from visualization_msgs.msg import Marker, MarkerArray

from poseflow_ros.skeletons.coco17 import COCO_17

KINDS = ("joints", "labels", "skeleton")
SCORE = 0.2
NOBODY = np.zeros((576, 768, 3), np.uint8)
NOT_SEEN = (TrackedPose.STATE_LOST, TrackedPose.STATE_REMOVED)


class Display:
    """What RViz shows of the arrays that came, where no lifetime ends it."""

    def __init__(self):
        self.shown = {}
        self.deleted = Counter()

    def take(self, array):
        keys = [(m.ns, m.id) for m in array.markers]
        assert len(set(keys)) == len(keys)  # RViz refuses an array with two of a kind
        for key, marker in zip(keys, array.markers, strict=True):
            if marker.action == Marker.DELETEALL:
                self.shown.clear()
            elif marker.action == Marker.DELETE:
                del self.shown[key]  # nothing is deleted that is not shown
                self.deleted[key] += 1
            else:
                self.shown[key] = marker

    def people(self):
        return {track_id for _, track_id in self.shown}


def drawn(pose, in_space):
    """Return (17,), true for the keypoints to be drawn, by the message alone."""
    known = np.array([k.score >= SCORE for k in pose.keypoints])
    if in_space:
        known &= np.isfinite([k.point.z for k in pose.keypoints_3d])
    return known


def expected(array):
    """Return the markers that belong to an array of people: (namespace, id)."""
    keys, in_space = set(), bool(array.frame_3d)
    for pose in array.poses:
        if pose.state in NOT_SEEN:
            continue
        known = drawn(pose, in_space)
        there = {
            "joints": known.any(),
            "skeleton": any(known[a] and known[b] for a, b in COCO_17.edges),
            "labels": known.any() or not in_space,
        }
        keys |= {(kind, pose.track_id) for kind in KINDS if there[kind]}
    return keys


class Scene:
    """Cameras in front of an active node, and RViz behind it."""

    def __init__(self, driver, active_node, **parameters):
        self.driver, self.stamp_s = driver, 10.0
        self.node = active_node(
            movenet__input_size=512,
            tracker__association="classic",
            markers__min_keypoint_score=SCORE,
            markers__lifetime_s=0.0,
            **parameters,
        )
        self.told = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
        self.arrays = driver.listen(MarkerArray, "/poseflow/markers")
        self.image = driver.camera()
        self.depth = driver.camera(Image, "depth")
        self.info = driver.camera(CameraInfo, "camera_info")
        self.display = Display()
        self.until_heard()

    @property
    def projector(self):
        return self.node.cameras[""].projector

    def until_heard(self):
        """Wait until the node knows the camera and who listens to its markers."""
        outputs = self.node.cameras[""].outputs
        heard = outputs._marker_publisher.get_subscription_count
        self.driver.until(lambda: heard() > 0, "a listener to the markers")
        self.driver.until(lambda: self.image.get_subscription_count() > 0, "a listener")
        self.info.publish(calibration())
        self.driver.until(lambda: self.projector.calibration is not None, "the calibration")

    def show(self, image, depth=None, late_s=0.0, encoding="32FC1"):
        """Publish an image, before it depth where given; see that RViz shows its people."""
        self.stamp_s += 0.1
        if depth is not None:
            message = depth_message(depth, self.stamp_s + late_s, encoding)
            self.depth.publish(message)
            stamp = message.header.stamp
            self.driver.until(
                lambda: any(m.header.stamp == stamp for m in self.projector._depths), "depth"
            )
        n_told, n_arrays = len(self.told), len(self.arrays)
        self.image.publish(stamped(image, self.stamp_s))
        self.driver.until(
            lambda: len(self.told) > n_told and len(self.arrays) > n_arrays, "an answer"
        )
        self.take()
        self.check()
        return self.told[-1]

    def take(self):
        """Let RViz have the arrays that came."""
        while self.arrays:
            self.display.take(self.arrays.pop(0))

    def check(self):
        """See that RViz shows the people last told, where they are."""
        last, shown = self.told[-1], self.display.shown
        assert shown.keys() == expected(last)
        for pose in last.poses if last.frame_3d else ():
            known = drawn(pose, in_space=True)
            points = [k.point for k, there in zip(pose.keypoints_3d, known, strict=True) if there]
            if points:
                joints = shown["joints", pose.track_id]
                assert joints.header.stamp == last.header.stamp
                assert xyz(joints.points) == pytest.approx(xyz(points), abs=1e-4)

    def until_empty(self):
        """Wait until RViz shows nothing, without any further image."""

        def empty():
            self.take()
            return not self.display.shown

        self.driver.until(empty, "nothing to be shown")


def xyz(points):
    return np.array([(p.x, p.y, p.z) for p in points])


def without(image, pose):
    """Return the image with grey where a person was."""
    x1, y1, x2, y2 = (max(0, round(v)) for v in pose.box)
    image = image.copy()
    image[y1:y2, x1:x2] = 127
    return image


@pytest.fixture
def scene(driver, active_node):
    return Scene(driver, active_node)


PLACES = [pytest.param(None, id="on a plane"), pytest.param(wall(4.0), id="in space")]


@pytest.mark.parametrize("depth", PLACES)
def test_markers_of_a_person_who_leaves_are_deleted_once_per_namespace(depth, scene, pedestrians):
    first = scene.show(pedestrians[0], depth)
    leaver = max(first.poses, key=lambda pose: pose.score)
    scene.show(without(pedestrians[0], leaver), depth)
    assert leaver.track_id not in scene.display.people()
    assert scene.display.people()  # others stay
    scene.show(NOBODY, depth)
    assert not scene.display.shown
    scene.show(NOBODY, depth)  # nothing is deleted again
    for kind in KINDS:
        assert scene.display.deleted[kind, leaver.track_id] == 1


@pytest.mark.parametrize("depth", PLACES)
def test_markers_follow_people_who_walk_appear_and_leave(depth, scene, pedestrians):
    for i, image in enumerate(pedestrians):
        scene.show(NOBODY if i % 5 == 4 else image, depth)
    assert scene.display.people()


UNUSABLE = [
    pytest.param({"depth": None}, id="none any more"),
    pytest.param({"depth": wall(4.0), "late_s": 0.5}, id="of another time"),
    pytest.param({"depth": wall(4.0)[::2]}, id="of another size"),
    pytest.param({"depth": wall(4.0), "encoding": "8UC1"}, id="of another kind"),
    pytest.param({"depth": wall(np.nan)}, id="of nothing"),
]


@pytest.mark.parametrize("unusable", UNUSABLE)
def test_unusable_depth_removes_3d_markers(unusable, scene, pedestrians):
    scene.show(pedestrians[0], wall(4.0))
    assert scene.display.people()
    assert scene.show(pedestrians[0], **unusable).poses  # told still, but nowhere
    assert not scene.display.shown
    scene.stamp_s += 1.0  # past the depth that came too early
    scene.show(pedestrians[0], wall(3.0))
    assert scene.display.people()


def test_first_depth_image_moves_markers_from_the_plane_to_3d(scene, pedestrians):
    scene.show(pedestrians[0])
    on_plane = scene.display.people()
    scene.show(pedestrians[0], wall(4.0))
    assert scene.display.people() & on_plane


BREAKS = [
    pytest.param(-5.0, 768, id="the stamp goes back"),
    pytest.param(0.0, 700, id="another size"),
]


@pytest.mark.parametrize(("step_s", "width"), BREAKS)
@pytest.mark.parametrize("depth", PLACES)
def test_markers_of_an_older_epoch_are_deleted(step_s, width, depth, scene, pedestrians):
    first = scene.show(pedestrians[0], depth)
    before = scene.display.people()
    scene.stamp_s += step_s
    second = scene.show(pedestrians[6][:, :width], depth)
    assert second.epoch == first.epoch + 1
    assert second.image_width == width
    assert before
    assert not scene.display.people() & before


@pytest.mark.parametrize("depth", PLACES)
def test_reset_and_deactivate_clear_the_display_at_once(depth, scene, pedestrians):
    scene.show(pedestrians[0], depth)
    assert scene.driver.call(Trigger, "/poseflow/reset").success
    scene.until_empty()
    scene.show(pedestrians[1], depth)
    assert scene.display.people()
    assert scene.driver.change("deactivate")
    scene.until_empty()


def test_equal_ids_of_different_epochs_are_different_people(scene, pedestrians):
    first = scene.show(pedestrians[0], wall(4.0))
    before = scene.display.people()
    for transition in ("deactivate", "cleanup", "configure", "activate"):
        assert scene.driver.change(transition)
    scene.until_empty()
    scene.driver.spin(0.5)  # the subscription that is gone still counts for a moment
    scene.until_heard()
    second = scene.show(pedestrians[6], wall(3.0))
    assert second.epoch > first.epoch
    assert scene.display.people() & before  # ids begin anew
    assert {p.z for m in scene.display.shown.values() for p in m.points} == {3.0}
