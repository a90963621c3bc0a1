"""ROS 2 parameter files, read by the rules of ROS but without it."""

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from poseflow_ros.parameter_group import ConfigError
from poseflow_ros.yaml_file import read_yaml

NODE_NAME = "/poseflow"
"""The node whose parameters are read where there is no ROS."""

_PARAMETERS = "ros__parameters"
_ASSIGNMENT = re.compile(r"(?P<node>[^:=]+):(?P<name>[^:=]+):=")


def read_parameters(path: Path, node_name: str = NODE_NAME) -> dict[str, Any]:
    """Return the values that a file sets for a node, by full names such as tracker.max_lost_s.

    Where several sections match, the later one in the file applies, as in ROS.

    Raises:
        ConfigError: it cannot be read, is not YAML or sets no parameters of this node.
    """
    sections = _sections(read_yaml(path))
    values: dict[str, Any] = {}
    for name, parameters in sections:
        if _matches(name, node_name):
            values |= _flat(parameters)
    if not values:
        raise ConfigError(_no_parameters(path, [name for name, _ in sections], node_name))
    return values


def unmatched_files(arguments: Sequence[str], node_name: str) -> list[str]:
    """Return one line for each file or assignment without parameters for the node.

    Args:
        arguments: of the process; a file follows `--params-file`, an assignment `-p`.
        node_name: fully qualified, such as /robot/poseflow.
    """
    lines = []
    for option, value in itertools.pairwise(arguments):
        if option == "--params-file":
            lines.append(_file_problem(Path(value), node_name))
        elif option in ("-p", "--param"):
            lines.append(_assignment_problem(value, node_name))
    return [line for line in lines if line]


def _file_problem(path: Path, node_name: str) -> str:
    try:
        names = [name for name, _ in _sections(read_yaml(path))]
    except ConfigError as error:
        return str(error)
    if any(_matches(name, node_name) for name in names):
        return ""
    return _no_parameters(path, names, node_name)


def _no_parameters(path: Path, names: Sequence[str], node_name: str) -> str:
    if not names:
        return f"{path} sets no parameters: expected {_PARAMETERS}: below {node_name}: or /**:"
    if any(_matches(name, node_name) for name in names):
        return f"{path} sets no parameters: {_PARAMETERS}: is empty"
    near = difflib.get_close_matches(node_name, names, n=1, cutoff=0.0)[0]
    return f"{path} sets no parameters of {node_name}: it names {near}; use {node_name} or /**"


def _assignment_problem(assignment: str, node_name: str) -> str:
    """Return a line about `-p other_node:name:=value`; ROS takes no namespace there."""
    match = _ASSIGNMENT.match(assignment)
    if match is None or _matches(f"/{match['node'].strip('/')}", node_name):
        return ""
    return (
        f"-p {assignment} sets no parameter of {node_name}: it names {match['node']}; use "
        f"-p {assignment[match.end('node') + 1 :]}"
    )


def _sections(document: Any) -> list[tuple[str, Any]]:
    """Return the names of the nodes that have parameters, with them."""
    return list(_named(document)) if isinstance(document, Mapping) else []


def _named(document: Mapping[Any, Any], namespace: str = "") -> Iterator[tuple[str, Any]]:
    """Yield names and parameters; names may be nested in namespaces."""
    for key, value in document.items():
        name = f"{namespace}/{str(key).strip('/')}"
        if isinstance(value, Mapping):
            if _PARAMETERS in value:
                yield name, value[_PARAMETERS]
            yield from _named({k: v for k, v in value.items() if k != _PARAMETERS}, name)


def _matches(pattern: str, node_name: str) -> bool:
    """Return whether a name in a file, where * is one part and ** any number, is the node's."""
    parts = re.split(r"(/?\*\*|\*)", pattern)
    wild = {"/**": "(/[^/]+)*", "**": ".*", "*": "[^/]+"}
    return re.fullmatch("".join(wild.get(p) or re.escape(p) for p in parts), node_name) is not None


def _flat(parameters: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested groups as full names: {tracker: {max_lost_s: 3.0}} -> tracker.max_lost_s."""
    values: dict[str, Any] = {}
    for key, value in parameters.items() if isinstance(parameters, Mapping) else ():
        name = f"{prefix}{key}"
        values |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return values
