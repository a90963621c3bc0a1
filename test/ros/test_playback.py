"""When images are due: by their stamps, with delays caught up or shifted."""

import threading
import time

import pytest

from poseflow_ros.ros.playback import PlaybackClock


@pytest.fixture
def clock():
    return PlaybackClock(threading.Event())


def test_images_are_due_by_their_stamps(clock):
    clock.start_pass(0.1)
    start_s = time.monotonic()
    for stamp_s in (7.0, 7.02, 7.15, 7.16):
        late_s = clock.wait(stamp_s)
        due_s = time.monotonic() - late_s - start_s
        # What is due does not move with waits that end late.
        assert due_s == pytest.approx(stamp_s - 7.0, abs=0.02)


def test_a_second_pass_follows_the_first_one_period_later(clock):
    clock.start_pass(0.1)
    clock.wait(0.0)
    first_s = time.monotonic()
    clock.start_pass(0.1)
    clock.wait(0.0)
    assert time.monotonic() - first_s >= 0.09


def test_a_long_delay_shifts_what_follows(clock):
    clock.start_pass(0.1)
    clock.wait(0.0)
    time.sleep(0.7)
    assert clock.wait(0.1) < 0.5  # due now, not 0.6 s ago
    start_s = time.monotonic()
    clock.wait(0.2)
    assert time.monotonic() - start_s >= 0.05


def test_a_stop_ends_the_wait():
    stopped = threading.Event()
    clock = PlaybackClock(stopped)
    clock.start_pass(0.1)
    clock.wait(0.0)
    threading.Timer(0.1, stopped.set).start()
    start_s = time.monotonic()
    clock.wait(60.0)
    assert time.monotonic() - start_s < 30
