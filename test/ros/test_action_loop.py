"""The action loop: what is classified, dropped, discarded and reported."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from made_windows import make_windows

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from std_msgs.msg import Header

from poseflow_ros.recognition.action_classifier import Actions
from poseflow_ros.ros.action_loop import ActionJob, ActionLoop

PATIENCE_S = 20


class SlowClassifier:
    """Waits for permission before each answer; raises where it is asked to."""

    def __init__(self):
        self.started, self.permitted = threading.Semaphore(0), threading.Semaphore(0)
        self.error = None

    def classify(self, windows):
        self.started.release()
        assert self.permitted.acquire(timeout=PATIENCE_S)
        if self.error:
            raise self.error
        return Actions([("stand",)] * len(windows), np.ones((len(windows), 1), np.float32))


class World:
    """A loop, what it published and what it logged."""

    def __init__(self):
        self.classifier, self.published, self.logged = SlowClassifier(), [], []
        self.done = threading.Semaphore(0)
        self.loop = ActionLoop(self.classifier, self._publish, self._log)

    def _publish(self, job, actions):
        self.published.append((job.windows.camera, job.windows.end_s))
        self.done.release()

    def _log(self, line):
        self.logged.append(line)
        self.done.release()

    def put(self, end_s, camera="", people=2):
        windows = replace(make_windows(n=people), camera=camera, end_s=end_s)
        self.loop.put(ActionJob(Header(), windows, 0.0))

    def wait(self, semaphore):
        assert semaphore.acquire(timeout=PATIENCE_S)


@pytest.fixture
def world():
    world = World()
    yield world
    for _ in range(10):
        world.classifier.permitted.release()
    world.loop.close(PATIENCE_S)


def test_while_the_network_is_busy_the_newest_windows_of_each_camera_wait(world):
    world.put(1.0)
    world.wait(world.classifier.started)
    for end_s, camera in ((1.5, ""), (1.6, "rear"), (2.0, ""), (2.5, "")):
        world.put(end_s, camera)
    for _ in range(3):
        world.classifier.permitted.release()
        world.wait(world.done)
    assert world.published == [("", 1.0), ("rear", 1.6), ("", 2.5)]
    counts, latencies_s = world.loop.figures()
    assert (counts.classified, counts.dropped, counts.failed) == (6, 4, 0)
    assert len(latencies_s) == 3


def test_after_clear_neither_waiting_nor_unfinished_windows_are_published(world):
    world.put(1.0)
    world.wait(world.classifier.started)
    world.put(1.5)
    world.loop.clear()
    world.put(2.0)
    world.classifier.permitted.release()
    world.wait(world.classifier.started)
    world.classifier.permitted.release()
    world.wait(world.done)
    assert world.published == [("", 2.0)]


def test_a_failure_is_logged_once_and_the_loop_goes_on(world):
    world.classifier.error = RuntimeError("no memory")
    for end_s in (1.0, 1.5):
        world.put(end_s)
        world.wait(world.classifier.started)
        world.classifier.permitted.release()
    world.wait(world.done)
    world.put(2.0)
    world.wait(world.classifier.started)  # the second failure is over
    world.classifier.error = None
    assert world.loop.figures()[0].last_failure == "RuntimeError: no memory"
    world.classifier.permitted.release()
    world.wait(world.done)
    assert world.logged == ["the network failed: RuntimeError: no memory"]
    assert world.published == [("", 2.0)]
    counts, _ = world.loop.figures()
    assert (counts.failed, counts.classified, counts.last_failure) == (4, 2, "")
