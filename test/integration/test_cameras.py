"""Several cameras and one network: separate tracks, counters and failures."""

import threading

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from poseflow_msgs.msg import TrackedPoseArray
from ros_driver import stamped
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

BLANK = np.zeros((120, 160, 3), np.uint8)


class Rig:
    """Cameras with an active node, and the messages of each."""

    def __init__(self, driver, active_node, names, **parameters):
        self.driver, self.stamp_s = driver, 1.0
        self.node = active_node(
            **({"cameras__names": names, "movenet__input_size": 64} | parameters)
        )
        self.heard = {
            name: driver.listen(TrackedPoseArray, f"/poseflow/{name}/tracked_poses")
            for name in names
        }
        self.publishers = {}

    def show(self, name, image=BLANK, stamp_s=None):
        """Publish an image of one camera; return the answer."""
        if name not in self.publishers:
            self.publishers[name] = self.driver.camera(Image, f"{name}/image")
        self.stamp_s += 0.1
        heard = self.heard[name]
        before = len(heard)
        self.publishers[name].publish(stamped(image, stamp_s or self.stamp_s))
        self.driver.until(lambda: len(heard) > before, f"an answer to {name}")
        return heard[-1]


def test_each_camera_is_published_on_its_own_topics(driver, active_node):
    rig = Rig(driver, active_node, ["front", "rear"])
    answers = [rig.show("front"), rig.show("front"), rig.show("rear", BLANK[:60])]
    assert [(a.camera, a.sequence, a.epoch) for a in answers] == [
        ("front", 0, 1), ("front", 1, 1), ("rear", 0, 1),
    ]  # fmt: skip
    assert [a.image_height for a in answers] == [120, 120, 60]
    assert len(rig.heard["rear"]) == 1
    topics = {name for name, _ in driver.node.get_topic_names_and_types()}
    assert {"/poseflow/front/markers", "/poseflow/rear/annotated", "/poseflow/skeleton"} <= topics
    assert "/poseflow/tracked_poses" not in topics


def test_cameras_have_separate_tracks(driver, active_node, pedestrians):
    rig = Rig(
        driver, active_node, ["a", "b"], movenet__tiles="auto", tracker__association="classic"
    )
    for image in pedestrians[:3]:
        seen = [rig.show(name, image) for name in ("a", "b")]
    # The same images by turns: the same people with the same ids, twice.
    assert seen[0].poses
    ids = [[pose.track_id for pose in array.poses] for array in seen]
    assert ids[0] == ids[1]
    assert [pose.hits for pose in seen[0].poses] == [pose.hits for pose in seen[1].poses]


def test_discontinuity_of_one_camera_does_not_reset_another(driver, active_node):
    rig = Rig(driver, active_node, ["front", "rear"])
    rig.show("front", stamp_s=10.0)
    rig.show("rear", stamp_s=10.0)
    assert rig.show("front", stamp_s=5.0).epoch == 2
    assert rig.show("rear", stamp_s=10.1).epoch == 1
    answer = driver.call(Trigger, "/poseflow/reset")
    assert "epoch 3, 2" in answer.message
    assert rig.show("rear", stamp_s=10.2).epoch == 2


def test_silent_or_broken_camera_does_not_delay_others(driver, active_node):
    rig = Rig(driver, active_node, ["good", "broken", "silent"])
    broken = driver.camera(Image, "broken/image")
    bad = stamped(BLANK, 1.0)
    bad.encoding = "nonsense"
    for _ in range(30):
        broken.publish(bad)
        rig.show("good")
    assert [a.dropped_since_last for a in rig.heard["good"]] == [0] * 30
    assert not rig.heard["broken"] and not rig.heard["silent"]


