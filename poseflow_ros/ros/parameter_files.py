"""Detection of parameter files that set no parameters of the node, which ROS does not report."""

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from poseflow_ros.config import ConfigError
from poseflow_ros.yaml_file import read_yaml

_PARAMETERS = "ros__parameters"


def unmatched_files(arguments: Sequence[str], node_name: str) -> list[str]:
    """Return one line for each parameter file without parameters for the node.

    Args:
        arguments: of the process; the path of a file follows `--params-file`.
        node_name: fully qualified, such as /robot/poseflow.
    """
    pairs = itertools.pairwise(arguments)
    files = [after for option, after in pairs if option == "--params-file"]
    return [line for file in files if (line := _problem(Path(file), node_name))]


def _problem(file: Path, node_name: str) -> str:
    try:
        document = read_yaml(file)
    except ConfigError as error:
        return str(error)
    names = list(_node_names(document)) if isinstance(document, Mapping) else []
    if any(_matches(name, node_name) for name in names):
        return ""
    if not names:
        return f"{file} sets no parameters: expected {_PARAMETERS}: below {node_name}: or /**:"
    near = difflib.get_close_matches(node_name, names, n=1, cutoff=0.0)[0]
    return f"{file} sets no parameters of {node_name}: it names {near}; use {node_name} or /**"


def _node_names(document: Mapping[Any, Any], namespace: str = "") -> Iterator[str]:
    """Yield the names of nodes with parameters; names may be nested in namespaces."""
    for key, value in document.items():
        name = f"{namespace}/{str(key).strip('/')}"
        if isinstance(value, Mapping):
            if _PARAMETERS in value:
                yield name
            yield from _node_names({k: v for k, v in value.items() if k != _PARAMETERS}, name)


def _matches(pattern: str, node_name: str) -> bool:
    """Return whether a name in a file matches the node; * is one part, ** any number of parts."""
    parts = re.split(r"(/?\*\*|\*)", pattern)
    wild = {"/**": "(/[^/]+)*", "**": ".*", "*": "[^/]+"}
    return re.fullmatch("".join(wild.get(p) or re.escape(p) for p in parts), node_name) is not None
