"""Speed and memory of Keypoint R-CNN by stage, compared with the plain call of its library."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from poseflow_ros.bench.gpu_activity import gpu_activity
from poseflow_ros.bench.library_calls import (
    LibraryCall,
    PlacedPeople,
    library_call,
    place,
    write_weights,
)
from poseflow_ros.bench.memory import PeakMemory
from poseflow_ros.bench.repetition import figures, in_turns, peak_mib, percentile
from poseflow_ros.bench.stage_clock import StageClock
from poseflow_ros.bench.workload import Workload
from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.estimation.heatmaps import decode
from poseflow_ros.estimation.keypoint_rcnn import KeypointRCNN, no_stage
from poseflow_ros.estimation.torch_device import (
    choose_device,
    describe,
    free_memory,
    ieee_float32,
)
from poseflow_ros.poses import Image

_DECODE_S = 1.0


def measure_beside_library(config: Config, workload: Workload) -> dict[str, Any]:
    """Return the results of the estimator and of its library's plain call, measured in turns.

    Raises:
        BenchError, EstimatorError: one of them cannot run here.
    """
    settings = config.estimator
    device, images = choose_device(settings.device), workload.images()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pth"
        write_weights(settings, path)
        settings = replace(settings, weights=str(path), max_people=max(1, workload.people))
        # Otherwise one-time allocations of torch would be attributed to the first of the two.
        library_call(settings, path, device, workload.people)(images)
        free_memory(device)

        memory = PeakMemory(device)
        estimator = _estimator_with_people(settings, workload.people)
        mib = peak_mib(memory, lambda: estimator.estimate_batch(images))

        memory = PeakMemory(device)
        plain = library_call(settings, path, device, workload.people)
        plain_mib = peak_mib(memory, lambda: plain(images))
    report = _timed(estimator, plain, workload, (mib, plain_mib))
    estimator.close()
    return report


def _estimator_with_people(config: EstimatorConfig, n: int) -> KeypointRCNN:
    """Return the estimator, which finds n people in every image."""
    estimator = make_estimator(Config(estimator=config))
    assert isinstance(estimator, KeypointRCNN)
    estimator.network = PlacedPeople(estimator.network, n)
    return estimator


def _timed(
    estimator: KeypointRCNN, plain: LibraryCall, workload: Workload, peaks_mib: tuple[float, float]
) -> dict[str, Any]:
    """Measure the times and return the report."""
    clock, images = StageClock(estimator.device), workload.images()
    estimator.on_stage = clock.mark
    ours_s, plain_s, *ieee_s = in_turns(
        workload.seconds,
        lambda: clock.time(lambda: estimator.estimate_batch(images)),
        lambda: plain(images),
        *_without_tf32(estimator.device, lambda: plain(images)),
    )
    estimator.on_stage = no_stage
    activity = gpu_activity(estimator.device, lambda: estimator.estimate_batch(images))
    decode_ms, plain_decode_ms = _decode(estimator, plain.decode, images[0], workload.people)
    return {
        "estimator": estimator.description,
        "device": describe(estimator.device),
        "torch": str(torch.__version__),
        "size": f"{workload.width}x{workload.height}",
        "people_placed": workload.people,
        "batch": workload.batch,
        "rounds": len(ours_s),
        **figures("", ours_s, workload.batch, peaks_mib[0]),
        **figures("plain_", plain_s, workload.batch, peaks_mib[1]),
        **(figures("ieee_", ieee_s[0], workload.batch, peaks_mib[1]) if ieee_s else {}),
        **activity,
        "stages_p50_ms": clock.stages_ms(),
        "decode_p50_ms": decode_ms,
        "plain_decode_p50_ms": plain_decode_ms,
    }


def _without_tf32(device: torch.device, call: Callable[[], Any]) -> list[Callable[[], Any]]:
    """Return the call in IEEE float32, on a GPU, where torch's own convolutions take TF32."""

    def exact() -> None:
        with ieee_float32():
            call()

    return [exact] if device.type == "cuda" else []


def _decode(
    estimator: KeypointRCNN, plain: Callable[..., Any], image: Image, n: int
) -> tuple[float, float]:
    """Return the median time of decoding the heatmaps of n people, ours and the library's, ms."""
    device = estimator.device
    with torch.inference_mode():
        batch = torch.from_numpy(image).to(device).permute(2, 0, 1)[None]
        _, size = estimator.network.prepare(batch)
        boxes, limits = place(n, size, device), torch.full((2,), 0.5, device=device)
        heatmaps = torch.randn(n, 17, 56, 56, device=device)

        def timed(call: Callable[..., Any], *arguments: Any) -> Callable[[], None]:
            def run() -> None:
                call(*arguments)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)

            return run

        ours = timed(decode, heatmaps, boxes, limits)
        theirs = timed(plain, heatmaps, boxes)
        ours_s, plain_s = in_turns(_DECODE_S, ours, theirs)
    return percentile(1e3 * np.array(ours_s), 50), percentile(1e3 * np.array(plain_s), 50)
