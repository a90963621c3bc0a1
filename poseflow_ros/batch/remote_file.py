"""Inputs on servers and in object stores, through `fsspec`."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_PATTERN = frozenset("*?[")


def is_remote(name: str) -> bool:
    """Return whether an input is a URL, such as s3://bucket/video.mp4."""
    return "://" in name


def expand(url: str, suffixes: Collection[str]) -> list[str]:
    """Return the URLs that a URL stands for: itself, the matches of a pattern, a folder's files.

    Args:
        url: of a file or a folder, or a pattern (`*`, `**`, `?`, `[...]`).
        suffixes: of the files that are inputs, in lower case; for folders.

    Raises:
        OSError: the server cannot be reached, or a package for it is missing.
    """
    files, path = _open(url)
    try:
        if not _PATTERN.isdisjoint(path):
            found = sorted(files.glob(path))
        elif files.isdir(path):
            found = [p for p in sorted(files.find(path)) if Path(p).suffix.lower() in suffixes]
        else:
            return [url]
    except Exception as error:  # whatever the file system of a protocol raises
        raise OSError(f"{url} cannot be listed: {_line(error)}") from error
    return [files.unstrip_protocol(p) for p in found] or [url]


def fingerprint(url: str) -> str:
    """Return what identifies the present content of a file, "missing" if it cannot be found."""
    try:
        files, path = _open(url)
        return str(files.ukey(path))
    except Exception:  # whatever the file system of a protocol raises
        return "missing"


@contextmanager
def local_copy(name: str) -> Iterator[str]:
    """Yield the path of an input; a remote file is copied, and the copy removed afterwards.

    Raises:
        OSError: it cannot be copied.
    """
    if not is_remote(name):
        yield name
        return
    files, path = _open(name)
    with TemporaryDirectory(prefix="poseflow_ros_") as folder:
        copy = Path(folder) / Path(path).name
        try:
            files.get_file(path, str(copy))
        except Exception as error:  # whatever the file system of a protocol raises
            raise OSError(f"{name} cannot be read: {_line(error)}") from error
        yield str(copy)


def _open(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise OSError(f"{url} needs the package fsspec: python3 -m pip install fsspec") from None
    try:
        files, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise OSError(f"{url} cannot be opened: {_line(error)}") from error
    return files, str(path)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
