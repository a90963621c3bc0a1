"""Failures of the network: dropped images, the error transition, and recovery."""

import importlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import TransitionEvent
from poseflow_msgs.msg import TrackedPoseArray
from ros_driver import stamped

from poseflow_ros.estimation.errors import DeviceLostError, OutOfMemoryError

BLANK = np.zeros((120, 160, 3), np.uint8)
POSES = "/poseflow/tracked_poses"


class Camera:
    """Publishes images a second apart and waits for what becomes of each."""

    def __init__(self, driver, node):
        self.driver, self.node = driver, node
        self.publisher = driver.camera()
        self.published = 0

    def show(self, image=BLANK):
        """Publish one image; return when the node has done with it."""
        before = self._done()
        self.published += 1
        self.publisher.publish(stamped(image, float(self.published)))
        self.driver.until(lambda: self._done() > before, f"the end of image {self.published}")

    def _done(self):
        values = self.node.cameras[""].statistics.values()
        return int(values["processed"]) + int(values["dropped"])


def break_estimator(node, *errors):
    """Let the estimator raise these errors, one per image; None lets an image through."""
    estimate, errors = node.estimator.estimate_batch, list(errors)

    def estimate_or_raise(images):
        error = errors.pop(0) if errors else None
        if error is not None:
            raise error
        return estimate(images)

    node.estimator.estimate_batch = estimate_or_raise


def dropped(node, reason):
    return int(node.cameras[""].statistics.values().get(f"dropped: {reason}", 0))


def come_back(driver, node):
    """Configure and activate again, and see that an image is answered."""
    assert driver.change("configure")
    assert driver.change("activate")
    heard = driver.listen(TrackedPoseArray, POSES)
    Camera(driver, node).show()
    driver.until(lambda: heard, "an answer after the failure")


def test_ten_failures_in_a_row_lead_to_unconfigured_and_configure_works_again(
    driver, active_node, capfd
):
    node = active_node()
    events = driver.listen(TransitionEvent, "/poseflow/transition_event")
    camera = Camera(driver, node)
    break_estimator(node, *[ValueError("broken network")] * 10)
    for _ in range(9):
        camera.show()
    driver.spin(0.3)
    assert driver.state() == "active"
    camera.publisher.publish(stamped(BLANK, 100.0))
    driver.until(lambda: any(e.goal_state.label == "unconfigured" for e in events), "the end")
    assert driver.state() == "unconfigured"
    said = capfd.readouterr().err
    assert "10 images failed in a row: ValueError('broken network')" in said
    assert "configure to try again" in said
    assert [e.goal_state.label for e in events][-3:] == [
        "deactivating", "errorprocessing", "unconfigured",
    ]  # fmt: skip
    come_back(driver, node)


def test_processed_image_resets_the_failure_count(driver, active_node):
    node = active_node()
    camera = Camera(driver, node)
    nine = [RuntimeError("now and then")] * 9
    break_estimator(node, *nine, None, *nine, None)
    for _ in range(20):
        camera.show()
    driver.spin(0.3)
    assert driver.state() == "active"
    assert dropped(node, "failed") == 18


def test_image_too_large_for_memory_is_dropped_and_the_next_processed(
    driver, active_node, monkeypatch, capfd
):
    node = active_node()
    camera = Camera(driver, node)
    with monkeypatch.context() as short:

        def allocate(*_):
            raise MemoryError("900 MiB")

        short.setattr("poseflow_ros.ros.inference.to_rgb", allocate)
        camera.show()
    camera.show()
    values = node.cameras[""].statistics.values()
    assert (values["processed"], values["dropped: failed"]) == ("1", "1")
    assert "MemoryError: 900 MiB" in capfd.readouterr().err


def test_a_failure_while_publishing_drops_the_image_that_failed(driver, active_node, capfd):
    node = active_node(movenet__input_size=64)
    heard = driver.listen(TrackedPoseArray, POSES)
    camera, outputs = Camera(driver, node), node.cameras[""].outputs
    select = outputs.select
    outputs.select = lambda tracked: 1 / 0
    camera.show()
    outputs.select = select
    camera.show()
    driver.until(lambda: heard, "the answer to the second image")
    assert [(array.header.stamp.sec, array.dropped_since_last) for array in heard] == [(2, 1)]
    assert dropped(node, "failed") == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_out_of_memory_drops_the_image_and_is_logged_once(driver, active_node, capfd):
    node = active_node()
    heard = driver.listen(TrackedPoseArray, POSES)
    camera = Camera(driver, node)
    break_estimator(node, OutOfMemoryError("no memory left"), None, OutOfMemoryError("no memory"))
    for _ in range(4):
        camera.show()
    driver.until(lambda: len(heard) == 2, "the two answers")
    assert [array.dropped_since_last for array in heard] == [1, 1]
    assert dropped(node, "out of memory") == 2
    assert capfd.readouterr().err.count("no memory") == 1
    assert driver.state() == "active"


def network_status(driver):
    """Return the next diagnostics of the network."""
    heard = driver.listen(DiagnosticArray, "/diagnostics")
    driver.until(lambda: heard, "diagnostics")
    return heard[-1].status[-1]


def test_a_lost_device_ends_it_at_once_and_a_network_without_it_is_an_error(
    driver, active_node, capfd, tmp_path, monkeypatch
):
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    node = active_node()
    events = driver.listen(TransitionEvent, "/poseflow/transition_event")
    publisher = driver.camera()
    break_estimator(node, DeviceLostError("the GPU fell off the bus"))
    publisher.publish(stamped(BLANK, 1.0))
    driver.until(lambda: any(e.goal_state.label == "unconfigured" for e in events), "the end")
    said = capfd.readouterr().err
    assert said.count("the GPU fell off the bus") == 1
    assert "unconfigured after an error; the process ends" in said
    assert node.exit_code == 75
    # Where the process did not end, or in the next process.
    come_back(driver, node)
    status = network_status(driver)
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == (
        "the GPU was lost (the GPU fell off the bus) and this network runs without it"
    )


