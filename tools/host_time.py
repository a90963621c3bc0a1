"""Host time of Keypoint R-CNN on a GPU that computes in no time, beside torchvision's.

The convolutions, matrix layers and pooling return what they returned the first time, for images
of 64 pixels and few proposals, so that little but Python and the dispatch of torch is left. A CUDA
graph is replaced by its first result. CPU time, medians, on one thread.

python tools/host_time.py
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import nn
from torchvision.ops import poolers

from poseflow_ros.bench.library_calls import PlacedPeople, library_call, write_weights
from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation import pooling, proposals, suppression
from poseflow_ros.estimation.factory import make_estimator

PEOPLE, PROPOSALS, ROUNDS = 10, 32, 30


class Remembered:
    """A function that computes once for each kind of input, by a key."""

    def __init__(self, function: Callable[..., Any], key: Callable[..., Any]) -> None:
        self._function, self._key = function, key
        self._results: dict[Any, Any] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result of the first call with this key."""
        key = self._key(*args, **kwargs)
        if key not in self._results:
            self._results[key] = self._function(*args, **kwargs)
        return self._results[key]


class Replay:
    """A pass whose operations were captured: launching them takes the host no time."""

    def __init__(self, eager: Any) -> None:
        self.find = Remembered(eager.find, lambda images: images.shape)
        self.heads = Remembered(eager.heads, lambda found, n: (id(found), n))


@contextmanager
def instant_device() -> Iterator[None]:
    """Let the heavy kernels take no time, and suppression be that of a GPU."""

    def layer(function: Any) -> Any:
        remembered = Remembered(function, lambda module, x: (id(module), x.shape))

        def forward(module: nn.Module, x: torch.Tensor) -> Any:
            return remembered(module, x)

        return forward

    def pooled(values: Any, regions: Any, *args: Any, **kwargs: Any) -> Any:
        n = len(regions) if isinstance(regions, torch.Tensor) else sum(map(len, regions))
        return values.shape, n, str(args), str(kwargs)

    with ExitStack() as stack:
        for kind in (nn.Conv2d, nn.ConvTranspose2d, nn.Linear):
            stack.enter_context(patch.object(kind, "forward", layer(kind.forward)))
        for module in (pooling, poolers):
            fast = Remembered(module.roi_align, pooled)
            stack.enter_context(patch.object(module, "roi_align", fast))
        for module in (suppression, proposals):
            stack.enter_context(patch.object(module, "waits_for_free", lambda _: False))
        yield


def make_both(folder: str) -> tuple[Any, Any]:
    """Return the estimator and torchvision's call with the same weights and few proposals."""
    config = EstimatorConfig(
        name="keypoint_rcnn",
        weights=str(Path(folder) / "random.pth"),
        device="cpu",
        image_min_side=64,
        image_max_side=128,
        max_people=PEOPLE,
        threads=1,
    )
    write_weights(config, Path(config.weights))
    ours: Any = make_estimator(Config(estimator=config))
    plain: Any = library_call(config, Path(config.weights), torch.device("cpu"), PEOPLE)
    network = ours.network
    few = replace(network._settings.proposals, per_level=PROPOSALS, per_image=PROPOSALS)
    network._settings = replace(network._settings, proposals=few)
    rpn = plain.model.rpn
    rpn._pre_nms_top_n = rpn._post_nms_top_n = {"training": PROPOSALS, "testing": PROPOSALS}
    ours.network = PlacedPeople(network, PEOPLE)
    return ours, plain


def cpu_ms(call: Callable[[], Any]) -> float:
    """Return the median CPU time of a call."""
    call()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1e3 * float(np.median(times))


def main() -> None:
    """Print the times and how many times less ours are."""
    with tempfile.TemporaryDirectory() as folder, instant_device():
        ours, plain = make_both(folder)
        eager, replay = ours._passes.eager, Replay(ours._passes.eager)

        def estimate(run: Any, images: Any) -> None:
            with patch.object(ours._passes, "take", lambda _: run):
                ours.estimate_batch(images)

        for batch in (1, 4):
            noise = np.random.default_rng(0).integers(0, 256, (batch, 48, 64, 3), np.uint8)
            theirs = cpu_ms(partial(plain, list(noise)))
            alone, graphs = (
                cpu_ms(partial(estimate, run, list(noise))) for run in (eager, replay)
            )
            print(
                f"batch {batch}: torchvision {theirs:.1f} ms, eager {alone:.1f} ms "
                f"({theirs / alone:.1f} times less), CUDA graphs {graphs:.1f} ms "
                f"({theirs / graphs:.1f} times less)"
            )


if __name__ == "__main__":
    main()
