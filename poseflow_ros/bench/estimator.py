"""How fast Keypoint R-CNN is, stage by stage, beside the plain call of the same library."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from poseflow_ros.bench.error import BenchError
from poseflow_ros.bench.library_calls import PlacedPeople, library_call, place, write_weights
from poseflow_ros.bench.memory import PeakMemory
from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.estimator import make_estimator
from poseflow_ros.estimation.heatmaps import decode
from poseflow_ros.estimation.keypoint_rcnn import KeypointRCNN
from poseflow_ros.estimation.torch_device import choose_device, describe, free_memory
from poseflow_ros.poses import Image

_MAX_PEOPLE = 40
_MIN_ROUNDS = 3
_DECODE_S = 1.0


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured.

    Attributes:
        width, height: of the images, pixels.
        people: in each image.
        batch: images at a time.
        seconds: for how long each of the two calls is repeated.

    Raises:
        BenchError: a value is out of its range.
    """

    width: int
    height: int
    people: int
    batch: int
    seconds: float

    def __post_init__(self) -> None:
        for name, least, most in (
            *(("width", 32, 8192), ("height", 32, 8192), ("people", 0, _MAX_PEOPLE)),
            *(("batch", 1, 64), ("seconds", 0.0, 3600.0)),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise BenchError(f"{name} is {value:g}, must be from {least:g} to {most:g}")

    def images(self) -> list[Image]:
        """Return one batch of noise, always the same."""
        rng = np.random.default_rng(0)
        shape = (self.batch, self.height, self.width, 3)
        return list(rng.integers(0, 256, shape, np.uint8))


def measure(config: EstimatorConfig, workload: Workload) -> dict[str, Any]:
    """Return the figures of the estimator and of its library's plain call, taken in turns.

    Raises:
        BenchError, EstimatorError: something of it cannot run here.
    """
    device = choose_device(config.device)
    images = workload.images()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pth"
        write_weights(config, path)
        config = replace(config, weights=str(path), max_people=max(1, workload.people))
        # What torch allocates once and for all would otherwise count for the first of the two.
        library_call(config, path, device, workload.people)(images)
        free_memory(device)

        memory = PeakMemory(device)
        estimator = make_estimator(config)
        assert isinstance(estimator, KeypointRCNN)
        estimator.network = PlacedPeople(estimator.network, workload.people)
        peak_mib = _peak(memory, lambda: estimator.estimate_batch(images))

        memory = PeakMemory(device)
        plain = library_call(config, path, device, workload.people)
        plain_peak_mib = _peak(memory, lambda: plain(images))

    clock = StageClock(device)
    estimator.on_stage = clock.mark
    ours_s, plain_s = _in_turns(
        workload.seconds,
        lambda: clock.time(lambda: estimator.estimate_batch(images)),
        lambda: plain(images),
    )
    decode_ms, plain_decode_ms = _decode(estimator, plain.decode, images[0], workload.people)
    estimator.close()
    return {
        "estimator": estimator.description,
        "device": describe(device),
        "torch": str(torch.__version__),
        "size": f"{workload.width}x{workload.height}",
        "people_placed": workload.people,
        "batch": workload.batch,
        "rounds": len(ours_s),
        **_figures("", ours_s, workload.batch, peak_mib),
        **_figures("plain_", plain_s, workload.batch, plain_peak_mib),
        "stages_p50_ms": clock.stages_ms(),
        "decode_p50_ms": decode_ms,
        "plain_decode_p50_ms": plain_decode_ms,
    }


class StageClock:
    """Times the stages of a call, with events of the GPU where there is one."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks: list[tuple[str, Any]] = []
        self._stages_ms: dict[str, list[float]] = defaultdict(list)

    def time(self, call: Callable[[], Any]) -> None:
        """Run the call, which marks its stages and waits for the device at its end."""
        self._marks = []
        self.mark("start")
        call()
        if self._on_gpu:
            self._marks[-1][1].synchronize()
        for (_, before), (name, after) in zip(self._marks, self._marks[1:], strict=False):
            elapsed = before.elapsed_time(after) if self._on_gpu else 1e3 * (after - before)
            self._stages_ms[name].append(elapsed)

    def mark(self, name: str) -> None:
        """Note the end of a stage."""
        if self._on_gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record(torch.cuda.current_stream(self._device))
            self._marks.append((name, event))
        else:
            self._marks.append((name, perf_counter()))

    def stages_ms(self) -> dict[str, float]:
        """Return the median of each stage."""
        return {name: _p(values, 50) for name, values in self._stages_ms.items()}

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"


def _peak(memory: PeakMemory, call: Callable[[], Any]) -> float:
    """Return the most memory that calling takes, the loaded network included."""
    call()  # the first call takes more than any after it
    memory.restart()
    call()
    return memory.mib()


def _in_turns(seconds: float, *calls: Callable[[], Any]) -> list[list[float]]:
    """Call each in turn for so long each, and return the seconds that every call took."""
    times: list[list[float]] = [[] for _ in calls]
    while len(times[0]) < _MIN_ROUNDS or sum(times[0]) < seconds:
        for call, taken in zip(calls, times, strict=True):
            start = perf_counter()
            call()
            taken.append(perf_counter() - start)
    return times


def _decode(
    estimator: KeypointRCNN, plain: Callable[..., Any], image: Image, n: int
) -> tuple[float, float]:
    """Return the median milliseconds of decoding n people's heatmaps, ours and the library's."""
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
        ours_s, plain_s = _in_turns(_DECODE_S, ours, theirs)
    return _p(1e3 * np.array(ours_s), 50), _p(1e3 * np.array(plain_s), 50)


def _figures(prefix: str, seconds: Sequence[float], batch: int, mib: float) -> dict[str, float]:
    """Return the figures of a call that was repeated; a time is that of a whole batch."""
    times_ms = 1e3 * np.array(seconds)
    return {
        f"{prefix}images_per_second": round(1e3 * batch * len(times_ms) / times_ms.sum(), 2),
        f"{prefix}p50_ms": _p(times_ms, 50),
        f"{prefix}p99_ms": _p(times_ms, 99),
        f"{prefix}peak_memory_mib": mib,
    }


def _p(values: Any, percent: float) -> float:
    return round(float(np.percentile(values, percent)), 3)
