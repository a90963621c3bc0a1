"""The worker: one thread for all calls, their results and exceptions, and its end."""

import threading
import time

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from poseflow_ros.ros.worker import Worker


def test_every_call_runs_in_the_same_thread_and_returns_its_result():
    worker = Worker("test")
    threads = {worker.call(threading.current_thread) for _ in range(3)}
    assert {thread.name for thread in threads} == {"test"}
    assert len(threads) == 1
    assert threads != {threading.current_thread()}
    assert worker.stop(10)


def test_an_exception_is_raised_by_call_and_the_thread_goes_on():
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 / 0)
    assert worker.call(lambda: 7) == 7
    assert worker.stop(10)


def test_stop_lets_earlier_calls_finish_and_reports_a_thread_that_is_still_busy():
    worker, gate, done = Worker("test"), threading.Event(), []
    worker.start(lambda: done.append(gate.wait(30)))
    start_s = time.monotonic()
    assert not worker.stop(0.1)
    assert time.monotonic() - start_s < 5
    assert worker.alive
    gate.set()
    assert worker.stop(10)
    assert (worker.alive, done) == (False, [True])
    assert worker.stop(0)
