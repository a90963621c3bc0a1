"""The record of a batch in its output folder, from which an interrupted batch resumes."""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from poseflow_ros.batch import remote_file
from poseflow_ros.batch.outcome import DONE, Job, Outcome
from poseflow_ros.cli.errors import CommandError


class Manifest:
    """`manifest.jsonl`: one line for each processed input, the last line of an input counts.

    An input is finished if its line says so, with the same settings, and neither the size nor
    the modification time of the file has changed since. Failed and incomplete inputs are
    processed again.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        """Open or create the manifest.

        Args:
            folder: the output folder; created if missing.
            settings: identifies everything that the outputs depend on besides the input.

        Raises:
            CommandError: another batch writes to the folder.
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._file: IO[str] = (folder / "manifest.jsonl").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise CommandError(f"{folder} is in use by another batch") from None
        self._finished: set[tuple[str, str]] = set()
        self._names: dict[str, str] = {}
        self._load()

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def jobs(self, inputs: Iterable[str]) -> tuple[list[Job], int]:
        """Return the jobs that are left and the number of finished inputs."""
        jobs, n_finished = [], 0
        taken = set(self._names.values())
        for path in inputs:
            name = self._names.get(path) or _free_name(path, taken)
            taken.add(name)
            if (path, _fingerprint(path)) in self._finished:
                n_finished += 1
            else:
                jobs.append(Job(path, name))
        return jobs, n_finished

    def add(self, outcome: Outcome) -> None:
        """Append an outcome; it is on the disk when this returns."""
        record: dict[str, Any] = asdict(outcome)
        record |= record.pop("job")
        record |= {"settings": self._settings, "fingerprint": _fingerprint(outcome.job.input)}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _load(self) -> None:
        self._file.seek(0)
        text = self._file.read()
        if text and not text.endswith("\n"):  # the machine stopped while the line was written
            self._file.write("\n")
        for line in text.splitlines():
            try:
                record = json.loads(line)
                path, name = record["input"], record["name"]
                key = (path, record["fingerprint"])
                done = record["status"] == DONE and record["settings"] == self._settings
            except (ValueError, KeyError, TypeError):
                continue
            self._names[path] = name
            if done:
                self._finished.add(key)
            else:
                self._finished.discard(key)


def _fingerprint(path: str) -> str:
    """Return size and modification time of a file; of a folder, of all its files."""
    if remote_file.is_remote(path):
        return remote_file.fingerprint(path)
    try:
        folder = Path(path)
        files = [p for p in folder.iterdir() if p.is_file()] if folder.is_dir() else [folder]
        states = [file.stat() for file in files]
    except OSError:
        return "missing"
    latest_ns = max((state.st_mtime_ns for state in states), default=0)
    return f"{len(states)}-{sum(state.st_size for state in states)}-{latest_ns}"


def _free_name(path: str, taken: set[str]) -> str:
    """Return the file name of a path, with a number if another input has that name."""
    stem = Path(path).name
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name
