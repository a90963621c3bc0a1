"""Which images continue the stream of a camera."""

from types import SimpleNamespace

import pytest

from poseflow_ros.imaging.image_order import ImageOrder

LARGE, SMALL = (480, 640), (240, 320)


class Stream:
    """Images to an order, and what became of each: its stamp, or why it was dropped."""

    def __init__(self, n_publishers=1, max_backward_s=1.0):
        self.order = ImageOrder(lambda: n_publishers)
        self.results, self.time_s, self.generation = [], 100.0, 0
        self.max_backward_s = max_backward_s

    def show(self, stamp_s, size=LARGE, after_s=0.1):
        self.time_s += after_s
        arguments = self.generation, stamp_s, size, self.time_s, self.max_backward_s
        self.results.append(self.order.check(*arguments) or stamp_s)
        return self.results[-1]


def test_images_in_order_are_accepted_whatever_the_gaps():
    stream = Stream()
    for stamp_s in (1.0, 1.1, 5.0, 4000.0):
        stream.show(stamp_s)
    assert stream.results == [1.0, 1.1, 5.0, 4000.0]


def test_swapped_neighbors_are_out_of_order():
    stream = Stream()
    for stamp_s in (1.0, 1.2, 1.1, 1.4, 1.3, 1.5):
        stream.show(stamp_s)
    assert stream.results == [1.0, 1.2, "out of order", 1.4, "out of order", 1.5]


@pytest.mark.parametrize(
    ("back_s", "result"),
    [
        pytest.param(0.004, "out of order", id="4 ms"),
        pytest.param(1.0, "out of order", id="the limit"),
        pytest.param(1.5, 8.5, id="a jump"),
    ],
)
def test_only_a_real_jump_back_is_accepted(back_s, result):
    stream = Stream()
    stream.show(10.0)
    assert stream.show(10.0 - back_s) == result


def test_every_step_back_is_a_jump_where_none_is_allowed():
    stream = Stream(max_backward_s=0.0)
    stream.show(10.0)
    assert stream.show(9.999) == 9.999


def test_a_duplicate_is_dropped():
    stream = Stream()
    assert [stream.show(10.0), stream.show(10.0), stream.show(10.1)] == [
        10.0, "duplicate stamp", 10.1,
    ]  # fmt: skip


def test_alternating_sizes_keep_the_first_and_are_reported():
    stream = Stream()
    for i in range(40):
        stream.show(1 + 0.1 * i, SMALL if i % 2 else LARGE)
    assert stream.results[1::2] == ["another image size"] * 20
    assert "another image size" not in stream.results[::2]
    assert stream.order.alternates
    assert (stream.order.size, stream.order.foreign_size) == (LARGE, SMALL)


def test_two_foreign_images_for_each_of_the_stream_do_not_take_over():
    stream = Stream()
    for i in range(60):
        stream.show(1 + 0.03 * i, LARGE if i % 3 == 0 else SMALL, after_s=0.03)
    assert [r for r in stream.results if r == "another image size"] == ["another image size"] * 40


def test_a_camera_of_another_resolution_is_accepted_soon():
    stream = Stream()
    for i in range(10):
        stream.show(1 + 0.03 * i, LARGE, after_s=0.03)
    after = [stream.show(2 + 0.03 * i, SMALL, after_s=0.03) for i in range(40)]
    n_dropped = after.count("another image size")
    assert 0.5 <= 0.03 * (n_dropped + 1) < 0.6
    assert "another image size" not in after[n_dropped:]
    assert not stream.order.alternates


def test_after_a_pause_another_resolution_is_accepted_at_once():
    stream = Stream()
    stream.show(1.0, LARGE)
    assert stream.show(10.0, SMALL, after_s=5.0) == 10.0


def test_a_slow_camera_is_not_replaced_between_two_of_its_images():
    stream = Stream()
    stream.show(-1.0, LARGE)
    stream.show(0.0, LARGE, after_s=1.0)
    for i in range(6):
        stream.show(1.0 + i, LARGE, after_s=0.1)
        for k in range(9):
            stream.show(1.05 + i + 0.1 * k, SMALL, after_s=0.1)
    assert stream.results[2::10] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize("other_s", [-5000.0, 5000.0], ids=["behind", "ahead"])
def test_stamps_of_another_publishers_clock_are_dropped(other_s):
    stream = Stream(n_publishers=2)
    for i in range(10):
        stream.show(10000 + 0.1 * i, after_s=0.05)
        assert stream.show(10000 + other_s + 0.1 * i, after_s=0.05) == (
            "stamps of another publisher"
        )
    assert stream.results[::2] == [10000 + 0.1 * i for i in range(10)]


def test_a_publisher_that_replaces_another_is_accepted_soon():
    stream = Stream(n_publishers=2)
    stream.show(10000.0)
    after = [stream.show(5.0 + i, after_s=0.11) for i in range(10)]
    assert after == ["stamps of another publisher"] * 4 + [9.0, 10.0, 11.0, 12.0, 13.0, 14.0]


def test_a_new_generation_begins_a_new_stream():
    stream = Stream()
    stream.show(10.0, LARGE)
    stream.generation = 1
    assert stream.show(9.9, SMALL) == 9.9


def job(stamp_s, size=LARGE):
    return SimpleNamespace(stamp_s=stamp_s, size=size)


@pytest.mark.parametrize(
    ("stamp_s", "size", "reason"),
    [
        pytest.param(11.0, LARGE, "", id="a newer one"),
        pytest.param(9.0, LARGE, "out of order", id="an older one"),
        pytest.param(10.0, LARGE, "duplicate stamp", id="the same"),
        pytest.param(1.0, LARGE, "", id="one of a new recording"),
        pytest.param(11.0, SMALL, "another image size", id="a foreign one"),
    ],
)
def test_what_may_replace_an_image_that_waits(stamp_s, size, reason):
    stream = Stream()
    stream.show(5.0, LARGE)
    assert stream.order.inferior(job(stamp_s, size), job(10.0), 1.0) == reason
