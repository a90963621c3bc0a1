"""What is counted, and from which value on there is an alert."""

import time
from time import perf_counter

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from diagnostic_msgs.msg import DiagnosticStatus

from poseflow_ros.ros.diagnostics import (
    FrameStatistics,
    Stages,
    StageTimer,
    make_status,
    threshold_alerts,
)

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
STAGES = Stages(queueing=0.06, wait=0.01, convert=0.02, estimate=0.03, track=0.04, publish=0.05)


def process(statistics, n):
    for _ in range(n):
        statistics.receive()
        statistics.count_published(2)
        statistics.add_times(STAGES)


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
def test_a_value_at_the_threshold_is_an_alert(value, level):
    assert threshold_alerts(value, 1.0, 2.0, "words") == (
        [] if level is None else [(level, "words")]
    )


def test_equal_thresholds_give_an_error():
    assert threshold_alerts(1.0, 1.0, 1.0, "words") == [(ERROR, "words")]


def test_status_has_the_highest_level_and_all_texts():
    result = make_status(
        "name", "id", [(WARN, "slow"), (ERROR, "silent"), (WARN, "dull")], {"a": "1"}
    )
    assert (result.level, result.message) == (ERROR, "slow; silent; dull")
    assert (result.name, result.hardware_id) == ("name", "id")
    assert [(v.key, v.value) for v in result.values] == [("a", "1")]
    assert (make_status("name", "id", [], {}).level, make_status("", "", [], {}).message) == (
        OK,
        "running",
    )


def test_dropped_share_covers_the_latest_calls():
    statistics = FrameStatistics()
    process(statistics, 3)
    drop(statistics, "malformed", 1)
    assert statistics.missing_lately() == (0.25, {"malformed": 1})
    drop(statistics, "too old", 2)
    share, reasons = statistics.missing_lately()
    assert (share, reasons) == (0.5, {"malformed": 1, "too old": 2})
    for _ in range(4):  # the fifth call after the first drop forgets it
        process(statistics, 1)
        share, reasons = statistics.missing_lately()
    assert reasons == {"too old": 2}
    assert share == 2 / 6
    for _ in range(5):
        process(statistics, 1)
        share, reasons = statistics.missing_lately()
    assert (share, reasons) == (0.0, {})


def test_lost_images_are_missing_but_not_dropped():
    statistics = FrameStatistics()
    process(statistics, 1)
    statistics.count_lost(3)
    assert statistics.missing_lately() == (0.75, {"lost on the way": 3})
    values = statistics.values()
    assert (values["received"], values["dropped"], values["lost on the way"]) == ("1", "0", "3")


def test_dropped_share_is_zero_without_images():
    assert FrameStatistics().missing_lately() == (0.0, {})


def test_the_latency_is_the_p99():
    statistics = FrameStatistics()
    assert statistics.latency_s() == 0.0
    process(statistics, 200)
    assert statistics.latency_s() == pytest.approx(0.21)
    slow = Stages(queueing=1.0, wait=0.0, convert=0.0, estimate=0.0, track=0.0, publish=0.0)
    statistics.add_times(slow)
    assert statistics.latency_s() == pytest.approx(0.21)
    for _ in range(3):
        statistics.add_times(slow)
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


def test_stages_add_up_to_the_time_since_the_image_was_received():
    received_s = perf_counter()
    time.sleep(0.02)  # another image is processed
    idle_since_s = perf_counter()
    time.sleep(0.01)
    timer = StageTimer(received_s, idle_since_s)
    for stage in ("convert", "track", "publish"):
        time.sleep(0.01)
        timer.finish(stage)
    stages = timer.stages(estimate_s=0.5)
    assert stages.queueing == idle_since_s - received_s
    assert min(stages.wait, stages.convert, stages.track, stages.publish) >= 0.01
    assert stages.total == pytest.approx(perf_counter() - received_s + 0.5, abs=1e-3)


def test_idle_loop_has_no_queueing_delay():
    stages = StageTimer(perf_counter(), idle_since_s=0.0)
    for stage in ("convert", "track", "publish"):
        stages.finish(stage)
    assert stages.stages(0.0).queueing == 0.0
