"""Checks of output files."""

from collections.abc import Iterable
from pathlib import Path

from poseflow_ros.cli.errors import CommandError


class OutputError(CommandError):
    """A file cannot be written; the message gives its path and the reason."""


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path] = ()) -> None:
    """Check before the work starts that the outputs can be written.

    Raises:
        OutputError: an output is also an input, or its folder does not exist.
    """
    resolved = {path.resolve() for path in inputs}
    for output in outputs:
        if output and output.resolve() in resolved:
            raise OutputError(f"{output} is an input and cannot be written")
        if output and not output.parent.is_dir():
            raise OutputError(f"{output} cannot be written: {output.parent} is not a folder")
