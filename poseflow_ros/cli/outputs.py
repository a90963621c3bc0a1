"""Files that a command writes: they get their names when they are complete."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from poseflow_ros.cli.errors import CommandError, IncompleteError

_SYSTEM_FOLDERS = ("dev", "proc")


class OutputError(CommandError):
    """A file that cannot be written; the text names it and says why."""


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path] = ()) -> None:
    """Refuse before the work what could not be written after it.

    Raises:
        OutputError: an output is a folder, one of the inputs or another output, or its folder is
            missing.
    """
    used = {path.resolve() for path in inputs}
    for output in filter(None, outputs):
        place = output.resolve()
        if place in used:
            raise OutputError(f"{output} is an input or another output and cannot be written")
        if not output.parent.is_dir():
            raise OutputError(f"{output} cannot be written: {output.parent} is not a folder")
        if output.is_dir():
            raise OutputError(f"{output} cannot be written: it is a folder")
        if not output.exists() or output.is_file():
            used |= {place, partial_path(place)}


def partial_path(path: Path) -> Path:
    """Return the name of an incomplete file: out.partial.mp4 for out.mp4."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


class OutputFiles:
    """The files of one run. They are written under temporary names in their own folders.

    `complete` gives them their names. A file of an earlier run keeps its name until then. Devices
    and pipes, such as /dev/stdout, are written directly.
    """

    def __init__(self) -> None:
        self._files: dict[Path, Path] = {}

    def add(self, path: Path) -> Path:
        """Return the path to write to."""
        if path.exists() and (not path.is_file() or path.absolute().parts[1] in _SYSTEM_FOLDERS):
            return path
        path = path.resolve()
        self._files[path] = partial_path(path)
        return self._files[path]

    def complete(self) -> None:
        """Give all files their names; the caller has closed them."""
        for path, partial in self._files.items():
            if partial.exists():  # a video without images is not written
                partial.replace(path)

    def discard(self) -> None:
        """Delete all files."""
        for partial in self._files.values():
            partial.unlink(missing_ok=True)

    def __str__(self) -> str:
        """Name the partial files that exist."""
        return ", ".join(str(partial) for partial in self._files.values() if partial.exists())


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the path to write one file to; the body closes it.

    Raises:
        IncompleteError: the file cannot be written completely; nothing is left of it.
    """
    files = OutputFiles()
    try:
        yield files.add(path)
        files.complete()
    except OSError as error:
        files.discard()
        raise IncompleteError(f"{path} cannot be written: {error.strerror}") from error


def write_report(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON, if a path is given.

    Raises:
        IncompleteError: the file cannot be written completely.
    """
    if path:
        with whole_file(path) as place:
            place.write_text(json.dumps(figures, indent=2) + "\n")
