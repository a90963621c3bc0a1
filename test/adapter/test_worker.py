"""The worker: newest first, nothing lost without a word, always released."""

import threading

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from poseflow_ros.ros.worker import NewestWorker


class Desk:
    """Lets items through one by one and notes them."""

    def __init__(self):
        self.done, self.ended = [], threading.Event()
        self.entered, self.gate = threading.Semaphore(0), threading.Semaphore(0)

    def work(self, item):
        self.entered.release()
        assert self.gate.acquire(timeout=10)
        self.done.append(item)

    def worker(self):
        return NewestWorker("test", self.work, self.ended.set)


def test_a_waiting_item_gives_way_to_a_newer_one():
    desk = Desk()
    worker = desk.worker()
    assert worker.submit("a") is None
    assert desk.entered.acquire(timeout=10)
    assert worker.submit("b") is None
    assert worker.submit("c") == "b"
    desk.gate.release(2)
    assert desk.entered.acquire(timeout=10)
    assert worker.stop(10)
    assert desk.done == ["a", "c"]


def test_stop_ends_after_the_item_in_work_and_leaves_the_waiting_one():
    desk = Desk()
    worker = desk.worker()
    worker.submit("a")
    assert desk.entered.acquire(timeout=10)
    worker.submit("b")
    assert not worker.stop(0.01)
    assert not desk.ended.is_set()
    desk.gate.release()
    assert desk.ended.wait(10)
    assert desk.done == ["a"]


def test_clear_takes_back_what_waits():
    desk = Desk()
    worker = desk.worker()
    worker.submit("a")
    assert desk.entered.acquire(timeout=10)
    worker.submit("b")
    assert worker.clear() == "b"
    assert worker.clear() is None
    desk.gate.release()
    assert worker.stop(10)
    assert desk.done == ["a"]
