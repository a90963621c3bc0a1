"""The inputs of a batch: files, folders, bags, patterns and lists of them."""

from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path

from poseflow_ros.batch import remote_file
from poseflow_ros.imaging.bag_files import BAG_SUFFIXES, is_bag
from poseflow_ros.imaging.video import IMAGE_SUFFIXES

VIDEO_SUFFIXES = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"))
_PATTERN = frozenset("*?[")


def expand_inputs(arguments: Iterable[str]) -> Iterator[str]:
    """Yield each input once, as an absolute path, in the order of the arguments.

    A bag and a folder that has images are one input; of any other folder, all videos, bags and
    image folders below it are inputs. A path that does not exist is yielded as it is,
    so that the batch reports it like any other failure. A URL stands for a remote file, or for
    the videos and bag files of a remote folder.

    Args:
        arguments: paths of files and folders, patterns (`*`, `**`, `?`, `[...]`), and lists:
            `@FILE` is a text file with one of these per line.

    Raises:
        OSError: a list cannot be read, or a remote folder cannot be listed.
    """
    known = set()
    for argument in _read_lists(arguments):
        for found in _expand(argument):
            if found not in known:
                known.add(found)
                yield found


def _expand(argument: str) -> Iterator[str]:
    if remote_file.is_remote(argument):
        yield from remote_file.expand(argument, VIDEO_SUFFIXES.union(BAG_SUFFIXES))
        return
    for path in _matches(argument):
        yield from map(str, _walk(path.absolute()))


def _read_lists(arguments: Iterable[str]) -> Iterator[str]:
    for argument in arguments:
        if not argument.startswith("@"):
            yield argument
            continue
        for line in Path(argument[1:]).read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                yield line.strip()


def _matches(argument: str) -> list[Path]:
    """Return the paths that match a pattern, or the argument where it is not a pattern."""
    if Path(argument).exists() or _PATTERN.isdisjoint(argument):
        return [Path(argument)]
    # Path.glob refuses absolute patterns.
    found = sorted(glob(argument, recursive=True))  # noqa: PTH207
    return [Path(path) for path in found or [argument]]


def _walk(path: Path) -> Iterator[Path]:
    if not path.is_dir() or _is_one_input(path):
        yield path
        return
    for child in sorted(path.iterdir()):
        is_input = child.is_dir() or child.suffix.lower() in VIDEO_SUFFIXES.union(BAG_SUFFIXES)
        if is_input and not child.name.startswith("."):
            yield from _walk(child)


def _is_one_input(folder: Path) -> bool:
    """Return whether a folder is a bag or a sequence of images."""
    return is_bag(folder) or any(
        path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        for path in folder.iterdir()
    )
