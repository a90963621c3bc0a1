"""Stamps that cannot be used, and the times of arrival that replace them."""

import time

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType, ROSClock

from poseflow_ros.ros.inputs.stamp_repair import StampRepair

CLOCK = Clock(clock_type=ClockType.SYSTEM_TIME)


def seconds(stamp):
    return stamp.sec + 1e-9 * stamp.nanosec


def test_stamps_that_advance_are_left_alone():
    repair = StampRepair("image")
    stamps = [Time(sec=i, nanosec=5) for i in range(1, 9)]
    assert [repair.usable(stamp, CLOCK) for stamp in stamps] == stamps
    assert repair.problem == ""


def test_a_zero_becomes_the_time_of_arrival():
    repair = StampRepair("image")
    before_s = time.time()
    first = seconds(repair.usable(Time(), CLOCK))
    time.sleep(0.02)
    second = seconds(repair.usable(Time(), CLOCK))
    assert before_s - 0.001 <= first < second - 0.015 < time.time()
    assert repair.problem == "image stamps are zero: the time of arrival is used"


def test_a_clock_that_has_not_started_gives_the_time_of_the_system():
    clock = ROSClock()
    clock._set_ros_time_is_active(True)
    assert clock.now().nanoseconds == 0
    stamp = seconds(StampRepair("image").usable(Time(), clock))
    assert stamp == pytest.approx(time.time(), abs=1.0)


def test_a_stamp_that_stands_still_advances_with_the_time_of_arrival():
    repair, stamp = StampRepair("depth"), Time(sec=50)
    first = [seconds(repair.usable(stamp, CLOCK)) for _ in range(5)]
    assert first == [50.0] * 5  # duplicates, so far
    time.sleep(0.03)
    assert seconds(repair.usable(stamp, CLOCK)) == pytest.approx(50.03, abs=0.025)
    assert repair.problem == "depth stamps do not advance: the time of arrival is used"
    assert repair.usable(Time(sec=51), CLOCK) == Time(sec=51)


@pytest.mark.parametrize("sec", [-(2**31), -1, 2**31 - 1])
def test_the_limits_of_a_stamp(sec):
    repair, stamp = StampRepair("image"), Time(sec=sec, nanosec=1)
    for _ in range(7):
        last = repair.usable(stamp, CLOCK)
    assert last.sec in (sec, sec + 1)
