"""What is counted, and from which value on it is a worry."""

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from diagnostic_msgs.msg import DiagnosticStatus

from poseflow_ros.ros.diagnostics import FrameStatistics, Stages, status, worry

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
STAGES = Stages(behind=0.06, wait=0.01, convert=0.02, estimate=0.03, track=0.04, publish=0.05)


def process(statistics, n):
    for _ in range(n):
        statistics.receive()
        statistics.process(STAGES, 2)


def drop(statistics, reason, n):
    for _ in range(n):
        statistics.receive()
        statistics.drop(reason)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        pytest.param(0.9, None, id="below both"),
        pytest.param(1.0, WARN, id="the warning itself"),
        pytest.param(1.9, WARN, id="between"),
        pytest.param(2.0, ERROR, id="the error itself"),
        pytest.param(9.0, ERROR, id="above both"),
    ],
)
def test_a_threshold_is_the_least_that_worries(value, level):
    assert worry(value, 1.0, 2.0, "words") == ([] if level is None else [(level, "words")])


def test_where_both_thresholds_are_one_it_is_an_error():
    assert worry(1.0, 1.0, 1.0, "words") == [(ERROR, "words")]


def test_a_status_is_as_bad_as_the_worst_and_tells_all():
    told = status("name", "id", [(WARN, "slow"), (ERROR, "silent"), (WARN, "dull")], {"a": "1"})
    assert (told.level, told.message) == (ERROR, "slow; silent; dull")
    assert (told.name, told.hardware_id) == ("name", "id")
    assert [(v.key, v.value) for v in told.values] == [("a", "1")]
    assert (status("name", "id", [], {}).level, status("", "", [], {}).message) == (OK, "running")


def test_the_share_of_dropped_images_is_that_of_the_latest_looks():
    statistics = FrameStatistics()
    process(statistics, 3)
    drop(statistics, "malformed", 1)
    assert statistics.missing_lately() == (0.25, {"malformed": 1})
    drop(statistics, "too old", 2)
    share, reasons = statistics.missing_lately()
    assert (share, reasons) == (0.5, {"malformed": 1, "too old": 2})
    for _ in range(4):  # the fifth look after the first drop forgets it
        process(statistics, 1)
        share, reasons = statistics.missing_lately()
    assert reasons == {"too old": 2}
    assert share == 2 / 6
    for _ in range(5):
        process(statistics, 1)
        share, reasons = statistics.missing_lately()
    assert (share, reasons) == (0.0, {})


def test_images_lost_on_the_way_are_missing_but_not_dropped():
    statistics = FrameStatistics()
    process(statistics, 1)
    statistics.lose(3)
    assert statistics.missing_lately() == (0.75, {"lost on the way": 3})
    values = statistics.values()
    assert (values["received"], values["dropped"], values["lost on the way"]) == ("1", "0", "3")


def test_without_images_nothing_was_dropped():
    assert FrameStatistics().missing_lately() == (0.0, {})


def test_the_latency_is_that_of_the_slowest_in_a_hundred():
    statistics = FrameStatistics()
    assert statistics.latency_s() == 0.0
    process(statistics, 200)
    assert statistics.latency_s() == pytest.approx(0.21)
    slow = Stages(behind=1.0, wait=0.0, convert=0.0, estimate=0.0, track=0.0, publish=0.0)
    statistics.process(slow, 0)
    assert statistics.latency_s() == pytest.approx(0.21)
    for _ in range(3):
        statistics.process(slow, 0)
    assert statistics.latency_s() == pytest.approx(1.0)


def test_counts_add_up():
    statistics = FrameStatistics()
    process(statistics, 3)
    drop(statistics, "malformed", 2)
    drop(statistics, "reset", 1)
    values = statistics.values()
    counts = {k: v for k, v in values.items() if v.isdecimal()}
    assert counts == {
        "received": "6", "processed": "3", "dropped": "3", "dropped: malformed": "2",
        "dropped: reset": "1", "people": "2", "lost on the way": "0",
    }  # fmt: skip
    assert (values["overhead p50 (ms)"], values["total p99 (ms)"]) == ("80.00", "210.00")
    assert (statistics.take_dropped(), statistics.take_dropped()) == (3, 0)
