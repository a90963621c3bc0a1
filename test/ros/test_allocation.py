"""Freed memory of images is kept by the process and reused."""

import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

# The pages that the kernel hands out for 20 images of 1080p, after some that count not.
PROGRAM = """
import resource, sys, threading
import numpy as np
from poseflow_ros.ros.allocation import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def touch(n):
    for _ in range(n):
        images = [np.ones((1080, 1920, 3), np.uint8) for _ in range(3)]
        del images

def count():
    touch(3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    touch(20)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

count()
thread = threading.Thread(target=count)
thread.start()
thread.join()
"""


def pages(how):
    said = subprocess.check_output([sys.executable, "-c", PROGRAM, how], text=True)
    return [int(line) for line in said.split()]


def test_freed_memory_is_kept_for_the_next_image():
    left_alone, kept = pages("left alone"), pages("kept")
    assert kept[0] < left_alone[0] / 10
    assert kept[1] < left_alone[1] / 10  # in the thread of a worker
