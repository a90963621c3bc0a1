"""The demo program, on a short piece of the sample video."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import cv2
import pytest

from poseflow_ros.imaging.video import VideoWriter, open_source

ROOT = Path(__file__).resolve().parents[2]


def run_demo(domain_id, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "demo.py", *map(str, arguments)],
        env=os.environ | {"ROS_DOMAIN_ID": str(domain_id)},
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_demo_writes_a_video_a_contact_sheet_and_a_summary(driver, sample_video, tmp_path):
    short = tmp_path / "a film's short piece.mp4"
    with VideoWriter(short, 10.0) as writer:
        for image, _ in islice(open_source(sample_video), 30):
            writer.write(image)
    out = tmp_path / "out"
    run = run_demo(driver.domain_id, "--video", short, "--out", out)
    assert run.returncode == 0, run.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["published"] == 30
    # On a machine that stalls an image may be overtaken before the node has taken it.
    assert 20 <= summary["received"] <= 30
    assert summary["processed"] + summary["dropped"] == summary["received"]
    assert summary["people_now"] >= 2
    assert summary["track_ids"] >= summary["people_now"]
    assert 0 < summary["latency_p50_ms"] <= summary["latency_p99_ms"]
    assert open_source(str(out / "annotated.mp4")).n_frames == 30
    assert cv2.imread(str(out / "contact_sheet.png")).shape == (2 * 480, 3 * 640, 3)
    assert all(name in run.stdout for name in summary)


@pytest.mark.parametrize("video", ["/nowhere.mp4", __file__])
def test_invalid_video_is_reported_in_one_line(driver, tmp_path, video):
    run = run_demo(driver.domain_id, "--video", video, "--out", tmp_path)
    assert run.returncode == 2
    assert f"demo: {video} is no" in run.stderr
    assert "Traceback" not in run.stderr
