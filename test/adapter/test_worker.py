"""The worker: newest first, in turns, nothing lost without a word, always released."""

import threading

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from poseflow_ros.ros.worker import Worker


class Desk:
    """Lets items through one call at a time and notes them."""

    def __init__(self, **options):
        self.done, self.ended = [], threading.Event()
        self.entered, self.gate = threading.Semaphore(0), threading.Semaphore(0)
        self.worker = Worker("test", self._work, self.ended.set, **options)

    def _work(self, items):
        self.entered.release()
        assert self.gate.acquire(timeout=10)
        self.done.append("".join(items))

    def begin(self, source, item):
        """Hand over an item and wait until it is in work."""
        assert self.worker.submit(source, item) is None
        assert self.entered.acquire(timeout=10)

    def finish(self, n):
        """Let the call in work and n more through, then end."""
        for _ in range(n):
            self.gate.release()
            assert self.entered.acquire(timeout=10)
        self.gate.release()
        assert self.worker.stop(10)


def test_a_waiting_item_gives_way_to_a_newer_one():
    desk = Desk()
    desk.begin("front", "a")
    assert desk.worker.submit("front", "b") is None
    assert desk.worker.submit("front", "c") == "b"
    desk.finish(1)
    assert desk.done == ["a", "c"]


def test_sources_take_turns_and_replace_only_their_own():
    desk = Desk()
    desk.begin("front", "a")
    for source, item in (("front", "b"), ("rear", "r"), ("side", "s")):
        assert desk.worker.submit(source, item) is None
    assert desk.worker.submit("front", "c") == "b"
    desk.finish(3)
    assert desk.done == ["a", "c", "r", "s"]


def test_together_all_that_wait_come_in_one_call():
    desk = Desk(together=True)
    desk.begin("front", "a")
    for source, item in (("rear", "r"), ("front", "b"), ("rear", "q")):
        desk.worker.submit(source, item)
    desk.finish(1)
    assert desk.done == ["a", "qb"]


def test_where_all_are_kept_they_come_in_order_and_in_turns():
    desk = Desk(keep_all=True)
    desk.begin("front", "a")
    for source, item in (("front", "b"), ("front", "c"), ("rear", "r"), ("rear", "q")):
        assert desk.worker.submit(source, item) is None
    assert (desk.worker.waiting("front"), desk.worker.waiting("side")) == (2, 0)
    desk.finish(4)
    assert desk.done == ["a", "b", "r", "c", "q"]


def test_stop_ends_after_the_item_in_work_and_leaves_the_waiting_one():
    desk = Desk()
    desk.begin("front", "a")
    desk.worker.submit("front", "b")
    assert not desk.worker.stop(0.01)
    assert not desk.ended.is_set()
    desk.gate.release()
    assert desk.ended.wait(10)
    assert desk.done == ["a"]


@pytest.mark.parametrize("keep_all", [False, True])
def test_clear_takes_back_what_waits_of_one_source(keep_all):
    desk = Desk(keep_all=keep_all)
    desk.begin("front", "a")
    for source, item in (("front", "b"), ("front", "c"), ("rear", "r")):
        desk.worker.submit(source, item)
    assert desk.worker.clear("front") == (["b", "c"] if keep_all else ["c"])
    assert desk.worker.clear("front") == []
    desk.finish(1)
    assert desk.done == ["a", "r"]
