"""Small networks for action recognition whose outputs are known: a product with a matrix."""

from pathlib import Path

import numpy as np
import pytest

LABELS = ["stand", "wave", "walk", "sit"]


def weights_of(shape):
    """Return the matrix (D, A) of the network of inputs (N, *shape)."""
    rng = np.random.default_rng(7)
    return rng.normal(size=(int(np.prod(shape)), len(LABELS))).astype(np.float32)


def expected_logits(tensor):
    """Return what the network returns."""
    return tensor.reshape(len(tensor), -1) @ weights_of(tensor.shape[1:])


def write_labels(folder, labels=LABELS):
    path = Path(folder) / "labels.txt"
    path.write_text("\n".join(labels) + "\n\n")
    return str(path)


def write_onnx(folder, shape, *, batch=None, rank=2):
    """Write the network as an ONNX file; `batch` fixes the first axis, `rank` 3 adds one."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    if rank == 3:
        nodes.append(helper.make_node("Unsqueeze", ["logits", "axis"], ["output"]))
    constants = [numpy_helper.from_array(weights_of(shape), "weights")]
    constants += [numpy_helper.from_array(np.array([1]), "axis")] * (rank == 3)
    graph = helper.make_graph(
        nodes,
        "actions",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch or "n", *shape])],
        [helper.make_tensor_value_info("output" if rank == 3 else "logits", 1, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = Path(folder) / "actions.onnx"
    onnx.save(model, path)
    return str(path)


def write_torchscript(folder, shape):
    """Write the network as a TorchScript file."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    linear = torch.nn.Linear(int(np.prod(shape)), len(LABELS), bias=False)
    linear.weight.data = torch.from_numpy(weights_of(shape).T.copy())
    network = torch.nn.Sequential(torch.nn.Flatten(), linear)
    path = Path(folder) / "actions.pt"
    torch.jit.save(torch.jit.trace(network, torch.zeros(2, *shape)), str(path))
    return str(path)
