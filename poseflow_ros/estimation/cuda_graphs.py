"""CUDA graphs: a pass through the network that is launched with two calls."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from poseflow_ros.estimation.device_errors import is_device_lost
from poseflow_ros.estimation.errors import first_line
from poseflow_ros.estimation.network_pass import EagerPass, Found, Heads, Network, Pass

# Captured passes that are kept; each holds the activations of its size.
_MAX_PASSES = 4

T = TypeVar("T")


class CudaGraph(Generic[T]):
    """A call that was captured on the GPU; a replay overwrites the result of the last."""

    def __init__(self, call: Callable[[], T], memory_pool: Any) -> None:
        """Call once, so that nothing is planned in the capture, and capture the second call.

        The call reads and writes the same memory each time, and never waits for the device.
        """
        call()
        self._graph = torch.cuda.CUDAGraph()
        # Other threads of the process may use CUDA at the same time.
        with torch.cuda.graph(self._graph, memory_pool, capture_error_mode="thread_local"):
            self._result = call()

    def replay(self) -> T:
        """Launch the captured operations; return the result, whose tensors stay the same."""
        self._graph.replay()
        return self._result


Capture = Callable[[Callable[[], Any]], "CudaGraph[Any] | None"]
"""Captures a call; returns None where this is not possible."""


class CapturedPass:
    """A pass captured for one size and number of images."""

    def __init__(self, eager: EagerPass, images: Tensor, capture: Capture) -> None:
        self._eager, self._capture = eager, capture
        self._images = images.clone()
        self._find = capture(lambda: eager.find(self._images))
        self._heads: dict[int, CudaGraph[Heads] | None] = {}

    @property
    def captured(self) -> bool:
        """Whether the first half could be captured."""
        return self._find is not None

    def find(self, images: Tensor) -> Found:
        """Return what is found; see `Pass.find`. The next call overwrites it."""
        assert self._find is not None
        self._images.copy_(images)
        return self._find.replay()

    def heads(self, found: Found, n: int) -> Heads:
        """Return the first n people of the last `find`; see `Pass.heads`."""
        if n not in self._heads:
            self._heads[n] = self._capture(lambda: self._eager.heads(found, n))
        graph = self._heads[n]
        return graph.replay() if graph else self._eager.heads(found, n)


class Passes:
    """The passes of a network: eager for a size that is new, captured from then on.

    Must be used by one thread only: cuDNN keeps its plans for each thread.
    """

    def __init__(self, network: Network, *, captures: bool) -> None:
        """Make the passes of a network; `captures`: whether they are captured."""
        self.network = network
        self.eager = EagerPass(network)
        self.problem = ""
        """Why nothing is captured any more; empty while it is."""
        self._captures = captures
        self._memory_pool: Any = None
        self._seen: set[torch.Size] = set()
        self._captured: OrderedDict[torch.Size, CapturedPass] = OrderedDict()

    def take(self, images: Tensor) -> Pass:
        """Return the pass for images (B, 3, H, W)."""
        shape = images.shape
        if shape in self._captured:
            self._captured.move_to_end(shape)
            return self._captured[shape]
        # The first pass of a size plans its kernels and makes its constants.
        if not self._captures or shape not in self._seen:
            self._seen.add(shape)
            return self.eager
        captured = CapturedPass(self.eager, images, self._capture)
        if not captured.captured:
            return self.eager
        self._captured[shape] = captured
        if len(self._captured) > _MAX_PASSES:
            self._captured.popitem(last=False)
        return captured

    def clear(self) -> None:
        """Release the captured passes and their memory."""
        self._captured.clear()
        self._memory_pool = None

    def _capture(self, call: Callable[[], T]) -> CudaGraph[T] | None:
        """Capture a call; where that fails, log it once and capture nothing any more."""
        if not self._captures:
            return None
        try:
            if self._memory_pool is None:
                self._memory_pool = torch.cuda.graph_pool_handle()
            return CudaGraph(call, self._memory_pool)
        except RuntimeError as error:
            if is_device_lost(error):
                raise
            self.problem, self._captures = first_line(error), False
        logging.getLogger(__name__).warning(
            "CUDA graphs are not used: the capture failed: %s", self.problem
        )
        return None