def test_each_camera_has_its_own_transport(driver, active_node):
    rig = Rig(
        driver, active_node, ["raw", "packed"], cameras__image_transport=["raw", "compressed"]
    )
    packed = driver.camera(CompressedImage, "packed/image")
    jpeg = cv2.imencode(".jpg", np.full((60, 80, 3), 90, np.uint8))[1].tobytes()
    message = CompressedImage(format="jpeg", data=jpeg)
    message.header.stamp.sec = 3
    packed.publish(message)
    assert rig.show("raw").image_width == 160
    driver.until(lambda: rig.heard["packed"], "the compressed camera's answer")
    assert rig.heard["packed"][0].image_width == 80


class Together:
    """The real estimator as one that takes images together, whose first waits at a gate."""

    batches = True
    device_bytes = 0

    def __init__(self, estimator):
        self._estimator = estimator
        self.skeleton, self.description = estimator.skeleton, estimator.description
        self.close = estimator.close
        self.sizes, self.entered, self.gate = [], threading.Event(), threading.Event()

    def estimate_batch(self, images):
        self.sizes.append(len(images))
        self.entered.set()
        assert self.gate.wait(30)
        return self._estimator.estimate_batch(images)


def test_waiting_images_are_processed_in_one_batch(driver, start_node, monkeypatch):
    import poseflow_ros.ros.node as node_module

    made, make = [], node_module.make_estimator
    monkeypatch.setattr(
        node_module, "make_estimator", lambda *args: made.append(Together(make(*args))) or made[0]
    )
    names = ["a", "b", "c"]
    start_node(cameras__names=names, movenet__input_size=64)
    assert driver.change("configure") and driver.change("activate")
    heard = {n: driver.listen(TrackedPoseArray, f"/poseflow/{n}/tracked_poses") for n in names}
    publishers = {name: driver.camera(Image, f"{name}/image") for name in names}
    diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
    publishers["a"].publish(stamped(BLANK[:40], 1.0))
    driver.until(made[0].entered.is_set, "the first image in the network")
    for i, name in enumerate(names):
        publishers[name].publish(stamped(BLANK[: 40 + 20 * i], 2.0))

    def arrived():
        counts = [v.value for d in diagnostics[-1:] for s in d.status for v in s.values
                  if v.key == "received"]  # fmt: skip
        return counts == ["2", "1", "1"]

    driver.until(arrived, "the images' arrival")
    made[0].gate.set()
    driver.until(lambda: [len(heard[n]) for n in names] == [2, 1, 1], "all answers")
    assert made[0].sizes == [1, 3]
    assert [heard[name][-1].image_height for name in names] == [40, 60, 80]


def test_diagnostics_have_a_status_per_camera_and_for_the_network(driver, active_node):
    rig = Rig(
        driver,
        active_node,
        ["front", "rear"],
        diagnostics__warn_silence_s=0.5,
        diagnostics__error_silence_s=4.5,
    )
    heard = driver.listen(DiagnosticArray, "/diagnostics")
    driver.listen(MarkerArray, "/poseflow/front/markers")

    def latest():
        return {s.name: s for s in heard[-1].status} if heard else {}

    front, rear = "/poseflow: camera front", "/poseflow: camera rear"
    driver.until(lambda: rear in latest(), "diagnostics")
    assert set(latest()) == {front, rear, "/poseflow: estimator"}

    def levels():
        rig.show("front")
        return latest()[front].level, latest()[rear].level

    ok, warn, error = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
    driver.until(lambda: levels() == (ok, warn), "a warning of the silent camera")
    driver.until(lambda: levels() == (ok, error), "an error of the silent camera")
    assert "no image on /rear/image" in latest()[rear].message
    network = {v.key: v.value for v in latest()["/poseflow: estimator"].values}
    assert "MoveNet" in network["network"]
    assert int(network["memory of the process (MiB)"]) > 50


@pytest.mark.parametrize("names", [["front", "front"], ["front door"], ["front", ""]])
def test_invalid_camera_names_fail_configure(names, driver, start_node, capfd):
    start_node(cameras__names=names)
    assert not driver.change("configure")
    lines = [x for x in capfd.readouterr().err.splitlines() if "cannot configure" in x]
    assert len(lines) == 1 and f"cameras.names is {names}" in lines[0]
