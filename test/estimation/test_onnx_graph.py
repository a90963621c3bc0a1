"""The operators of an ONNX file, compared with those that the package onnx reads."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import constant_graph, heatmap_spot, save

from poseflow_ros.estimation.onnx_graph import read_graph


@pytest.mark.parametrize(
    "graph",
    [
        constant_graph({"dets": np.zeros((2, 5))}),
        heatmap_spot((0.0,) * 3, (1.0,) * 3, (4.0, 4.0), transformer=True),
    ],
    ids=["constants", "heatmaps"],
)
def test_all_operators_are_found(tmp_path, graph):
    path = save(tmp_path / "m.onnx", graph, {"task": "pose"})
    nodes = onnx.load(path).graph.node
    found = read_graph(path, "images")
    assert found.all == {node.op_type for node in nodes}
    assert found.first == {node.op_type for node in nodes if "images" in node.input}


def model_file(path, *nodes):
    """Write a model of these operators, with weights larger than a varint of one byte."""
    weights = numpy_helper.from_array(np.ones((300, 300), np.float32), "weights")
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, 64, 64])
    graph = helper.make_graph(nodes, "g" * 200, [images], [], [weights])
    onnx.save(helper.make_model(graph, producer_name="x" * 500), path)
    return path


def test_the_first_operators_are_those_after_a_conversion_of_the_type(tmp_path):
    nodes = [
        helper.make_node("Cast", ["images"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Slice", ["half", "starts", "ends"], ["a"]),
        helper.make_node("Conv", ["a", "weights"], ["b"], name="conv", pads=[1] * 4),
    ]
    found = read_graph(model_file(tmp_path / "m.onnx", *nodes), "images")
    assert (found.first, found.all) == ({"Slice"}, {"Cast", "Slice", "Conv"})


def test_an_operator_without_inputs_and_a_model_without_operators_are_no_error(tmp_path):
    lone = helper.make_node("Constant", [], ["c"], value_float=1.0)
    assert read_graph(model_file(tmp_path / "m.onnx", lone), "images").all == {"Constant"}
    assert read_graph(model_file(tmp_path / "m.onnx"), "images").first == set()
