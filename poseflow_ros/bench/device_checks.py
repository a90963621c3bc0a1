"""What Keypoint R-CNN does on a device besides its speed: first images, memory, a lost device."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from poseflow_ros.bench.library_calls import PlacedPeople, write_weights
from poseflow_ros.bench.workload import Workload
from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.estimation.keypoint_rcnn import KeypointRCNN
from poseflow_ros.estimation.padded_people import PADDED
from poseflow_ros.estimation.torch_device import choose_device
from poseflow_ros.poses import Image

_OTHER_SIZE = (1280, 720)
_BATCHES = (2, 3, 4)
_CONFIGURATIONS = 6
_CALLS, _TIMEOUT_S = 3, 120.0
_MIB = 2**20

# Fails on the device, as an index out of range does, and then estimates.
_LOSE_DEVICE = """
import sys
import numpy as np
import torch
from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.factory import make_estimator

name, device, weights, width, height = sys.argv[1:]
config = EstimatorConfig(name=name, device=device, weights=weights)
estimator = make_estimator(Config(estimator=config))
try:
    torch._assert_async(torch.zeros((), dtype=torch.bool, device=device))
    estimator.estimate(np.zeros((int(height), int(width), 3), np.uint8))
except Exception as error:
    print(f"{type(error).__name__}: {error}".splitlines()[0], flush=True)
else:
    print("nothing was raised", flush=True)
"""

Rows = list[tuple[str, str]]


def check_device(config: Config, workload: Workload) -> Rows:
    """Return what was observed, in rows of two cells.

    Raises:
        EstimatorError: the estimator cannot run here.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pth"
        write_weights(config.estimator, path)
        settings = replace(config.estimator, weights=str(path), max_people=PADDED[-1])
        return [
            *_first_images(settings, workload),
            *_memory_of_configurations(settings, workload.images()),
            ("after a failure on the device", _lost_device(settings, workload)),
        ]


def _first_images(config: EstimatorConfig, workload: Workload) -> Rows:
    """Return the times of the first images of each kind; with CUDA graphs the second captures."""
    start = time.perf_counter()
    with closing(_make(config)) as estimator:
        rows = [("configuration, s", f"{time.perf_counter() - start:.2f}")]
        network, images = estimator.network, workload.images()
        estimator.network = PlacedPeople(network, workload.people)

        def add(what: str, batch: Sequence[Image]) -> None:
            rows.append((what, _times_ms(lambda: estimator.estimate_batch(batch))))

        add("first images, ms", images)
        _in_thread(lambda: add("in another thread", images))
        width, height = _OTHER_SIZE
        add(f"of {width} x {height}", replace(workload, width=width, height=height).images())
        for n in _BATCHES:
            add(f"in a batch of {n}", replace(workload, batch=n).images())
        for n in PADDED:
            estimator.network = PlacedPeople(network, n)
            add(f"people: {n}", images)
    return rows


def _memory_of_configurations(config: EstimatorConfig, images: Sequence[Image]) -> Rows:
    """Return the memory in use after each of some configurations: it should not grow."""

    def use() -> None:
        with closing(_make(config)) as estimator:
            for _ in range(3):
                estimator.estimate_batch(images)

    rows: Rows = []
    for i in range(_CONFIGURATIONS):
        _in_thread(use)
        rows.append((f"after configuration {i + 1}", _memory(choose_device(config.device))))
    return rows


def _lost_device(config: EstimatorConfig, workload: Workload) -> str:
    """Return what a process reports whose device fails; on a GPU it must be DeviceLostError."""
    device = choose_device(config.device)
    arguments = (config.name, device, config.weights, workload.width, workload.height)
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LOSE_DEVICE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    lines = (result.stdout or result.stderr).splitlines()
    return lines[-1] if lines else f"exit code {result.returncode}"


def _make(config: EstimatorConfig) -> KeypointRCNN:
    estimator = make_estimator(Config(estimator=config))
    assert isinstance(estimator, KeypointRCNN)
    return estimator


def _in_thread(call: Callable[[], None]) -> None:
    """Call in a thread of its own, and wait for its end; raise what it raises."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(call).result()


def _times_ms(call: Callable[[], Any]) -> str:
    times = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return "  ".join(f"{ms:.1f}" for ms in times)


def _memory(device: torch.device) -> str:
    """Return the memory that this process and torch have on the device, in words."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    text = f"process {pages * os.sysconf('SC_PAGE_SIZE') // _MIB} MiB"
    if device.type != "cuda":
        return text
    free, _ = torch.cuda.mem_get_info(device)
    reserved = torch.cuda.memory_reserved(device)
    return f"{text}, torch {reserved // _MIB} MiB, free on the device {free // _MIB} MiB"
