"""Late, repeated and foreign images, and unusable stamps: people survive, and it is reported."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray
from ros_driver import stamped
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker, MarkerArray

POSES = "/poseflow/tracked_poses"
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Scene:
    """A camera in front of an active node that knows everybody at once, and its messages."""

    def __init__(self, driver, active_node, **parameters):
        self.driver = driver
        self.node = active_node(
            **{"tracker__association": "classic", "movenet__input_size": 512} | parameters
        )
        self.heard = driver.listen(TrackedPoseArray, POSES, 1000)
        self.diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
        self.camera = driver.camera()
        self.n_published = 0

    def show(self, image, stamp_s, publisher=None):
        """Publish an image; return when it is processed or dropped."""
        self.n_published += 1
        (publisher or self.camera).publish(stamped(image, stamp_s))
        self.driver.until(
            lambda: self.done() == self.n_published, f"the end of image {self.n_published}"
        )

    def counts(self):
        values = self.node.cameras[""].statistics.values()
        return {k: int(v) for k, v in values.items() if v.isdecimal()}

    def done(self):
        counts = self.counts()
        return counts["processed"] + counts["dropped"]

    def settle(self, n_messages):
        self.driver.until(lambda: len(self.heard) >= n_messages, f"{n_messages} messages")

    def until_status(self, level, *texts):
        """Wait for diagnostics of this level with all texts; return the message."""
        self.diagnostics.clear()

        def reported():
            for array in self.diagnostics[-1:]:
                status = array.status[0]
                return status.level == level and all(t in status.message for t in texts)
            return False

        self.driver.until(reported, f"{level} and {texts}")
        return self.diagnostics[-1].status[0].message


def ids(heard):
    """Return the ids of everybody visible in any message."""
    return {p.track_id for a in heard for p in a.poses if p.state == TrackedPose.STATE_CONFIRMED}


def test_swapped_neighbors_forget_nobody(driver, active_node, pedestrians):
    scene = Scene(driver, active_node)
    order = [0, 1, 3, 2, 5, 4, 6, 8, 7, 9]
    for i in order:
        scene.show(pedestrians[i], 10 + 0.1 * i)
    n_late = 3
    scene.settle(len(order) - n_late)
    counts = scene.counts()
    assert (counts["processed"], counts["dropped: out of order"]) == (7, n_late)
    assert {array.epoch for array in scene.heard} == {1}
    stamps = [a.header.stamp.nanosec for a in scene.heard]
    assert stamps == sorted(stamps)
    first = ids(scene.heard[:1])
    assert len(first) >= 3
    # Nobody of the first image is somebody else in the last.
    assert len(first & ids(scene.heard[-1:])) >= len(first) - 1
    assert sum(array.dropped_since_last for array in scene.heard) == n_late


@pytest.mark.parametrize("back_s", [0.004, 0.9])
def test_a_stamp_that_goes_back_slightly_is_dropped_and_not_answered(
    back_s, driver, active_node, pedestrians
):
    scene = Scene(driver, active_node)
    scene.show(pedestrians[0], 10.0)
    scene.show(pedestrians[0], 10.0 - back_s)
    scene.show(pedestrians[0], 10.1)
    scene.settle(2)
    assert [len(array.poses) > 0 for array in scene.heard] == [True, True]
    assert scene.heard[0].epoch == scene.heard[1].epoch
    assert ids(scene.heard[:1]) == ids(scene.heard[1:])
    assert scene.counts()["dropped: out of order"] == 1


def test_a_duplicate_is_dropped_and_counted(driver, active_node, pedestrians):
    scene = Scene(driver, active_node)
    for stamp_s in (10.0, 10.0, 10.1):
        scene.show(pedestrians[0], stamp_s)
    scene.settle(2)
    assert scene.counts()["dropped: duplicate stamp"] == 1
    assert ids(scene.heard[:1]) == ids(scene.heard[1:])


def test_a_second_publisher_of_another_size_is_named_and_costs_nobody(
    driver, active_node, bare_node, pedestrians
):
    scene = Scene(driver, active_node)
    other = bare_node.create_publisher(Image, "image", 5)
    driver.until(lambda: scene.node.count_publishers("/image") == 2, "both publishers")
    driver.until(lambda: other.get_subscription_count() > 0, "the subscription")
    small = np.ascontiguousarray(pedestrians[0][::2, ::2])
    for i in range(10):
        scene.show(pedestrians[i], 10 + 0.1 * i)
        scene.show(small, 10.05 + 0.1 * i, other)
    counts = scene.counts()
    assert (counts["processed"], counts["dropped: another image size"]) == (10, 10)
    assert {array.epoch for array in scene.heard} == {1}
    assert {array.image_width for array in scene.heard} == {768}
    message = scene.until_status(ERROR, "/image has 2 publishers: /bare, /driver")
    assert "768 x 576 and 384 x 288 pixels alternate on /image" in message


def test_alternating_sizes_of_one_publisher_are_an_error_that_names_it(
    driver, active_node, pedestrians
):
    scene = Scene(driver, active_node)
    small = np.ascontiguousarray(pedestrians[0][::2, ::2])
    for i in range(10):
        scene.show(small if i % 2 else pedestrians[i], 10 + 0.1 * i)
    scene.until_status(ERROR, "alternate on /image, published by /driver: those of 384 x 288")
    assert {array.epoch for array in scene.heard} == {1}
    assert len(ids(scene.heard[:1]) & ids(scene.heard[-1:])) >= 2


def test_a_second_publisher_with_another_clock_costs_nobody(
    driver, active_node, bare_node, pedestrians
):
    scene = Scene(driver, active_node)
    other = bare_node.create_publisher(Image, "image", 5)
    driver.until(lambda: scene.node.count_publishers("/image") == 2, "both publishers")
    driver.until(lambda: other.get_subscription_count() > 0, "the subscription")
    for i in range(8):
        scene.show(pedestrians[i], 1000 + 0.1 * i)
        scene.show(pedestrians[i], 1e9 + 0.1 * i, other)
    assert scene.counts()["dropped: stamps of another publisher"] == 8
    assert {array.epoch for array in scene.heard} == {1}
    scene.until_status(ERROR, "/bare, /driver")


def test_a_camera_that_changes_its_resolution_is_followed_soon(driver, active_node, pedestrians):
    scene = Scene(driver, active_node)
    for i in range(3):
        scene.show(pedestrians[i], 10 + 0.1 * i)
    small, start_s, i = np.ascontiguousarray(pedestrians[0][::2, ::2]), time.monotonic(), 3
    while scene.heard[-1].image_width != 384:
        scene.show(small, 10 + 0.1 * i)
        driver.spin(0.1)
        i += 1
    assert time.monotonic() - start_s < 5.0
    assert {array.epoch for array in scene.heard if array.image_width == 384} == {2}
    scene.until_status(WARN, "tracking reset: the image size changed")


@pytest.mark.parametrize("how", ["a jump back", "the service"])
def test_a_reset_removes_everybody_and_is_reported(how, driver, active_node, pedestrians):
    scene = Scene(driver, active_node)
    markers = driver.listen(MarkerArray, "/poseflow/markers")
    for i in range(2):
        scene.show(pedestrians[i], 100 + 0.1 * i)
    scene.settle(2)
    before = ids(scene.heard[-1:])
    if how == "the service":
        assert driver.call(Trigger, "/poseflow/reset").success
        text = "tracking reset: requested by ~/reset"
        driver.until(
            lambda: any(m.action == Marker.DELETEALL for a in markers for m in a.markers),
            "DELETEALL",
        )
    else:
        scene.show(pedestrians[2], 10.0)
        text = "tracking reset: the stamp went back from 100.100 to 10.000 s"
    scene.settle(3)
    removed = scene.heard[2]
    assert removed.epoch == scene.heard[1].epoch == 1
    assert removed.header == scene.heard[1].header
    assert before <= {p.track_id for p in removed.poses}
    assert {p.state for p in removed.poses} == {TrackedPose.STATE_REMOVED}
    scene.until_status(WARN, text)
    values = {v.key: v.value for v in scene.diagnostics[-1].status[0].values}
    assert (values["resets"], values["epoch"]) == ("1", "2")
    scene.show(pedestrians[3], 101.0)
    scene.settle(4)
    assert [array.sequence for array in scene.heard] == list(range(len(scene.heard)))
    assert {a.epoch for a in scene.heard[3:]} == {2}
    assert not ids(scene.heard[3:]) & before


def test_people_who_are_lost_are_removed_by_a_reset_too(driver, active_node, pedestrians):
    scene = Scene(driver, active_node)
    scene.show(pedestrians[0], 10.0)
    scene.show(np.zeros_like(pedestrians[0]), 10.1)
    scene.settle(2)
    before = ids(scene.heard[:1])
    assert before and not scene.heard[1].poses
    assert driver.call(Trigger, "/poseflow/reset").success
    scene.settle(3)
    assert {p.track_id for p in scene.heard[2].poses} == before


def test_a_reset_without_anybody_publishes_nothing(driver, active_node, pedestrians):
    scene = Scene(driver, active_node)
    scene.show(np.zeros_like(pedestrians[0]), 10.0)
    assert driver.call(Trigger, "/poseflow/reset").success
    scene.show(np.zeros_like(pedestrians[0]), 10.1)
    scene.settle(2)
    assert [(array.epoch, len(array.poses)) for array in scene.heard] == [(1, 0), (2, 0)]


def test_zero_stamps_are_replaced_by_the_time_of_arrival(driver, active_node, pedestrians):
    scene = Scene(driver, active_node, classic__link_len=3)
    for image in pedestrians[:5]:
        scene.show(image, 0.0)
        driver.spin(0.1)
    scene.settle(5)
    stamps_s = [a.header.stamp.sec + 1e-9 * a.header.stamp.nanosec for a in scene.heard]
    assert stamps_s == sorted(set(stamps_s))
    assert stamps_s[-1] == pytest.approx(time.time(), abs=10.0)
    lasting = [p for p in scene.heard[-1].poses if p.track_id in ids(scene.heard[:1])]
    assert lasting
    for person in lasting:
        age_s = person.age.sec + 1e-9 * person.age.nanosec
        assert age_s == pytest.approx(stamps_s[-1] - stamps_s[0], abs=0.3)
        assert np.isfinite(person.velocity).all()
    assert any(np.abs(person.velocity).max() > 0 for person in lasting)
    scene.until_status(WARN, "image stamps are zero: the time of arrival is used")


def test_stamps_that_do_not_advance_are_replaced(driver, active_node, pedestrians):
    scene = Scene(driver, active_node)
    for i in range(9):
        scene.show(pedestrians[i], 50.0)
        driver.spin(0.05)
    counts = scene.counts()
    assert (counts["dropped: duplicate stamp"], counts["processed"]) == (4, 5)
    scene.until_status(WARN, "image stamps do not advance: the time of arrival is used")


def test_stamps_ahead_of_the_clock_are_reported(driver, active_node, pedestrians):
    scene = Scene(driver, active_node)
    scene.show(pedestrians[0], time.time() + 3600)
    scene.until_status(WARN, "ahead of the node's clock: check use_sim_time")
