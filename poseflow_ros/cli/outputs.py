"""Files that a command is asked to write."""

from collections.abc import Iterable
from pathlib import Path

from poseflow_ros.cli.errors import CommandError


class OutputError(CommandError):
    """A file that cannot be written; the text names it and says why."""


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path] = ()) -> None:
    """Refuse before the work what could not be written after it.

    Raises:
        OutputError: an output is one of the inputs too, or its folder is missing.
    """
    resolved = {path.resolve() for path in inputs}
    for output in outputs:
        if output and output.resolve() in resolved:
            raise OutputError(f"{output} is an input and cannot be written")
        if output and not output.parent.is_dir():
            raise OutputError(f"{output} cannot be written: {output.parent} is not a folder")
