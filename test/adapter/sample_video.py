"""Real pictures of people: frames of the sample video."""

import subprocess
from pathlib import Path

import cv2
import pytest

_SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "fetch_sample_video.sh"


def sample_video():
    """Return the path of the sample video; skip the test where it cannot be had."""
    result = subprocess.run([_SCRIPT], check=False, capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"no sample video: {result.stderr.strip().splitlines()[-1]}")
    return result.stdout.strip()


def sample_frames(indices):
    """Return these frames as RGB images of 576 x 768 pixels."""
    capture = cv2.VideoCapture(sample_video())
    frames = []
    for index in indices:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        ok, bgr = capture.read()
        assert ok
        frames.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    capture.release()
    return frames
