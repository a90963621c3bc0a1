"""Inputs behind URLs, with the file systems that need no server."""

import sys
from pathlib import Path

import pytest

fsspec = pytest.importorskip("fsspec", reason="fsspec does not import: pip install fsspec")

from poseflow_ros.batch.inputs import expand_inputs  # noqa: E402
from poseflow_ros.batch.remote_file import fingerprint, local_copy  # noqa: E402


@pytest.fixture
def store():
    """An object store with two videos, a bag file and a text."""
    files = fsspec.filesystem("memory")
    for name in ("a.mp4", "deep/b.MKV", "deep/c.mcap", "notes.txt"):
        files.pipe_file(f"/recordings/{name}", name.encode())
    yield files
    files.rm("/recordings", recursive=True)


@pytest.mark.parametrize(
    ("argument", "names"),
    [
        pytest.param("", ["a.mp4", "deep/b.MKV", "deep/c.mcap"], id="a folder"),
        pytest.param("/notes.txt", ["notes.txt"], id="a file is not judged by its suffix"),
        pytest.param("/*.mp4", ["a.mp4"], id="a pattern"),
        pytest.param("/**/*.MKV", ["deep/b.MKV"], id="a recursive pattern"),
        pytest.param("/gone.mp4", ["gone.mp4"], id="a missing file is reported later"),
        pytest.param("/*.avi", ["*.avi"], id="a pattern that matches nothing is reported later"),
    ],
)
def test_urls_are_expanded(store, argument, names):
    found = list(expand_inputs([f"memory://recordings{argument}"]))
    assert [name.removeprefix("memory://").strip("/") for name in found] == [
        f"recordings/{name}" for name in names
    ]


def test_a_copy_has_the_name_and_the_content_and_is_removed(store):
    with local_copy("memory://recordings/a.mp4") as path:
        assert (Path(path).name, Path(path).read_bytes()) == ("a.mp4", b"a.mp4")
    assert not Path(path).exists()


def test_a_local_path_is_not_copied(tmp_path):
    with local_copy(str(tmp_path / "a.mp4")) as path:
        assert path == str(tmp_path / "a.mp4")


def test_a_fingerprint_changes_with_the_content(store):
    before = fingerprint("memory://recordings/a.mp4")
    assert before == fingerprint("memory://recordings/a.mp4") != "missing"
    store.pipe_file("/recordings/a.mp4", b"longer than before")
    assert fingerprint("memory://recordings/a.mp4") != before
    assert fingerprint("memory://recordings/gone.mp4") == "missing"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("memory://recordings/gone.mp4", "cannot be read", id="a missing file"),
        pytest.param("nowhere://bucket/a.mp4", "Protocol not known: nowhere", id="a protocol"),
    ],
)
def test_what_cannot_be_read_is_one_line(store, url, words):
    with pytest.raises(OSError, match=words) as failure, local_copy(url):
        pass
    assert url in str(failure.value)
    assert "\n" not in str(failure.value)


def test_without_fsspec_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(OSError, match="needs the package fsspec"), local_copy("s3://b/a.mp4"):
        pass
