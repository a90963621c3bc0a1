"""From windows of poses to the most probable actions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poseflow_ros.action_config import ClassifierConfig
from poseflow_ros.actions.network_input import input_shape, network_input
from poseflow_ros.actions.windows import Float32Array, Windows
from poseflow_ros.estimation.errors import first_line
from poseflow_ros.recognition.network import ClassifierError, Network
from poseflow_ros.recognition.onnx_network import OnnxNetwork
from poseflow_ros.recognition.torchscript_network import TorchScriptNetwork

_NETWORKS: dict[str, Callable[[Path, ClassifierConfig], Network]] = {
    ".onnx": OnnxNetwork,
    ".pt": TorchScriptNetwork,
    ".pts": TorchScriptNetwork,
}


@dataclass(frozen=True, slots=True, eq=False)
class Actions:
    """The most probable actions of N people, in decreasing order of their scores.

    Attributes:
        labels: of each person a tuple of labels.
        scores: (N, L) in [0, 1] if the network returns logits.
    """

    labels: list[tuple[str, ...]]
    scores: Float32Array


class ActionClassifier:
    """A network, its labels, and the form of its input and output."""

    def __init__(self, config: ClassifierConfig) -> None:
        """Load the network and the labels, and call the network once to check them.

        Raises:
            ClassifierError: a file cannot be used, or the two do not fit each other.
        """
        self._config = config
        self._network = _load(config)
        self.labels = _read_labels(config)
        """Names of the actions, in the order of the outputs."""
        self._check()

    def classify(self, windows: Windows) -> Actions:
        """Return the actions of N people, at least one."""
        outputs = self._run(network_input(windows, self._config))
        scores = _softmax(outputs) if self._config.outputs == "logits" else outputs
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self._config.top]
        labels = [tuple(self.labels[i] for i in row) for row in order.tolist()]
        return Actions(labels, np.take_along_axis(scores, order, axis=1))

    def _run(self, tensor: Float32Array) -> Float32Array:
        """Call the network on parts of the batch."""
        size = self._network.batch or self._config.max_batch
        parts = [tensor[first : first + size] for first in range(0, len(tensor), size)]
        return np.concatenate([self._network(self._padded(part))[: len(part)] for part in parts])

    def _padded(self, part: Float32Array) -> Float32Array:
        """Return a part with zeros for the people whom a network of a fixed batch expects."""
        missing = max(0, self._network.batch - len(part))
        return np.pad(part, [(0, missing)] + [(0, 0)] * (part.ndim - 1)) if missing else part

    def _check(self) -> None:
        """Raise ClassifierError where network, input and labels do not fit each other."""
        path, shape = self._config.model, (1, *input_shape(self._config))
        try:
            output = self._run(np.zeros(shape, np.float32))
        except Exception as error:  # both libraries raise many types
            raise ClassifierError(
                f"classifier.model {path} does not take inputs of the shape {shape}: "
                f"{first_line(error)}"
            ) from error
        if output.ndim != 2:
            raise ClassifierError(
                f"classifier.model {path} returns the shape {output.shape}, must be (N, actions)"
            )
        if output.shape[1] != len(self.labels):
            raise ClassifierError(
                f"classifier.labels {self._config.labels} has {len(self.labels)} labels, must "
                f"have {output.shape[1]}, as many as classifier.model {path} has outputs"
            )


def _load(config: ClassifierConfig) -> Network:
    """Return the network of the file."""
    path = Path(config.model).expanduser()
    if not path.is_file():
        raise ClassifierError(f"classifier.model is {config.model!r}, which is not a file")
    if path.suffix not in _NETWORKS:
        known = ", ".join(_NETWORKS)
        raise ClassifierError(f"classifier.model is {config.model!r}, must end with {known}")
    return _NETWORKS[path.suffix](path, config)


def _read_labels(config: ClassifierConfig) -> list[str]:
    """Return the lines of the labels file that are not empty."""
    try:
        text = Path(config.labels).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClassifierError(
            f"classifier.labels is {config.labels!r}, which cannot be read: {first_line(error)}"
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _softmax(logits: Float32Array) -> Float32Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores: Float32Array = powers / powers.sum(axis=1, keepdims=True)
    return scores
