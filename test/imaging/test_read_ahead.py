"""Reading in a thread while the items before are processed."""

import threading
import time

import pytest

from poseflow_ros.imaging.read_ahead import read_ahead


def test_items_keep_their_order():
    assert list(read_ahead(range(100))) == list(range(100))


def test_an_error_is_raised_after_the_items_before_it():
    def items():
        yield from "ab"
        raise ValueError("no c")

    received = []
    with pytest.raises(ValueError, match="no c"):
        for item in read_ahead(items()):
            received.append(item)
    assert received == ["a", "b"]


def test_reading_and_processing_overlap():
    def items():
        for i in range(5):
            time.sleep(0.1)
            yield i

    start_s = time.monotonic()
    for _ in read_ahead(items()):
        time.sleep(0.1)
    assert time.monotonic() - start_s < 0.9  # one after the other: 1 s


def test_at_most_a_few_items_are_read_ahead():
    n_read = 0

    def items():
        nonlocal n_read
        while True:
            n_read += 1
            yield n_read

    reader = read_ahead(items())
    assert next(reader) == 1
    time.sleep(0.2)
    assert n_read == 6  # one received, four waiting, one about to wait
    reader.close()


def test_the_thread_ends_with_the_iterator():
    reader = read_ahead(iter(int, 1))
    next(reader)
    reader.close()
    assert "poseflow_reader" not in {thread.name for thread in threading.enumerate()}
