"""The worker: one thread for all calls, their results and exceptions, and its end."""

import subprocess
import sys
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


SIGNALLED = """
import os, signal, threading
from poseflow_ros.ros import stop_signals
from poseflow_ros.ros.worker import Worker

def send_signal():
    os.kill(os.getpid(), signal.{})

with stop_signals.recorded():
    threading.Timer(0.2, send_signal).start()
    try:
        Worker("test").call(threading.Event().wait)
    except KeyboardInterrupt:
        print("interrupted")
send_signal()
print("finished")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_interrupts_a_call_and_later_signals_are_ignored(name):
    command = [sys.executable, "-c", SIGNALLED.format(name)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "interrupted\nfinished\n", "")