LOSES_ITS_GPU = """
import sys
from poseflow_ros.estimation.errors import DeviceLostError
from poseflow_ros.ros import node

make = node.make_estimator

def make_one_that_fails(config, log):
    def estimate_batch(images):
        raise DeviceLostError("the GPU fell off the bus")

    estimator = make(config, log)
    estimator.estimate_batch = estimate_batch
    return estimator

node.make_estimator = make_one_that_fails
sys.exit(node.main())
"""


def test_the_process_ends_with_the_code_of_a_lost_device_after_the_error_transition(
    driver, tmp_path
):
    environment = os.environ | {
        "ROS_DOMAIN_ID": str(driver.domain_id), "ROS_HOME": str(tmp_path),
    }  # fmt: skip
    command = [sys.executable, "-c", LOSES_ITS_GPU]
    command += ["--ros-args", "-p", "estimator.name:=movenet", "-p", "movenet.tiles:=1x1"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        events = driver.listen(TransitionEvent, "/poseflow/transition_event")
        assert driver.change("configure")
        assert driver.change("activate")
        driver.camera().publish(stamped(BLANK, 1.0))
        driver.until(lambda: process.poll() is not None, "the end of the process")
    finally:
        process.kill()
    assert process.returncode == 75
    assert "unconfigured after an error; the process ends" in process.stderr.read()
    assert [e.goal_state.label for e in events][-2:] == ["errorprocessing", "unconfigured"]


@pytest.mark.parametrize("meanwhile", [[], ["deactivate", "activate"]], ids=["", "reactivated"])
def test_a_network_that_hangs_is_given_up_and_no_other_is_made_until_it_ends(
    meanwhile, driver, active_node, capfd, monkeypatch
):
    monkeypatch.setattr("poseflow_ros.ros.node._PREVIOUS_WAIT_S", 0.2)
    node = active_node(estimator__timeout_s=1.5)
    events = driver.listen(TransitionEvent, "/poseflow/transition_event")
    publisher = driver.camera()
    estimate, entered, gate = node.estimator.estimate_batch, threading.Event(), threading.Event()
    node.estimator.estimate_batch = lambda images: (
        entered.set() or (gate.wait(60) and estimate(images))
    )
    publisher.publish(stamped(BLANK, 1.0))
    driver.until(entered.is_set, "the image in the network")
    assert all(driver.change(transition) for transition in meanwhile)
    driver.until(lambda: any(e.goal_state.label == "unconfigured" for e in events), "the end")
    assert "busy with one image for more than 1.5 s" in capfd.readouterr().err
    # A second network would wait for the same device.
    assert not driver.change("configure")
    assert "cannot configure: the previous network is still busy" in capfd.readouterr().err
    gate.set()
    come_back(driver, node)


def test_idle_time_does_not_count_for_the_timeout(driver, active_node):
    node = active_node(estimator__timeout_s=1.0)
    Camera(driver, node).show()
    driver.spin(2.5)
    assert driver.state() == "active"


def test_failure_before_a_deactivation_does_not_affect_the_next_activation(driver, active_node):
    node = active_node()
    camera = Camera(driver, node)
    break_estimator(node, *[ValueError("broken")] * 9)
    for _ in range(9):
        camera.show()
    assert driver.change("deactivate")
    assert driver.change("activate")
    break_estimator(node, ValueError("once more"))
    Camera(driver, node).show()
    driver.spin(0.3)
    assert driver.state() == "active"


@pytest.mark.slow
def test_keypoint_rcnn_runs_in_the_node_and_uses_one_thread(
    driver, start_node, tmp_path, monkeypatch
):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    detection = pytest.importorskip("torchvision.models.detection")
    backbone = detection.backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, trainable_layers=5
    )
    torch.manual_seed(1)
    model = detection.KeypointRCNN(backbone, 2, num_keypoints=17)
    torch.save(model.state_dict(), tmp_path / "random.pth")
    network = importlib.import_module("poseflow_ros.estimation.torchvision_network")
    prepare, threads = network.TorchvisionNetwork.prepare, []

    def noting(self, images):
        threads.append(threading.current_thread())
        return prepare(self, images)

    monkeypatch.setattr(network.TorchvisionNetwork, "prepare", noting)
    node = start_node(
        estimator__name="keypoint_rcnn",
        estimator__weights=str(tmp_path / "random.pth"),
        estimator__device="cpu",
        estimator__image_min_side=64,
        estimator__image_max_side=128,
        estimator__max_people=3,
        estimator__min_person_score=0.0,
        tracker__min_pose_score=0.0,
        tracker__association="classic",
    )
    assert driver.change("configure")
    warmed_up = len(threads)
    assert driver.change("activate")
    heard = driver.listen(TrackedPoseArray, POSES)
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    Camera(driver, node).show(noise)
    driver.until(lambda: heard, "an answer")
    assert 1 <= len(heard[0].poses) <= 3
    assert all(len(pose.keypoints) == 17 for pose in heard[0].poses)
    # CUDA libraries keep their plans for each thread.
    assert 0 < warmed_up < len(threads)
    assert {thread.name for thread in threads} == {"poseflow_inference"}
    assert len(set(threads)) == 1
    assert driver.change("deactivate")
    assert driver.change("cleanup")
