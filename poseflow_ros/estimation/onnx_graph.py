"""The operators of an ONNX file, which ONNX Runtime does not report.

Reads only the names and types of the operators from the file's protocol buffers, as onnx.proto
defines them, so that the package `onnx` is not required; weights are skipped.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_VARINT, _BYTES = 0, 2
_FIXED_LENGTHS = {1: 8, 5: 4}
# Numbers of fields in onnx.proto: ModelProto.graph, GraphProto.node, and of NodeProto.
_GRAPH, _NODE, _INPUT, _OUTPUT, _OPERATOR = 7, 1, 1, 2, 4

_Buffer = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Graph:
    """The operators of a model.

    Attributes:
        first: types of those that take the image, such as Conv, before or after a Cast.
        all: types of all.
    """

    first: frozenset[str]
    all: frozenset[str]


def read_graph(path: Path, input_name: str) -> Graph:
    """Return the operators of a file that ONNX Runtime has loaded.

    Args:
        path: the file.
        input_name: the name of the image input.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        nodes = [
            _node(data, *node)
            for graph in _fields(data, 0, len(data), _GRAPH)
            for node in _fields(data, *graph, _NODE)
        ]
    images, first = {input_name}, set()
    for operator, inputs, outputs in nodes:
        if images & inputs:
            if operator == "Cast":
                images |= outputs
            else:
                first.add(operator)
    return Graph(frozenset(first), frozenset(operator for operator, _, _ in nodes))


def _node(data: _Buffer, start: int, end: int) -> tuple[str, set[str], set[str]]:
    """Return an operator's type and the names of its inputs and outputs."""
    (operator,), inputs, outputs = (
        [data[a:b].decode() for a, b in _fields(data, start, end, number)]
        for number in (_OPERATOR, _INPUT, _OUTPUT)
    )
    return operator, set(inputs), set(outputs)


def _fields(data: _Buffer, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """Yield where the contents of each field of this number start and end, in a message."""
    while start < end:
        key, start = _varint(data, start)
        kind = key & 7
        if kind == _VARINT:
            _, start = _varint(data, start)
            continue
        length, start = _varint(data, start) if kind == _BYTES else (_FIXED_LENGTHS[kind], start)
        if key >> 3 == number:
            yield start, start + length
        start += length


def _varint(data: _Buffer, start: int) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
        shift += 7
