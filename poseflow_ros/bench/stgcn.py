"""An ONNX file of a spatial temporal graph network with the size of ST-GCN++, random weights.

Duan et al., PYSKL: Towards Good Practices for Skeleton Action Recognition, ACM MM 2022: ten blocks
of 64 to 256 channels, 1.4 million parameters.
"""

from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.bench.error import BenchError
from poseflow_ros.skeletons.coco17 import COCO_17

# Channels, and the step in time, of each block.
_BLOCKS = [(64, 1)] * 4 + [(128, 2)] + [(128, 1)] * 2 + [(256, 2)] + [(256, 1)] * 2
_SUBSETS, _KERNEL = 3, 7


class _Graph:
    """Collects the nodes and the weights of an ONNX graph."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self._rng = np.random.default_rng(0)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.n_parameters = 0

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator; return the name of its output."""
        name = f"value_{len(self.nodes)}"
        node = self._onnx.helper.make_node(operator, list(inputs), [name], **attributes)
        self.nodes.append(node)
        return name

    def constant(self, values: Any) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self.weights)}"
        self.weights.append(self._onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def weight(self, *shape: int) -> str:
        """Add random weights; return their name."""
        values = self._rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        self.n_parameters += int(np.prod(shape))
        return self.constant(values.astype(np.float32))

    def conv(self, x: str, channels_in: int, channels: int, kernel: int = 1, step: int = 1) -> str:
        """Add a convolution along time."""
        return self.add(
            "Conv",
            x,
            self.weight(channels, channels_in, kernel, 1),
            strides=[step, 1],
            pads=[kernel // 2, 0, kernel // 2, 0],
        )


def write_stgcn(path: Path, n_actions: int = 60) -> int:
    """Write the network of inputs (N, 2, 100, 17, 3); return its number of parameters.

    Raises:
        BenchError: the package onnx is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise BenchError("onnx is not installed, which makes the network") from None
    graph = _Graph(onnx)
    x = graph.add("Transpose", "input", perm=[0, 1, 4, 2, 3])
    x, channels = graph.add("Reshape", x, graph.constant([-1, 3, 100, 17])), 3
    for wider, step in _BLOCKS:
        x, channels = _block(graph, x, channels, wider, step), wider
    x = graph.add("GlobalAveragePool", x)
    x = graph.add("Reshape", x, graph.constant([-1, 2, channels]))
    x = graph.add("ReduceMean", x, axes=[1], keepdims=0)
    x = graph.add("MatMul", x, graph.weight(channels, n_actions))
    onnx.save(_model(onnx, graph, x, n_actions), path)
    return graph.n_parameters


def _block(graph: _Graph, x: str, channels_in: int, channels: int, step: int) -> str:
    """Add a graph convolution over the keypoints, then one over time with a bottleneck."""
    y = graph.conv(x, channels_in, _SUBSETS * channels)
    y = graph.add("Reshape", y, graph.constant([0, _SUBSETS, channels, -1, 17]))
    y = graph.add("MatMul", y, graph.constant(_adjacency()))
    y = graph.add("Relu", graph.add("ReduceSum", y, graph.constant([1]), keepdims=0))
    half = channels // 2
    y = graph.add("Relu", graph.conv(y, channels, half))
    y = graph.conv(graph.conv(y, half, half, _KERNEL, step), half, channels)
    if channels_in == channels and step == 1:
        y = graph.add("Add", x, y)
    return graph.add("Relu", y)


def _adjacency() -> np.ndarray:
    """Return (3, 1, 17, 17): itself, and the edges of the skeleton in both directions."""
    matrices = np.zeros((_SUBSETS, 1, 17, 17), np.float32)
    matrices[0, 0] = np.eye(17)
    for start, end in COCO_17.edges:
        matrices[1, 0, start, end] = matrices[2, 0, end, start] = 1.0
    return matrices / np.maximum(matrices.sum(axis=2, keepdims=True), 1.0)


def _model(onnx: Any, graph: _Graph, output: str, n_actions: int) -> Any:
    value = onnx.helper.make_tensor_value_info
    onnx_graph = onnx.helper.make_graph(
        graph.nodes,
        "stgcn",
        [value("input", onnx.TensorProto.FLOAT, ["n", 2, 100, 17, 3])],
        [value(output, onnx.TensorProto.FLOAT, ["n", n_actions])],
        graph.weights,
    )
    # Opset 17: ReduceMean still takes its axes as an attribute.
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(onnx_graph, opset_imports=opsets, ir_version=8)
