"""Fixtures of all tests: the sample video, a check of the priority."""

import os
import shutil
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from poseflow_ros.imaging.video import open_source

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _same_scheduling():
    """Fail a test that leaves another priority to all tests after it in its process."""
    policy = os.sched_getscheduler(0)
    yield
    assert os.sched_getscheduler(0) == policy


@pytest.fixture(scope="session")
def sample_video():
    """The path of the pedestrians' video of the package opencv-doc."""
    if not shutil.which("apt-get"):
        pytest.skip("the sample video comes from a Debian package, and there is no apt-get")
    script = ROOT / "tools" / "fetch_sample_video.sh"
    return subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="session")
def pedestrians(sample_video):
    """The first images of the sample video, (576, 768, 3) RGB, with four people and more."""
    return [image for image, _ in islice(open_source(sample_video), 12)]
