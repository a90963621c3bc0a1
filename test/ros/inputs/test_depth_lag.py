"""How long after its image a depth image arrives, and which wait is recommended."""

import pytest

from poseflow_ros.ros.inputs.depth_lag import DepthLag

SLOP_S = 0.02


def measured(lags_s, period_s=0.033, offset_s=0.0):
    """A lag measured on images a period apart, each with the lag of its depth image."""
    lag = DepthLag()
    events = []
    for i, lag_s in enumerate(lags_s):
        stamp_s, arrival_s = 10 + period_s * i, 500 + period_s * i
        events.append((arrival_s, lag.add_image, stamp_s))
        events.append((arrival_s + lag_s, lag.add_depth, stamp_s + offset_s))
    for arrival_s, add, stamp_s in sorted(events, key=lambda event: event[0]):
        add(stamp_s, arrival_s, SLOP_S)
    return lag


def test_without_pairs_nothing_is_reported():
    lag = DepthLag()
    lag.add_image(1.0, 50.0, SLOP_S)
    lag.add_depth(3.0, 50.1, SLOP_S)
    assert (lag.percentiles_s(), lag.values(), lag.recommended_wait_s()) == (None, {}, 0.0)


@pytest.mark.parametrize("offset_s", [0.0, 0.01, -0.01])
def test_a_constant_lag_is_measured(offset_s):
    lag = measured([0.08] * 50, offset_s=offset_s)
    assert lag.percentiles_s() == (pytest.approx(0.08), pytest.approx(0.08))
    # 20 % more, in whole hundredths: 0.096 becomes 0.10.
    assert lag.values() == {
        "depth lag p50 (ms)": "80.0",
        "depth lag p99 (ms)": "80.0",
        "recommended depth.wait_s": "0.10",
    }


def test_depth_that_comes_first_needs_no_wait():
    lag = measured([-0.03] * 20)
    assert lag.percentiles_s() == (pytest.approx(-0.03), pytest.approx(-0.03))
    assert lag.recommended_wait_s() == 0.0


def test_the_recommendation_follows_the_late_ones():
    lag = measured([0.02] * 95 + [0.15] * 5, period_s=0.2)
    p50, p99 = lag.percentiles_s()
    assert (p50, p99) == (pytest.approx(0.02), pytest.approx(0.15))
    assert lag.recommended_wait_s() == pytest.approx(0.18)
