"""The interface of networks that classify windows of poses."""

from typing import Protocol

from poseflow_ros.actions.windows import Float32Array


class ClassifierError(RuntimeError):
    """A classifier cannot be made; the text names the parameter and says what to do."""


class Network(Protocol):
    """A network with one input and one output.

    Attributes:
        batch: number of people in each call; 0 for any number.
    """

    batch: int

    def __call__(self, tensor: Float32Array) -> Float32Array:
        """Return (N, A) an output for each of N people and A actions."""
